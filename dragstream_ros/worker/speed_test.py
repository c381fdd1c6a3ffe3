"""What a world model costs on this computer, by a timed pass when it is loaded.

A stream of its own is shown pictures until it remembers as much as it ever will; then a chunk is
timed, with and without a drag, as the live stream will predict it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.drag_guidance import DragGuidanceConfig
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel

NS = 1_000_000_000
LONGEST_SECS = 10.0     # after that no more is tried: what has been timed has to do
MOST_CHUNKS = 8         # of pictures, until the context is full
REPEATS = 2             # the faster one counts: the computer was busy with something else
FEW, MORE = 1, 3        # iterations of guidance, whose times tell what one costs


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds of computing.

    video_secs: how long a chunk's video is, which the others are for. camera_secs: for taking in as
    much of the camera. chunk_secs: for a chunk that nobody drags.
    """

    video_secs: float
    camera_secs: float
    chunk_secs: float

    def speed(self, drag_secs: float = 0.0) -> float:
        """Seconds of video that a second of computing makes, besides taking in the camera."""
        left = max(0.0, 1.0 - self.camera_secs / self.video_secs)
        return left * self.video_secs / (self.chunk_secs + drag_secs)


@dataclass(frozen=True, kw_only=True)
class DragCosts:
    """What a drag adds to a chunk, s: once, and with every iteration of guidance."""

    once_secs: float
    iteration_secs: float = 0.0

    def secs(self, iterations: int) -> float:
        """With so many iterations."""
        return self.once_secs + iterations * self.iteration_secs


class SpeedTest:
    """alive: called now and then, for a big model takes its time."""

    def __init__(
        self, world_model: WorldModel, alive: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = world_model
        self._alive = alive
        self._clock = clock
        self._deadline = clock() + LONGEST_SECS
        self._picture = np.random.default_rng(0).integers(
            0, 256, (*world_model.image_size[::-1], 3), np.uint8)
        self._n_seen = 0

    def costs(self) -> Costs:
        """Without a drag.

        :raises DragStreamError: OUT_OF_MEMORY
        """
        model = self._model
        video_secs = model.frames_per_chunk * model.frame_period_secs
        stream = DragStream(model)
        camera_secs = self._fill(stream)
        return Costs(
            video_secs=video_secs, camera_secs=camera_secs,
            chunk_secs=self._fastest(lambda: self._chunk_secs(stream)))

    def drag_costs(self, costs: Costs, profile: DragGuidanceConfig, *, guided: bool) -> DragCosts:
        """What a drag adds to these costs.

        :raises DragStreamError: OUT_OF_MEMORY
        """
        self._deadline = self._clock() + LONGEST_SECS

        def added_secs(iterations: int) -> float:
            stream = DragStream(
                self._model,
                replace(profile, iterations_per_segment=iterations, max_segments=1),
                StreamConfig(control='guidance' if guided else 'conditioned'))
            self._fill(stream)
            dragged = self._fastest(lambda: self._chunk_secs(stream, self._drag(stream)))
            return max(0.0, dragged - costs.chunk_secs)

        if not guided:
            return DragCosts(once_secs=added_secs(FEW))
        few, more = added_secs(FEW), added_secs(MORE)
        iteration_secs = max(0.0, more - few) / (MORE - FEW)
        return DragCosts(
            once_secs=max(0.0, few - FEW * iteration_secs), iteration_secs=iteration_secs)

    def _fill(self, stream: DragStream) -> float:
        """Show pictures until the context grows no more; the time for a chunk's length of them."""
        camera_secs, size = 0.0, -1
        for _ in range(MOST_CHUNKS):
            started = self._clock()
            for _ in range(self._model.frames_per_chunk):
                self._n_seen += 1
                stream.observe(
                    self._picture, round(self._n_seen * self._model.frame_period_secs * NS))
            camera_secs = self._clock() - started
            self._alive()
            if stream.context_bytes == size or self._is_late:
                break
            size = stream.context_bytes
        return camera_secs

    def _chunk_secs(self, stream: DragStream, command: DragCommand | None = None) -> float:
        """The first of two chunks, the one that is remembered for the next."""
        branch = stream.branch(2 * self._model.frames_per_chunk * self._model.frame_period_secs)
        if command is not None:
            branch.push_drag(command)
        started = self._clock()
        branch.step()
        secs = self._clock() - started
        self._alive()
        return secs

    def _drag(self, stream: DragStream) -> DragCommand:
        """The picture's middle, a quarter of it to the right."""
        width, height = self._model.image_size
        assert stream.stamp_ns is not None
        return DragCommand(
            drag_id='speed test', operator_id='', mode=DragMode.ANIMATE,
            image_size=self._model.image_size, stamp_ns=stream.stamp_ns,
            handles=(DragHandle(
                path_px=np.array([(width / 2, height / 2), (3 * width / 4, height / 2)]),
                radius_px=height / 10),),
            duration_secs=2 * self._model.frames_per_chunk * self._model.frame_period_secs)

    def _fastest(self, timed: Callable[[], float]) -> float:
        secs = timed()
        for _ in range(REPEATS - 1):
            if not self._is_late:
                secs = min(secs, timed())
        return secs

    @property
    def _is_late(self) -> bool:
        return self._clock() > self._deadline
