"""What was predicted, and what went wrong, as messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import HandleTrack, PredictedClip, PredictionInfo

if TYPE_CHECKING:
    from dragstream_ros.worker.protocol import Chunk


def header_of(chunk: Chunk, frame_id: str) -> Header:
    """Return the header of all that is published of a chunk: the newest real frame's stamp."""
    return Header(stamp=stamp_from_ns(chunk.source_stamp_ns), frame_id=frame_id)


def clip_from_chunk(
    chunk: Chunk, *, camera_info: CameraInfo, handle_names: Sequence[str] = ()
) -> PredictedClip:
    """Make the clip of one chunk.

    :param camera_info: for frames of this size; its header names the camera's frame
    :param handle_names: of the drag's handles; missing ones stay empty
    """
    header = header_of(chunk, camera_info.header.frame_id)
    names = [*handle_names, *[''] * len(chunk.tracks_px)]
    return PredictedClip(
        header=header,
        epoch=chunk.epoch,
        anchor=chunk.anchor,
        chunk=chunk.chunk_index,
        last=bool(chunk.last),
        drag_id=chunk.drag_id,
        offsets_secs=_floats(chunk.offsets_secs),
        confidence=_floats(chunk.confidence),
        frames=[image_from_array(frame, header) for frame in chunk.frames],
        camera_info=camera_info,
        tracks=[
            HandleTrack(name=name, positions=[Point(x=float(x), y=float(y)) for x, y in track])
            for name, track in zip(names, chunk.tracks_px, strict=False)
        ],
    )


def info_from_chunk(
    chunk: Chunk, index: int, *, frame_id: str, latency_secs: float, late: bool
) -> PredictionInfo:
    """Describe frame ``index`` of a chunk, counted within the chunk.

    :param latency_secs: from the source frame's arrival in the node to publication
    :param late: it is published after the moment it predicts
    """
    return PredictionInfo(
        header=header_of(chunk, frame_id),
        epoch=chunk.epoch,
        anchor=chunk.anchor,
        chunk=chunk.chunk_index,
        index=chunk.chunk_index * len(chunk.frames) + index,  # a model's chunks are of one length
        offset_secs=float(chunk.offsets_secs[index]),
        drag_id=chunk.drag_id,
        latency_secs=float(latency_secs),
        drift=float(chunk.drift),
        confidence=float(chunk.confidence[index]),
        late=bool(late),
        code=int(ErrorCode.OK),
    )


def info_from_error(error: DragStreamError, *, header: Header, drag_id: str = '') -> PredictionInfo:
    """Say what is wrong; header is that of the input in question, drag_id the drag if it is one."""
    return PredictionInfo(
        header=header, drag_id=drag_id, code=int(error.code), message=error.sentence
    )


def _floats(values: np.ndarray) -> list[float]:
    return [float(value) for value in values]
