"""Writes PNG and MP4 files: H.264 where ffmpeg is installed, else what OpenCV brings."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterable

import cv2
import numpy as np


def write_picture(path: pathlib.Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB picture, PNG or JPEG by the file's name.

    :raises OSError: nothing can be written there
    """
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f'OpenCV could not write {path}.')


def read_picture(path: pathlib.Path) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB; raises OSError where there is none."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f'{path} is no picture.')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def write_video(path: pathlib.Path, pictures: Iterable[np.ndarray], *, rate_hz: float) -> str:
    """Write (H, W, 3) uint8 RGB pictures of one size, width and height even.

    :returns: the codec's name, for people
    :raises OSError: nothing can be written there
    """
    ffmpeg = shutil.which('ffmpeg')
    if ffmpeg is not None and _has_h264(ffmpeg):
        _write_by_ffmpeg(ffmpeg, path, pictures, rate_hz)
        return 'H.264'
    _write_by_opencv(path, pictures, rate_hz)
    return 'MPEG-4 part 2; install ffmpeg for H.264'


def _has_h264(ffmpeg: str) -> bool:
    listed = subprocess.run([ffmpeg, '-v', 'quiet', '-encoders'], capture_output=True, check=False)
    return b'libx264' in listed.stdout


def _write_by_ffmpeg(
    ffmpeg: str, path: pathlib.Path, pictures: Iterable[np.ndarray], rate_hz: float
) -> None:
    process: subprocess.Popen[bytes] | None = None
    for picture in pictures:
        if process is None:
            height, width = picture.shape[:2]
            process = subprocess.Popen(
                [ffmpeg, '-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24',
                 '-s', f'{width}x{height}', '-r', f'{rate_hz:g}', '-i', '-',
                 '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '18', '-pix_fmt', 'yuv420p',
                 '-movflags', '+faststart', str(path)],
                stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(picture.tobytes())
    if process is not None:
        process.communicate()
        if process.returncode:
            raise OSError(f'ffmpeg could not write {path}.')


def _write_by_opencv(
    path: pathlib.Path, pictures: Iterable[np.ndarray], rate_hz: float
) -> None:
    writer: cv2.VideoWriter | None = None
    for picture in pictures:
        if writer is None:
            height, width = picture.shape[:2]
            writer = cv2.VideoWriter(
                str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*'mp4v'), rate_hz,
                (width, height))
            if not writer.isOpened():
                raise OSError(f'OpenCV could not write {path}.')
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if writer is not None:
        writer.release()
