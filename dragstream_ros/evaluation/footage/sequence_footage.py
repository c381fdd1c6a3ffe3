"""Pictures without a clock as footage: a folder of picture files, or an array in an .npz file.

Data sets of robots often come so. How fast they were taken has to be said.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.given_drags import GivenDrags
from dragstream_ros.evaluation.footage.shots import NS, Shot

PICTURE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.webp')
ARRAY_SUFFIX = '.npz'


class SequenceFootage:
    """See shots.Footage."""

    def __init__(
        self, path: pathlib.Path, *, array: str = '', rate_hz: float | None = None
    ) -> None:
        """Look at what there is; raises FootageError.

        :param array: which one of an .npz file; empty: the only one of pictures
        :param rate_hz: pictures per second of the scene
        """
        self.path, self.name = path, path.resolve().name
        self.notes = ['It is a sequence of pictures: stamps are made from --video-rate.']
        self.problems: list[str] = []
        if rate_hz is None:
            raise FootageError(f'{path} is a sequence of pictures, which does not say how many a '
                               'second has; please give --video-rate.')
        self._rate_hz = rate_hz
        self._decoders: Sequence[Callable[[], np.ndarray]] = (
            _of_array(path, array) if path.is_file() else _of_folder(path))
        self.duration_secs = len(self._decoders) / rate_hz

    def shots(self) -> Iterator[Shot]:
        """Give the pictures, in the order of their names or of the array."""
        for number, decode in enumerate(self._decoders):
            yield Shot(stamp_ns=round(number * NS / self._rate_hz), decode=decode)

    def recorded_drags(self) -> GivenDrags:
        """A sequence has none; raises FootageError."""
        raise FootageError(f'{self.name} is a sequence of pictures, in which no drags are '
                           'recorded; please give --drags a file, or leave it out.')


def picture_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The pictures of a folder, in the order of their names: frame_2 before frame_10."""
    return sorted((file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES),
                  key=_natural_order)


def _natural_order(file: pathlib.Path) -> tuple[list[str | int], str]:
    parts = re.split(r'(\d+)', file.name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], file.name


def _of_folder(folder: pathlib.Path) -> list[Callable[[], np.ndarray]]:
    return [functools.partial(_read_picture, file) for file in picture_files(folder)]


def _read_picture(file: pathlib.Path) -> np.ndarray:
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise DragStreamError(ErrorCode.IMAGE_DECODE_FAILED, f'{file.name} is no picture.')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _of_array(path: pathlib.Path, name: str) -> list[Callable[[], np.ndarray]]:
    """The pictures of (T, H, W, 3) integers in 0..255."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name]} if name else _numbers(arrays)
    except KeyError:
        raise FootageError(f'{path} has no array {name!r}.') from None
    except MemoryError as error:
        raise FootageError(f'{path} does not fit into the memory: please cut it into several '
                           'files.') from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FootageError(f'{path} is no .npz file, or is damaged: {error}.') from error
    pictures = {key: array for key, array in found.items() if _are_pictures(array)}
    if not pictures:
        raise FootageError(f'{path} holds no pictures: it must have an array of (T, H, W, 3) '
                           'integers from 0 to 255.')
    if len(pictures) > 1:
        raise FootageError(f'{path} holds several sequences of pictures; please choose one of '
                           f'{", ".join(sorted(pictures))} by --image-topic.')
    array, = pictures.values()
    return [picture.copy for picture in array.astype(np.uint8)]


def _numbers(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All but those of Python objects, which could run code and are not read."""
    found = {}
    for key in arrays:
        with contextlib.suppress(ValueError):
            found[key] = arrays[key]
    return found


def _are_pictures(array: np.ndarray) -> bool:
    return bool(array.ndim == 4 and array.shape[-1] == 3 and array.size
                and np.issubdtype(array.dtype, np.integer)
                and array.min() >= 0 and array.max() <= 255)
