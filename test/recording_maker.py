"""Makes the messages of a small run by hand: a square that moves over a dark picture."""

from __future__ import annotations

import cv2
import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.evaluation.recording import Recording
from dragstream_ros.msg import Drag, DragHandle, HandleTrack, PredictedClip, PredictionInfo

CAMERA_SIZE = (64, 48)
CLIP_SIZE = (32, 24)
PERIOD_SECS = 0.1
LATENCY_SECS = 0.05


def ns(secs: float) -> int:
    return round(secs * 1e9)


def header(secs: float) -> Header:
    return Header(stamp=stamp_from_ns(ns(secs)), frame_id='camera')


def picture(secs: float, size: tuple[int, int] = CAMERA_SIZE) -> np.ndarray:
    """Dark blotches, and a white square that moves right by a tenth of the width per second."""
    width, height = size
    blotches = np.random.default_rng(0).integers(30, 130, (12, 16), np.uint8)
    frame = np.repeat(cv2.resize(blotches, size)[:, :, None], 3, axis=2)
    left = round(width * (0.1 + 0.1 * secs))
    frame[height // 2:height // 2 + height // 8, left:left + width // 8] = 255
    return frame


def image(secs: float) -> Image:
    return image_from_array(picture(secs), header(secs))


def drag(drag_id: str, secs: float, *points: tuple[float, float], phase: int = Drag.BEGIN) -> Drag:
    return Drag(
        header=header(secs), image_width=CAMERA_SIZE[0], image_height=CAMERA_SIZE[1],
        drag_id=drag_id, phase=phase,
        handles=[DragHandle(path=[Point(x=float(x), y=float(y)) for x, y in points])]
        if points else [])


def clip(
    source_secs: float, *, anchor: int, chunk: int, epoch: int = 0, drag_id: str = '',
    last_chunk: int = 2,
) -> PredictedClip:
    """Four frames, of which the last chunk's reach 1.2 s."""
    offsets = PERIOD_SECS * (4 * chunk + 1 + np.arange(4))
    tracks = [HandleTrack(positions=[Point(x=10.0 * t, y=5.0) for t in offsets])]
    return PredictedClip(
        header=header(source_secs), epoch=epoch, anchor=anchor, chunk=chunk,
        last=chunk == last_chunk, drag_id=drag_id, offsets_secs=[float(t) for t in offsets],
        confidence=[1.0] * 4,
        frames=[image_from_array(picture(source_secs + t, CLIP_SIZE), header(source_secs))
                for t in offsets],
        tracks=tracks if drag_id else [])


def add_prediction(recording: Recording, source_secs: float, *, anchor: int, **fields) -> None:
    """All three chunks, one latency after another."""
    for chunk in range(3):
        arrival_secs = source_secs + (chunk + 1) * LATENCY_SECS
        recording.add_clip(
            clip(source_secs, anchor=anchor, chunk=chunk, **fields), ns(arrival_secs))
        info = PredictionInfo(
            header=header(source_secs), anchor=anchor, index=4 * chunk, latency_secs=LATENCY_SECS)
        recording.add_info(info, ns(arrival_secs))


def make_recording(*, secs: float = 6.0) -> Recording:
    """A camera at 10 Hz; undragged at 0 s; 'short', 'long' and 'longer' dragged at 1, 2 and 3 s."""
    recording = Recording()
    recording.begin_section('conditioned')
    for number in range(round(secs / PERIOD_SECS)):
        recording.add_image(image(number * PERIOD_SECS), ns(number * PERIOD_SECS))
    add_prediction(recording, 0.0, anchor=0)
    ends = {'short': 15.0, 'long': 30.0, 'longer': 40.0}
    for number, (drag_id, x) in enumerate(ends.items(), start=1):
        secs = float(number)
        recording.add_drag(drag(drag_id, secs, (10.0, 24.0), (x, 24.0)), ns(secs + 0.01))
        add_prediction(recording, secs, anchor=number, drag_id=drag_id)
        recording.add_drag(drag(drag_id, secs, phase=Drag.END), ns(secs + 0.9))
    return recording
