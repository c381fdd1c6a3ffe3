"""The real frames that a prediction starts from: taken one by one, encoded, remembered."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dragstream_ros.core.drag_guidance import Reference
from dragstream_ros.core.rollout import ChunkPredictor, Stopwatch
from dragstream_ros.core.world_model import WorldModel


class RealPast:
    """context: of all frames that are encoded; frame: (H, W, 3) uint8, the last of them.

    stamp_ns: its stamp, taken_ns: that of the newest frame, which may still wait for the others of
    its latent frame; None: there is none. encode_secs: where the time of taking frames went.
    """

    def __init__(self, world_model: WorldModel) -> None:
        self._model = world_model
        self._past_of: Callable[[Any], Any] = getattr(
            world_model, 'past_of', lambda context: context)
        self.context = world_model.empty_context()
        self.frame: np.ndarray | None = None
        self.stamp_ns: int | None = None
        self.taken_ns: int | None = None
        self.encode_secs: dict[str, float] = {}
        self._waiting: list[np.ndarray] = []
        # The newest latents, each with the context and the frame before it (None: it was the
        # first): the reference of a drag.
        self._recent: deque[tuple[torch.Tensor, Any, np.ndarray | None]] = deque(
            maxlen=world_model.frames_per_chunk // world_model.frames_per_latent)

    def take(self, frame: np.ndarray, stamp_ns: int) -> None:
        """Add a frame (H, W, 3) uint8 RGB, a frame period after the last one."""
        self._waiting.append(frame)
        self.taken_ns = stamp_ns
        # The first latent frame of a stream is one frame alone.
        if self.stamp_ns is None or len(self._waiting) == self._model.frames_per_latent:
            self._remember()

    def copy(self) -> RealPast:
        """The same past, shared, to which other frames may be added."""
        twin = RealPast(self._model)
        twin.context, twin.frame = self.context, self.frame
        twin.stamp_ns, twin.taken_ns = self.stamp_ns, self.taken_ns
        twin._recent, twin._waiting = self._recent.copy(), self._waiting.copy()
        return twin

    def latents(self) -> torch.Tensor:
        """Those of the newest frames, (n, C, h, w), a chunk of them at most."""
        return torch.cat([latents for latents, _, _ in self._recent])[-(self._recent.maxlen or 1):]

    def reference(self, predictor: ChunkPredictor) -> Reference:
        """The newest frames as a chunk; the first is repeated where there are too few."""
        latents = self.latents()
        missing = (self._recent.maxlen or 1) - len(latents)
        _, context, frame = self._recent[0]
        if frame is None:       # nothing was before the first: put them after themselves
            context, frame = self.context, self.frame
        assert frame is not None
        return predictor.reference(
            torch.cat([latents[:1].expand(missing, -1, -1, -1), latents]), context, frame)

    def _remember(self) -> None:
        """Encode and commit the frames that waited for each other."""
        frames = np.stack(self._waiting)
        stopwatch = Stopwatch(self.encode_secs)
        now = time.perf_counter()
        latents, context = self._model.take(frames, self.context)
        now = stopwatch.lap('encode', now)
        self._recent.append((latents, self._past_of(self.context), self.frame))
        self.context, self.frame = self._model.commit(latents, context), frames[-1]
        stopwatch.lap('commit', now)
        self.stamp_ns, self._waiting = self.taken_ns, []
