"""Does a stream stay as fast and as small as it began? Slopes over many chunks."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.machine import resident_bytes
from dragstream_ros.evaluation.metrics import Estimate, slope_with_interval
from dragstream_ros.evaluation.speed import drag_to_the_right
from dragstream_ros.evaluation.table_film import camera_frames
from dragstream_ros.masks.touched_region import touched_region

WARM_UP_SHARE = 0.05    # of the chunks: caches fill, the allocator takes what it keeps


@dataclass(frozen=True, kw_only=True)
class FlatnessConfig:
    """chunks: of the free-running and the anchored stream; guidance, slow, gets guided_chunks."""

    chunks: int = 1000
    guided_chunks: int = 200
    camera_rate_hz: float = 10.0
    profile: str = 'fast'


def run_flatness(world_model: WorldModel, config: FlatnessConfig) -> dict[str, Any]:
    """Run the streams one after the other; plain data for JSON."""
    streams = {
        'free_running': (StreamConfig(mode='free_running'), config.chunks),
        'anchored': (StreamConfig(mode='anchored'), config.chunks),
        'anchored_guidance': (
            StreamConfig(mode='anchored', control='guidance'), config.guided_chunks)}
    return {name: measure_stream(world_model, stream, chunks, config)
            for name, (stream, chunks) in streams.items()}


def measure_stream(
        world_model: WorldModel, stream_config: StreamConfig, chunks: int,
        config: FlatnessConfig) -> dict[str, Any]:
    """Predict so many chunks; anchored, every one is dragged, and a camera frame is due or not.

    The cost of an anchored chunk is a share of its prediction's: the first of a prediction also
    pays for the real frames before it.
    """
    stream = DragStream(world_model, world_model.profiles[config.profile], stream_config,
                        grow=touched_region)
    is_anchored = stream_config.mode == 'anchored'
    chunk_secs: list[float] = []
    resident: list[float] = []
    waiting = 0         # chunks of the prediction that is not finished
    first_bytes = 0
    started = time.perf_counter()
    for frame, stamp_ns in camera_frames(world_model.image_size, rate_hz=config.camera_rate_hz):
        if is_anchored or stamp_ns == 0:
            stream.observe(frame, stamp_ns)
        if is_anchored and stamp_ns == 0:
            stream.push_drag(drag_to_the_right(
                world_model.image_size, stream_config.horizon_secs))
        while len(chunk_secs) < chunks and (chunk := stream.step()) is not None:
            waiting += 1
            if not is_anchored or chunk.last:
                now = time.perf_counter()
                chunk_secs += waiting * [(now - started) / waiting]
                resident += waiting * [float(resident_bytes())]
                waiting, started = 0, now
                first_bytes = first_bytes or stream.context_bytes
        if len(chunk_secs) >= chunks:
            break
    skipped = round(WARM_UP_SHARE * chunks)
    secs, memory = chunk_secs[skipped:], resident[skipped:]
    return {
        'chunks': len(chunk_secs),
        'slope_us_per_chunk': asdict(_scaled(slope_with_interval(secs), 1e6)),
        'slope_resident_bytes_per_chunk': asdict(slope_with_interval(memory)),
        'mean_ms_per_chunk': 1e3 * sum(secs) / len(secs),
        'resident_mib': {'first': memory[0] / 2 ** 20, 'last': memory[-1] / 2 ** 20},
        'context_bytes': {'first': first_bytes, 'last': stream.context_bytes}}


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(*(factor * value for value in (estimate.value, estimate.low, estimate.high)))
