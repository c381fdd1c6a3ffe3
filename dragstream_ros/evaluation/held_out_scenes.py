"""Held-out pieces of the simulated world: a second to see, and what happens in the two after it.

The list is a function of the seeds alone. Training stops short of FIRST_SEED, so no model has seen
these scenes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.evaluation.drag_case import FRAME_RATE_HZ, NS, PALM_POINT
from dragstream_ros.evaluation.drag_cases import FIRST_SEED
from dragstream_ros.simulation.episode import Episode, generate_episode


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Which scenes: a seed each, one after the other; times in s."""

    scenes: int = 30
    first_seed: int = FIRST_SEED
    past_secs: float = 1.0
    future_secs: float = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What a predictor is shown of one scene, and what really happens next.

    past: (P, H, W, 3) uint8 RGB; future: (F, H, W, 3). masks: (1 + F, H, W) uint8 from the last
    frame of the past on, 0 for the table and else a thing's label; objects: the labels of objects,
    sliding: of those that go their way by themselves, which nothing in the picture foretells.
    palms_px: (n, 1 + F, 2), where the palms go of those grippers that show theirs in the last frame
    of the past.
    """

    seed: int
    past: np.ndarray
    future: np.ndarray
    masks: np.ndarray
    objects: tuple[int, ...]
    sliding: tuple[int, ...]
    palms_px: np.ndarray

    def stamps_ns(self) -> list[int]:
        """Stamps of the past."""
        return [round(index / FRAME_RATE_HZ * NS) for index in range(len(self.past))]

    def command(self) -> DragCommand | None:
        """A handle at each palm, and its true way to the end; None where no palm is to be seen."""
        if not len(self.palms_px):
            return None
        times_secs = np.arange(self.palms_px.shape[1]) / FRAME_RATE_HZ
        return DragCommand(
            drag_id=str(self.seed), operator_id='bench', mode=DragMode.ANIMATE,
            handles=tuple(DragHandle(path_px=path.astype(np.float64), times_secs=times_secs)
                          for path in self.palms_px),
            image_size=(self.past.shape[2], self.past.shape[1]), stamp_ns=self.stamps_ns()[-1],
            duration_secs=float(times_secs[-1]))


def make_scenes(config: SceneConfig = SceneConfig()) -> Iterator[Scene]:
    """Simulate the scenes, one at a time. Raises NoGraphics where nothing can be rendered."""
    for seed in range(config.first_seed, config.first_seed + config.scenes):
        episode = generate_episode(
            seed, secs=config.past_secs + config.future_secs, frame_rate_hz=FRAME_RATE_HZ)
        last = round(config.past_secs * FRAME_RATE_HZ) - 1
        yield Scene(
            seed=seed, past=episode.frames[:last + 1], future=episode.frames[last + 1:],
            masks=episode.masks[last:],
            objects=tuple(number + 1 for number, thing in enumerate(episode.things)
                          if thing.kind == 'object'),
            sliding=tuple(number + 1 for number in episode.sliding),
            palms_px=episode.points_px[last:, _palms(episode, last)].swapaxes(0, 1))


def frame_index(secs: float) -> int:
    """The frame of a future that is so long after the last one of the past."""
    return round(secs * FRAME_RATE_HZ) - 1


def _palms(episode: Episode, index: int) -> list[int]:
    """The points that are a palm, and seen in a frame."""
    grippers = [thing for thing, described in enumerate(episode.things)
                if described.kind == 'gripper']
    palms = [int(np.flatnonzero(episode.point_thing == thing)[PALM_POINT]) for thing in grippers]
    return [palm for palm in palms if episode.point_visible[index, palm]]
