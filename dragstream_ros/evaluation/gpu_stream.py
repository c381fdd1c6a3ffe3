"""Times whole streams on a GPU, as the predictor runs them, from the first frame on."""
from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.evaluation.gpu_clock import finish, peak_bytes, reset_peak
from dragstream_ros.evaluation.gpu_parts import camera_frame, long_drag
from dragstream_ros.evaluation.metrics import percentiles
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel

PHASES = 100        # of a chunk, at which a drag may come


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """One free-running stream.

    chunk_secs: median, frames on the host.  first_frame_secs: from a stream's first camera frame to
    its first predicted one, when all is warm.  drag_secs: from a drag, at any time of the chunk in
    hand, to the first frame that obeys: median and 95th percentile; None where nothing is dragged.
    """

    frames_per_sec: float
    chunk_secs: float
    first_frame_secs: float
    drag_secs: dict[str, float] | None
    peak_bytes: int | None
    context_bytes: int


def time_stream(model: SelfForcingWorldModel, *, guided: bool, chunks: int) -> Streamed:
    """Run into a full window, then time; guided: every chunk follows a drag."""
    device = model.wan.prompt.device
    first = _first_frame_secs(model)
    stream = DragStream(model, config=StreamConfig(mode='free_running', control='guidance'))
    stream.reset(camera_frame(model)[None], [0])
    fill = -(-model.config.past_latents // model.config.latents_per_chunk) + 1
    for _ in range(fill):
        stream.step()
    free = [_step_secs(stream) for _ in range(max(2, chunks // 2))]
    reset_peak(device)
    if guided:
        period = model.frame_period_secs * model.frames_per_chunk
        stream.push_drag(long_drag(model.image_size, (chunks + 2) * period))
        stream.step()
        stream.push_drag(long_drag(model.image_size, (chunks + 2) * period))
    secs = [_step_secs(stream) for _ in range(chunks)]
    chunk = float(np.median(secs))
    return Streamed(
        frames_per_sec=model.frames_per_chunk / chunk, chunk_secs=chunk, first_frame_secs=first,
        drag_secs=_drag_secs(float(np.median(free)), secs[0]) if guided else None,
        peak_bytes=peak_bytes(device), context_bytes=stream.context_bytes)


def _drag_secs(free: float, dragged: float) -> dict[str, float]:
    """A drag waits for the rest of the chunk in hand, then for its own; all phases alike."""
    return percentiles([dragged + free * phase for phase in (np.arange(PHASES) + 0.5) / PHASES])


def _first_frame_secs(model: SelfForcingWorldModel) -> float:
    secs = 0.0
    for _ in range(2):      # the first time is for warming up
        stream = DragStream(model, config=StreamConfig(mode='free_running', control='guidance'))
        started = time.perf_counter()
        stream.reset(camera_frame(model)[None], [0])
        stream.step()
        finish(model.wan.prompt.device)
        secs = time.perf_counter() - started
    return secs


def _step_secs(stream: Any) -> float:
    started = time.perf_counter()
    stream.step()           # its frames are on the host, so all is done
    return time.perf_counter() - started
