"""Footage by its path: a bag, a video, or a sequence of pictures."""

from __future__ import annotations

import hashlib
import pathlib

from dragstream_ros.evaluation.footage.bag_footage import BagFootage
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.sequence_footage import (
    ARRAY_SUFFIX,
    SequenceFootage,
    picture_files,
)
from dragstream_ros.evaluation.footage.shots import Footage
from dragstream_ros.evaluation.footage.video_footage import SUFFIXES, VideoFootage

BAG_SUFFIXES = ('.mcap', '.db3')
BLOCK_BYTES = 1 << 20


def open_footage(
    path: pathlib.Path, *, image_topic: str = '', video_rate_hz: float | None = None
) -> Footage:
    """Look into it; raises FootageError, or BagError for a bag."""
    if not path.exists():
        raise FootageError(f'There is no {path}.')
    if path.suffix == ARRAY_SUFFIX or _is_folder_of_pictures(path):
        return SequenceFootage(path, array=image_topic, rate_hz=video_rate_hz)
    if path.is_dir() or path.suffix in BAG_SUFFIXES:
        return BagFootage(path, image_topic=image_topic)
    if path.suffix.lower() in SUFFIXES:
        return VideoFootage(path, rate_hz=video_rate_hz)
    raise FootageError(
        f'{path} is neither a bag nor a video: please name a folder of a bag or of pictures, a '
        f'.mcap or .db3 file, a video ({", ".join(SUFFIXES)}) or an .npz file.')


def _is_folder_of_pictures(path: pathlib.Path) -> bool:
    """A bag may have pictures beside it."""
    if not path.is_dir() or (path / 'metadata.yaml').exists():
        return False
    is_bag = any(file.suffix in BAG_SUFFIXES for file in path.iterdir())
    return not is_bag and bool(picture_files(path))


def sha256_of(path: pathlib.Path) -> str:
    """Hash of a file, or of the names and contents of all files in a folder."""
    total = hashlib.sha256()
    files = [path] if path.is_file() else sorted(x for x in path.rglob('*') if x.is_file())
    for file in files:
        total.update(file.relative_to(path).as_posix().encode() + b'\0')
        with file.open('rb') as opened:
            while block := opened.read(BLOCK_BYTES):
                total.update(block)
    return total.hexdigest()
