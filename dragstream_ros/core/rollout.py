"""One chunk of a prediction: denoise, guide if dragged so, commit, decode.

A rollout is a value: where a prediction stands.  Predicting a chunk returns the rollout after it
and leaves the one before valid, so a chunk can be redone (an edit) or a future dropped at no cost.
"""
from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from dragstream_ros.core.distribution_rectification import rectify_x0
from dragstream_ros.core.drag import DragCommand, position_at, resize_points
from dragstream_ros.core.drag_guidance import DragGuidance, Reference
from dragstream_ros.core.drag_maps import drag_maps
from dragstream_ros.core.held import Held
from dragstream_ros.core.world_model import Conditions, WorldModel

# How a drag acts: the model is told of it by maps, its latent is optimised, or both.
Control = Literal['conditioned', 'guidance', 'refined']


@dataclass(frozen=True)
class Rollout:
    """Where a prediction stands.

    context: of all frames so far, predicted ones included; frame: (H, W, 3) uint8, the last.
    anchor_latents: (n, C, h, w), the newest real frames, which drift is measured from.
    neighbours: the clean chunks just before, real ones included.
    command: the drag, from stamp_ns on; grabbed: (H, W, 3) uint8, the frame of that time;
        reference: the frames before it, where it is guided.
    newest: the newest predicted chunk, as an edit needs it.
    """

    context: Any
    frame: np.ndarray
    anchor_latents: torch.Tensor
    source_stamp_ns: int
    neighbours: tuple[torch.Tensor, ...]
    chunk_index: int = 0
    command: DragCommand | None = None
    grabbed: np.ndarray | None = None
    reference: Reference | None = None
    newest: Reference | None = None
    drag_id: str = ''


@dataclass
class Stopwatch:
    """Adds up where a step's time went, in s."""

    secs: dict[str, float] = field(default_factory=dict)

    def lap(self, name: str, since: float) -> float:
        now = time.perf_counter()
        self.secs[name] = self.secs.get(name, 0.0) + now - since
        return now


@dataclass(frozen=True)
class ChunkResult:
    """A predicted chunk: frames (T, H, W, 3) uint8, x0 (F, C, h, w), tracks_px (n, T, 2)."""

    rollout: Rollout
    frames: np.ndarray
    x0: torch.Tensor
    tracks_px: np.ndarray


class ChunkPredictor:
    """Predicts chunks with one world model, following drags by its maps, by guidance or by both.

    A model that was not trained with maps is always guided.

    holds: the first guess has what is held in its place.
    """

    def __init__(self, world_model: WorldModel, guidance: DragGuidance, *, control: Control,
                 seed: int) -> None:
        self.world_model = world_model
        self.guidance = guidance
        self.guided = control != 'conditioned' or not world_model.follows_maps
        self.holds = not self.guided or guidance.config.start_from_held
        self.told = control != 'guidance' and world_model.follows_maps
        self._seed = seed

    def predict(self, rollout: Rollout, command: DragCommand | None, times_secs: np.ndarray,
                stopwatch: Stopwatch, *, is_last: bool) -> ChunkResult:
        """Predict the rollout's next chunk.

        times_secs: (T + 1,) after the drag's start, of the last known frame and of the chunk's.
        is_last: no chunk will follow, so this one need not be remembered.
        """
        model = self.world_model
        tracks = _tracks(command, times_secs)
        now = time.perf_counter()
        with torch.no_grad():
            held = self._held(rollout, command, times_secs)
            conditions = model.condition(
                rollout.context, rollout.frame, self._maps(command, tracks), held,
                settle=command is None or held is not None)
            now = stopwatch.lap('condition', now)
            x0, noisy = self._denoise(rollout, conditions, command, times_secs, stopwatch)
            now = stopwatch.lap('denoise', now + stopwatch.secs.get('guide', 0.0))
            x0, decoded, context = model.finish(x0, conditions)
            now = stopwatch.lap('decode', now)
            if not is_last:
                context = model.commit(x0, context)
            now = stopwatch.lap('commit', now)
            frames = np.asarray(decoded)     # on a GPU they may be decoded meanwhile
            stopwatch.lap('decode', now)
        kept = self.guidance.config.rectification.neighbour_chunks
        done = replace(rollout, context=context, frame=frames[-1],
                       chunk_index=rollout.chunk_index + 1,
                       newest=Reference(noisy, x0, conditions),
                       neighbours=(*rollout.neighbours, x0)[-kept:])
        return ChunkResult(done, frames, x0, tracks[:, 1:])

    def reference(self, latents: torch.Tensor, context: Any, frame: np.ndarray) -> Reference:
        """Real frames (F, C, h, w) as a chunk, noised as a prediction is at the guided step.

        context, frame: what was known before them, and the frame (H, W, 3) before them.
        """
        step = self.guidance.config.guided_step
        sigma = self.world_model.sigmas[step]
        noisy = (1 - sigma) * latents + sigma * self._noises(0, latents)[step]
        return Reference(noisy, latents,
                         self.world_model.condition(context, frame, guess=latents))

    def _denoise(self, rollout: Rollout, conditions: Conditions, command: DragCommand | None,
                 times_secs: np.ndarray, stopwatch: Stopwatch,
                 ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the clean chunk, and the noisy one as it entered the guided step."""
        model, config = self.world_model, self.guidance.config
        x0 = noisy = conditions.guess
        noises, neighbours = self._noises(rollout.chunk_index, x0), torch.cat(rollout.neighbours)
        for step, sigma in enumerate(model.sigmas):
            z = (1 - sigma) * x0 + sigma * noises[step]
            if step == config.guided_step:
                if command is not None and self.guided:
                    assert rollout.reference is not None
                    started = time.perf_counter()
                    z = self.guidance.optimise(
                        z, conditions, rollout.reference, command, self._per_latent(times_secs),
                        neighbours=neighbours, seed=self._chunk_seed(rollout.chunk_index))
                    stopwatch.lap('guide', started)
                noisy = z
            estimate = model.denoise(z, step, conditions).x0
            assert estimate is not None
            x0 = rectify_x0(estimate, neighbours) if config.rectification.x0 else estimate
        return x0, noisy

    def _maps(self, command: DragCommand | None, tracks: np.ndarray) -> torch.Tensor | None:
        if command is None or not self.told:
            return None
        model = self.world_model
        _, h, w = model.latent_shape
        tracks = tracks[:, ::model.frames_per_latent]
        cells = torch.from_numpy(resize_points(tracks, model.image_size, (w, h))).float()
        return drag_maps(cells[:, 0], cells[:, 1:], (h, w))

    def _held(self, rollout: Rollout, command: DragCommand | None,
              times_secs: np.ndarray) -> Held | None:
        if command is None or not self.holds:
            return None
        assert rollout.grabbed is not None
        return Held.of(command, rollout.grabbed, self._per_latent(times_secs))

    def _per_latent(self, times_secs: np.ndarray) -> np.ndarray:
        """Of the last known frame, and of the last frame of each latent."""
        return times_secs[::self.world_model.frames_per_latent]

    def _noises(self, chunk_index: int, like: torch.Tensor) -> list[torch.Tensor]:
        """The noise of each denoise step: the same for the same chunk of every anchor.

        So neighbouring predictions differ by what the camera saw, not by the dice.
        """
        generator = torch.Generator().manual_seed(self._chunk_seed(chunk_index))
        return [torch.randn(like.shape, generator=generator).to(like.device)
                for _ in self.world_model.sigmas]

    def _chunk_seed(self, chunk_index: int) -> int:
        return (self._seed * 1_000_003 + chunk_index) % 2 ** 63


def latent_drift(x0: torch.Tensor, anchor: torch.Tensor) -> float:
    """How far the mean and spread of each channel are from the real frames', in their units."""
    dims = (0, 2, 3)
    mean = (x0.mean(dims) - anchor.mean(dims)).abs().mean()
    spread = (x0.std(dims) / anchor.std(dims).clamp_min(1e-6)).log().abs().mean()
    return float(mean + spread)


def _tracks(command: DragCommand | None, times_secs: np.ndarray) -> np.ndarray:
    """(n, len(times), 2) px: where the handles are asked to be."""
    if command is None:
        return np.zeros((0, len(times_secs), 2))
    return np.array([[position_at(handle, float(t), command.duration_secs) for t in times_secs]
                     for handle in command.handles])
