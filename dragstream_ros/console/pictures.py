"""Pictures as pages get them: JPEGs, and the last seconds of them, by stamp."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.adapters.image import decode_compressed, encode_jpeg
from dragstream_ros.console.packets import pack
from dragstream_ros.worker.frame_intake import decode_frame
from dragstream_ros.worker.mailbox import RawFrame

KEPT_SECS = 3.0
NS = 1_000_000_000


@dataclass(frozen=True)
class Jpeg:
    """One picture that was shown; size is (width, height) px, frame_id that of its message."""

    data: bytes
    size: tuple[int, int]
    stamp_ns: int
    frame_id: str

    def pixels(self) -> np.ndarray:
        """The picture as (H, W, 3) uint8 RGB."""
        return decode_compressed(self.data)


@dataclass(frozen=True, eq=False)
class Clip:
    """One predicted chunk.

    frames: F of (H, W, 3) uint8 RGB; offsets_secs, confidence: F floats; tracks_px: per handle F
    points (x, y) of the frames; all else as in msg/PredictedClip.msg.
    """

    frames: Sequence[np.ndarray]
    offsets_secs: Sequence[float]
    confidence: Sequence[float]
    tracks_px: Sequence[Sequence[tuple[float, float]]]
    stamp_ns: int
    frame_id: str
    epoch: int
    anchor: int
    chunk: int
    is_last: bool
    drag_id: str


def camera_jpeg(raw: RawFrame, frame_id: str, *, quality: int) -> Jpeg:
    """Compress a camera message; a JPEG is handed on as it came.

    :raises DragStreamError: any IMAGE_* code of adapters/image.py
    """
    size = jpeg_size(raw.data) if raw.compressed else None
    if size is not None:
        return Jpeg(bytes(raw.data), size, raw.stamp_ns, frame_id)
    picture = decode_frame(raw)
    data = encode_jpeg(picture, quality=quality)
    return Jpeg(data, (picture.shape[1], picture.shape[0]), raw.stamp_ns, frame_id)


def camera_packet(jpeg: Jpeg) -> bytes:
    """The message to the pages that shows a camera picture."""
    return pack({
        'stream': 'camera', 'stamp_ns': str(jpeg.stamp_ns),
        'width': jpeg.size[0], 'height': jpeg.size[1]}, [jpeg.data])


def clip_packet(clip: Clip, *, quality: int) -> tuple[bytes, Jpeg]:
    """The message to the pages that shows a predicted chunk, and its last frame."""
    height, width = clip.frames[0].shape[:2]
    jpegs = [encode_jpeg(frame, quality=quality) for frame in clip.frames]
    header: dict[str, object] = {
        'stream': 'prediction', 'stamp_ns': str(clip.stamp_ns), 'width': width, 'height': height,
        'epoch': clip.epoch, 'anchor': clip.anchor, 'chunk': clip.chunk, 'is_last': clip.is_last,
        'drag_id': clip.drag_id, 'offsets_secs': [round(t, 4) for t in clip.offsets_secs],
        'confidence': [round(value, 3) for value in clip.confidence],
        'tracks': [[(round(x, 2), round(y, 2)) for x, y in track] for track in clip.tracks_px]}
    return pack(header, jpegs), Jpeg(jpegs[-1], (width, height), clip.stamp_ns, clip.frame_id)


def jpeg_size(data: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """(width, height) from the head of a JPEG file; None: it is something else."""
    if bytes(data[:2]) != b'\xff\xd8':
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], 'big')
        # Start of frame; C4, C8 and CC lie among its numbers and are something else.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[at + 5:at + 7], 'big')
            width = int.from_bytes(data[at + 7:at + 9], 'big')
            return (width, height) if width and height else None
        at += 2 + length
    return None


class Album:
    """The pictures of one stream of the last seconds, by their stamps."""

    def __init__(self, kept_secs: float = KEPT_SECS) -> None:
        """Start empty."""
        self._kept_ns = kept_secs * NS
        self._pictures: OrderedDict[int, Jpeg] = OrderedDict()

    def add(self, picture: Jpeg) -> None:
        """Keep a picture, and no longer those that are too old beside it, or from its future."""
        self._pictures[picture.stamp_ns] = picture
        for stamp_ns in list(self._pictures):
            if not 0 <= picture.stamp_ns - stamp_ns <= self._kept_ns:
                del self._pictures[stamp_ns]

    def find(self, stamp_ns: int) -> Jpeg | None:
        """The picture with exactly this stamp, if it is kept."""
        return self._pictures.get(stamp_ns)
