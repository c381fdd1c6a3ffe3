"""How fast it predicts: predicted seconds per second, and where the time goes.

The stream is fed as the worker feeds it, every frame of a 30 Hz camera, but without waiting for the
camera: what is counted is the time it is busy, with the real frames' encoding and the decoding.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.stream import DragStream, PredictedChunk, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.metrics import percentiles
from dragstream_ros.evaluation.table_film import camera_frames
from dragstream_ros.lanes import inference_lanes, open_inference_lanes
from dragstream_ros.masks.touched_region import touched_region

PARTS = ('encode', 'condition', 'denoise', 'guide', 'commit', 'decode')
DRAG_PX = 20.0


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """predictions: how many of horizon_secs are timed, after warm_up that are not."""

    predictions: int = 60
    warm_up: int = 3
    camera_rate_hz: float = 30.0
    anchor_rate_hz: float = 2.0
    horizon_secs: float = 1.0
    profile: str = 'fast'


SYSTEMS: dict[str, Literal['conditioned', 'guidance'] | None] = {
    'undragged': None, 'conditioned': 'conditioned', 'guidance': 'guidance'}
FREE_RUN = 'free-running, one thread'


def run_speed(world_model: WorldModel, config: SpeedConfig) -> dict[str, Any]:
    """Time all systems on the calling thread's share of the machine; plain data for JSON.

    And a stream that lives on its own frames, on one thread.
    """
    found = {name: time_system(world_model, control, config) for name, control in SYSTEMS.items()}
    lanes = inference_lanes().count
    open_inference_lanes(1)
    try:
        return {**found, FREE_RUN: time_free_run(world_model, config)}
    finally:
        open_inference_lanes(lanes)


def time_system(
        world_model: WorldModel, control: Literal['conditioned', 'guidance'] | None,
        config: SpeedConfig) -> dict[str, Any]:
    """Time one; every prediction of a dragged one follows the drag over its whole horizon.

    predicted_secs_per_sec counts the horizon only, not the frames that a last chunk has beyond it.
    The same by the processor's time leaves out what other processes took. ms_per_prediction: of one
    horizon, all its chunks and the real frames since the one before.
    """
    stream = DragStream(
        world_model, world_model.profiles[config.profile],
        StreamConfig(control=control or 'conditioned', anchor_rate_hz=config.anchor_rate_hz,
                     horizon_secs=config.horizon_secs), grow=touched_region)
    times = _Times(config)
    for frame, stamp_ns in camera_frames(world_model.image_size, rate_hz=config.camera_rate_hz):
        started = time.perf_counter()
        stream.observe(frame, stamp_ns)
        times.add(time.perf_counter() - started)
        if control and stamp_ns == 0:
            stream.push_drag(drag_to_the_right(world_model.image_size, config.horizon_secs))
        started = time.perf_counter()
        while (chunk := stream.step()) is not None:
            now = time.perf_counter()
            times.add_chunk(now - started, chunk)
            started = now
            if chunk.last:
                times.end_prediction()
        if times.is_complete:
            return times.result()
    raise AssertionError('a camera never ends')


def time_free_run(world_model: WorldModel, config: SpeedConfig) -> dict[str, Any]:
    """Time a stream that is shown one picture; as many chunks as fill a horizon are a prediction.

    All of their frames count.
    """
    stream = DragStream(world_model, config=StreamConfig(mode='free_running'))
    stream.observe(*next(camera_frames(world_model.image_size, rate_hz=config.camera_rate_hz)))
    chunk_secs = world_model.frames_per_chunk * world_model.frame_period_secs
    chunks = math.ceil(config.horizon_secs / chunk_secs - 1e-6)
    times = _Times(replace(config, horizon_secs=chunks * chunk_secs))
    while not times.is_complete:
        for _ in range(chunks):
            started = time.perf_counter()
            chunk = stream.step()
            assert chunk is not None
            times.add_chunk(time.perf_counter() - started, chunk)
        times.end_prediction()
    return times.result()


class _Times:
    """Adds up what predictions take."""

    def __init__(self, config: SpeedConfig) -> None:
        self._config = config
        self._parts: dict[str, list[float]] = {name: [] for name in (*PARTS, 'total')}
        self._sums = dict.fromkeys(self._parts, 0.0)
        self._chunk_ms: list[float] = []
        self._cpu_secs: list[float] = []
        self._cpu_before = time.process_time()

    def add(self, secs: float) -> None:
        self._sums['total'] += secs

    def add_chunk(self, secs: float, chunk: PredictedChunk) -> None:
        self.add(secs)
        self._chunk_ms.append(1e3 * secs)
        for name in PARTS:
            self._sums[name] += chunk.timings_secs.get(name, 0.0)

    def end_prediction(self) -> None:
        cpu_now = time.process_time()
        self._cpu_secs.append(cpu_now - self._cpu_before)
        self._cpu_before = cpu_now
        for name, value in self._sums.items():
            self._parts[name].append(1e3 * value)
        self._sums = dict.fromkeys(self._parts, 0.0)

    @property
    def is_complete(self) -> bool:
        return len(self._cpu_secs) >= self._config.warm_up + self._config.predictions

    def result(self) -> dict[str, Any]:
        config = self._config
        parts = {name: values[config.warm_up:] for name, values in self._parts.items()}
        chunk_ms = self._chunk_ms[
            config.warm_up * (len(self._chunk_ms) // len(self._cpu_secs)):]
        predicted_secs = config.horizon_secs * config.predictions
        return {
            'predicted_secs_per_sec': predicted_secs / (sum(parts['total']) / 1e3),
            'predicted_secs_per_cpu_sec': predicted_secs / sum(self._cpu_secs[config.warm_up:]),
            'ms_per_prediction': {name: percentiles(values) for name, values in parts.items()},
            'ms_per_chunk': percentiles(chunk_ms)}


def drag_to_the_right(image_size: tuple[int, int], duration_secs: float) -> DragCommand:
    """A drag of the picture's middle."""
    middle = np.array(image_size, np.float64) / 2
    return DragCommand(
        drag_id='bench', operator_id='bench', mode=DragMode.ANIMATE,
        handles=(DragHandle(path_px=np.stack([middle, middle + (DRAG_PX, 0)])),),
        image_size=image_size, stamp_ns=0, duration_secs=duration_secs)
