"""The scripted teleoperator of both hands, and of the objects that slide by themselves.

It knows nothing of MuJoCo: in go the objects' poses, out come the hands' poses, the poses of held
objects and the paths of sliding ones. A deep copy goes on exactly as the original would, which is
how the scene looks ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.object_shape import ObjectShape
from dragstream_ros.simulation.plan_space import HOVER_M, OPEN_M
from dragstream_ros.simulation.plans import HandPlanner
from dragstream_ros.simulation.slides import Slide, SlidePlanner

REACHES = ((0.0, 0.58), (0.42, 1.0))
"""Parts of the picture's width in which the left and the right hand work."""


@dataclass(kw_only=True)
class Commands:
    """One tick's wishes.

    ``hands``: (x, y, z, yaw, opening) of each; ``held``: object -> (x, y, z, yaw); ``slides``:
    object -> (x, y, yaw and their rates); ``bends``: object -> (its hinge's angle, its rate).
    """

    hands: tuple[np.ndarray, ...]
    held: dict[int, np.ndarray]
    slides: dict[int, np.ndarray]
    bends: dict[int, np.ndarray] = field(default_factory=dict)


class Teleoperator:
    def __init__(
            self, rng: np.random.Generator, workspace: Workspace,
            shapes: Sequence[ObjectShape]) -> None:
        sliding = rng.uniform() < 0.42
        count = int(rng.integers(1, 3)) if sliding else 0
        chosen = rng.choice(len(shapes), size=min(count, len(shapes)), replace=False)
        self._slides = [Slide(index=int(index), rest_secs=rng.uniform(0, 0.6)) for index in chosen]
        lively = rng.uniform(size=2) < (0.45 if sliding else 0.92)
        self._hands = [
            Hand(pose=_first_pose(rng, workspace, left), reach=reach, lively=bool(alive))
            for left, reach, alive in zip((True, False), REACHES, lively)]
        self._shapes = shapes
        self._metres_per_px = workspace.metres_per_px
        self._hand_planner = HandPlanner(
            rng, workspace, shapes, hands=self._hands,
            reserved={slide.index for slide in self._slides})
        self._slide_planner = SlidePlanner(rng, workspace, shapes, hands=self._hands)

    @property
    def sliding(self) -> tuple[int, ...]:
        """The objects that slide, turn, bend or open by themselves."""
        return tuple(slide.index for slide in self._slides)

    @property
    def hands(self) -> Sequence[Hand]:
        """Left and right."""
        return self._hands

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """Advance the script by one tick. ``poses`` (n, 5): the objects' x, y, z, yaw, hinge."""
        for hand in self._hands:
            if hand.idle:
                hand.queue = self._hand_planner.plan(hand, poses)
            hand.advance(dt_secs, poses, self._shapes, self._metres_per_px)
        slides, bends = {}, {}
        for slide in self._slides:
            if slide.control is None:
                self._slide_planner.plan(slide, poses)
            slides[slide.index] = slide.advance(dt_secs, poses)
            bending = slide.bending()
            if bending is not None:
                bends[slide.index] = bending
        bends |= {hand.swings: hand.bending for hand in self._hands if hand.bending is not None}
        held = {hand.held: hand.held_pose() for hand in self._hands}
        return Commands(
            hands=tuple(hand.pose for hand in self._hands), slides=slides, bends=bends,
            held={index: pose for index, pose in held.items()
                  if index is not None and pose is not None})


def _first_pose(rng: np.random.Generator, workspace: Workspace, left: bool) -> np.ndarray:
    low, high = (0.0, 0.3) if left else (0.7, 1.0)
    x, y = workspace.random_point(rng, left=low, right=high)
    return np.array([
        x, y, rng.uniform(0.8, 1.2) * HOVER_M, rng.uniform(-0.6, 0.6),
        rng.uniform(0.3, 1.0) * OPEN_M])
