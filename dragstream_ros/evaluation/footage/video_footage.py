"""A video file as footage, read by OpenCV."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import cv2
import numpy as np

from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.given_drags import GivenDrags
from dragstream_ros.evaluation.footage.shots import NS, Shot

SUFFIXES = ('.avi', '.gif', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


class VideoFootage:
    """See shots.Footage."""

    def __init__(self, path: pathlib.Path, *, rate_hz: float | None = None) -> None:
        """Look at the first picture; raises FootageError.

        :param rate_hz: pictures per second of the scene; None: as the file says
        """
        self.path, self.name = path, path.name
        self.notes = ['It is a video file: stamps are made from its rate.']
        self.problems: list[str] = []
        capture = cv2.VideoCapture(str(path))
        try:
            self._rate_hz = rate_hz or capture.get(cv2.CAP_PROP_FPS)
            n_said = max(capture.get(cv2.CAP_PROP_FRAME_COUNT), 0.0)
            if not capture.read()[0]:
                raise FootageError(
                    f'OpenCV reads no picture from {path}{_codec(capture)}; please convert it, as '
                    f'with: ffmpeg -i {path.name} -c:v libx264 {path.stem}_h264.mp4')
        finally:
            capture.release()
        if not self._rate_hz > 0:
            raise FootageError(f'{path} does not say how many pictures a second has; please give '
                               '--video-rate.')
        self.duration_secs = n_said / self._rate_hz

    def shots(self) -> Iterator[Shot]:
        """Give the pictures, one after the other."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            number = 0
            while (read := capture.read())[0]:
                yield _shot(read[1], round(number * NS / self._rate_hz))
                number += 1
        finally:
            capture.release()

    def recorded_drags(self) -> GivenDrags:
        """A video has none; raises FootageError."""
        raise FootageError(f'{self.name} is a video, in which no drags are recorded; please give '
                           '--drags a file, or leave it out.')


def _shot(picture: np.ndarray, stamp_ns: int) -> Shot:
    return Shot(stamp_ns=stamp_ns, decode=lambda: cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def _codec(capture: cv2.VideoCapture) -> str:
    """The codec's four letters in brackets, where it is known."""
    code = max(0, int(capture.get(cv2.CAP_PROP_FOURCC)))    # -1 where there is no video at all
    letters = code.to_bytes(4, 'little').decode('ascii', 'ignore')
    return f' (codec {letters.strip()})' if letters.strip('\0 ') else ''
