"""Pictures of a video file: read by OpenCV and, where it reads none, by PyAV."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

try:
    import av
except ImportError:  # an extra; OpenCV reads what cameras and telephones write
    av = None


@dataclass(frozen=True, kw_only=True)
class VideoReader:
    """rate_hz, n_pictures: as the file says, 0 where it does not.

    pictures: gives them as (H, W, 3) uint8 RGB, from the beginning, up to the first damaged one.
    """

    rate_hz: float
    n_pictures: int
    pictures: Callable[[], Iterator[np.ndarray]]


def open_video(path: pathlib.Path) -> VideoReader | None:
    """Read one picture, to see who can; None: nobody."""
    for look in (_look_with_opencv, _look_with_pyav):
        reader = look(path)
        if reader is not None and next(reader.pictures(), None) is not None:
            return reader
    return None


def codec_of(path: pathlib.Path) -> str:
    """Four letters, or nothing where it is not known."""
    capture = cv2.VideoCapture(str(path))
    code = max(0, int(capture.get(cv2.CAP_PROP_FOURCC)))    # -1 where there is no video at all
    capture.release()
    return code.to_bytes(4, 'little').decode('ascii', 'ignore').strip('\0 ')


def _look_with_opencv(path: pathlib.Path) -> VideoReader:
    capture = cv2.VideoCapture(str(path))
    try:
        return VideoReader(
            rate_hz=capture.get(cv2.CAP_PROP_FPS),
            n_pictures=max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))),
            pictures=lambda: _pictures_of_opencv(path))
    finally:
        capture.release()


def _pictures_of_opencv(path: pathlib.Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    try:
        while (read := capture.read())[0]:
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def _look_with_pyav(path: pathlib.Path) -> VideoReader | None:
    if av is None:
        return None
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return VideoReader(
                rate_hz=float(stream.average_rate or 0), n_pictures=stream.frames,
                pictures=lambda: _pictures_of_pyav(path))
    except (av.FFmpegError, IndexError):
        return None


def _pictures_of_pyav(path: pathlib.Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format='rgb24')
        except av.FFmpegError:  # the rest is damaged; OpenCV stops there without a word, too
            return
