"""A video file as footage."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from dragstream_ros.evaluation.footage import video_reader
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.given_drags import GivenDrags
from dragstream_ros.evaluation.footage.shots import NS, Shot

SUFFIXES = ('.avi', '.gif', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')
CUT_SHORT = 0.9     # of the pictures that the file says it has; some say a few too many


class VideoFootage:
    """See shots.Footage."""

    def __init__(self, path: pathlib.Path, *, rate_hz: float | None = None) -> None:
        """Look at the first picture; raises FootageError.

        :param rate_hz: pictures per second of the scene; None: as the file says
        """
        self.path, self.name = path, path.name
        self.notes = ['It is a video file: stamps are made from its rate.']
        self.problems: list[str] = []
        reader = video_reader.open_video(path)
        if reader is None:
            raise FootageError(_unreadable(path))
        self._reader = reader
        self._rate_hz = rate_hz or reader.rate_hz
        if not self._rate_hz > 0:
            raise FootageError(f'{path} does not say how many pictures a second has; please give '
                               '--video-rate.')
        self.duration_secs = reader.n_pictures / self._rate_hz

    def shots(self) -> Iterator[Shot]:
        """Give the pictures, one after the other."""
        number = 0
        for picture in self._reader.pictures():
            yield Shot(stamp_ns=round(number * NS / self._rate_hz), decode=picture.copy)
            number += 1
        if number < CUT_SHORT * self._reader.n_pictures:
            self.problems.append(
                f'{self.name} says that it has {self._reader.n_pictures} pictures, but only '
                f'{number} can be read; they were used.')

    def recorded_drags(self) -> GivenDrags:
        """A video has none; raises FootageError."""
        raise FootageError(f'{self.name} is a video, in which no drags are recorded; please give '
                           '--drags a file, or leave it out.')


def _unreadable(path: pathlib.Path) -> str:
    codec = video_reader.codec_of(path)
    told = f' (codec {codec})' if codec else ''
    if codec and video_reader.av is None:
        return (f'OpenCV reads no picture from {path}{told}; please install PyAV, as with '
                "pip install 'av>=12', or convert it, as with "
                f'ffmpeg -i {path.name} -c:v libx264 {path.stem}_h264.mp4 .')
    return f'No picture can be read from {path}{told}: it is no video, or is damaged.'
