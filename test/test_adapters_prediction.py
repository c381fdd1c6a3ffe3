from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dragstream_ros.adapters.image import array_from_image
from dragstream_ros.adapters.prediction import (
    clip_from_chunk,
    info_from_chunk,
    info_from_error,
)
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PredictedClip, PredictionInfo

STAMP_NS = 12_000_000_005


def chunk(number=0, *, n_handles=2, last=False):
    times = np.arange(4) + 4 * number
    return SimpleNamespace(
        frames=np.full((4, 96, 128, 3), 10 * number, np.uint8) + np.uint8(1),
        offsets_secs=0.1 * (times + 1.0),
        confidence=np.linspace(1.0, 0.7, 4, dtype=np.float32),
        tracks_px=np.arange(n_handles * 8.0).reshape(n_handles, 4, 2) + 100 * number,
        source_stamp_ns=STAMP_NS, epoch=2, anchor=5, chunk_index=number, last=last,
        drag_id='d1', drift=0.25,
    )


def clip(number=0, **kwargs):
    info = CameraInfo(header=Header(frame_id='camera'), width=128, height=96)
    return clip_from_chunk(chunk(number, **kwargs), camera_info=info, handle_names=['cup'])


def test_a_clip_carries_frames_times_and_tracks_of_its_chunk():
    message = deserialize_message(serialize_message(clip(1, last=True)), PredictedClip)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (12, 5)
    assert message.header.frame_id == 'camera'
    assert (message.epoch, message.anchor, message.chunk, message.last) == (2, 5, 1, True)
    assert message.offsets_secs == pytest.approx([0.5, 0.6, 0.7, 0.8])
    assert message.confidence == pytest.approx([1.0, 0.9, 0.8, 0.7])
    assert [array_from_image(frame).shape for frame in message.frames] == [(96, 128, 3)] * 4
    assert (array_from_image(message.frames[0]) == 11).all()
    assert all(frame.header == message.header for frame in message.frames)
    assert [track.name for track in message.tracks] == ['cup', '']
    assert (message.tracks[1].positions[3].x, message.tracks[1].positions[3].y) == (114.0, 115.0)


def test_an_undragged_clip_has_no_tracks():
    assert clip(0, n_handles=0).tracks == []


def test_info_counts_frames_within_the_anchor():
    info = info_from_chunk(chunk(2), 3, frame_id='camera', latency_secs=0.15, late=True)
    assert (info.epoch, info.anchor, info.chunk, info.index) == (2, 5, 2, 11)
    assert info.offset_secs == pytest.approx(1.2) and info.confidence == pytest.approx(0.7)
    assert info.latency_secs == pytest.approx(0.15) and info.drift == pytest.approx(0.25)
    assert info.late and info.drag_id == 'd1' and info.code == PredictionInfo.OK
    assert info.header.stamp.sec == 12 and info.message == ''


def test_an_error_is_told_with_code_sentence_and_drag():
    error = DragStreamError(ErrorCode.DRAG_STALE, 'The drag is too old.')
    info = info_from_error(error, header=Header(frame_id='camera'), drag_id='d9')
    assert (info.code, info.message) == (PredictionInfo.DRAG_STALE, 'The drag is too old.')
    assert (info.drag_id, info.header.frame_id) == ('d9', 'camera')
