"""Objects that slide, turn, bend and open by themselves, so that a model learns that they can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.motion import bezier, minimum_jerk, minimum_jerk_rate
from dragstream_ros.simulation.object_shape import Limb, ObjectShape
from dragstream_ros.simulation.placement import is_clear

STUCK_M = 0.05
"""An object that lags behind its path by more than this has met an obstacle and gives up."""
HAND_IS_LOW_M = 0.06


@dataclass(kw_only=True)
class Slide:
    """One object's way: a rest, then the cubic ``control`` (4, 2) with a turn; None: unplanned.

    ``bend``: its hinge's angle before and after; None where it is left alone.
    """

    index: int
    rest_secs: float
    control: np.ndarray | None = None
    yaw: tuple[float, float] = (0.0, 0.0)
    bend: tuple[float, float] | None = None
    elapsed: float = 0.0
    secs: float = 0.0

    def advance(self, dt_secs: float, poses: np.ndarray) -> np.ndarray:
        """(6,): wished x, y, yaw and their rates, after ``dt_secs`` more."""
        assert self.control is not None
        self.elapsed += dt_secs
        part = (self.elapsed - self.rest_secs) / self.secs
        share, rate = minimum_jerk(part), minimum_jerk_rate(part) / self.secs
        here = bezier(self.control, share)
        tangent = (bezier(self.control, min(share + 1e-3, 1.0)) - here) / 1e-3
        turn = self.yaw[1] - self.yaw[0]
        if part >= 1 or np.linalg.norm(poses[self.index, :2] - here) > STUCK_M:
            self.control = None
        return np.array([*here, self.yaw[0] + share * turn, *(rate * tangent), rate * turn])

    def bending(self) -> np.ndarray | None:
        """(2,): wished angle of the hinge and its rate, at the time of the last ``advance``."""
        if self.bend is None:
            return None
        part = (self.elapsed - self.rest_secs) / self.secs
        turn = self.bend[1] - self.bend[0]
        return np.array([self.bend[0] + minimum_jerk(part) * turn,
                         minimum_jerk_rate(part) / self.secs * turn])


class SlidePlanner:
    def __init__(
            self, rng: np.random.Generator, workspace: Workspace, shapes: Sequence[ObjectShape], *,
            hands: Sequence[Hand]) -> None:
        self._rng = rng
        self._space = workspace
        self._radii = [shape.radius for shape in shapes]
        self._limbs = [shape.limb for shape in shapes]
        self._hands = hands

    def plan(self, slide: Slide, poses: np.ndarray) -> None:
        """A curved way past everything else, or a turn on the spot where there is none."""
        start, yaw = poses[slide.index, :2].copy(), float(poses[slide.index, 3])
        slide.elapsed = 0.0
        slide.rest_secs = float(self._rng.choice([0.0, self._rng.uniform(0.2, 1.0)]))
        way = self._find_way(slide.index, poses) if self._rng.uniform() > 0.2 else None
        if way is None:
            turn = float(self._rng.choice([-1, 1]) * self._rng.uniform(0.4, 2.2))
            slide.control = np.stack([start] * 4)
            slide.secs = abs(turn) / self._rng.uniform(0.5, 1.4)
        else:
            slide.control, length = way
            turn = float(self._rng.choice([0.0, self._rng.uniform(-1.6, 1.6)], p=[0.3, 0.7]))
            speed_px = self._rng.uniform(10, 30)
            slide.secs = max(length / self._space.metres_per_px / speed_px, abs(turn) / 1.4)
        slide.yaw = (yaw, yaw + turn)
        limb = self._limbs[slide.index]
        if limb is not None:
            self._plan_bend(slide, limb, poses)

    def _plan_bend(self, slide: Slide, limb: Limb, poses: np.ndarray) -> None:
        """A lid mostly opens or closes where the object stands; a link bends on its way."""
        angle = float(poses[slide.index, 4])
        slide.bend = (angle, angle)
        if self._rng.uniform() < 0.25:
            return
        if limb.is_lid and self._rng.uniform() < 0.6:
            slide.control, slide.secs = np.stack([poses[slide.index, :2]] * 4), 0.3
            slide.yaw = (slide.yaw[0], slide.yaw[0])
        slide.bend = (angle, limb.next_angle(self._rng, angle))
        turn = abs(slide.bend[1] - angle)
        slide.secs = max(slide.secs, turn / self._rng.uniform(0.5, 1.1), 0.3)

    def _find_way(self, index: int, poses: np.ndarray) -> tuple[np.ndarray, float] | None:
        """A cubic's control points and its length in metres."""
        start = poses[index, :2].copy()
        for _ in range(15):
            end = self._space.random_point(self._rng)
            across = np.array([start[1] - end[1], end[0] - start[0]])
            bends = self._rng.uniform(-0.5, 0.5, 2)
            control = np.stack([
                start, start + (end - start) / 3 + bends[0] * across,
                end + (start - end) / 3 + bends[1] * across, end])
            line = np.stack([bezier(control, share) for share in np.linspace(0, 1, 9)])
            length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
            if 0.05 < length < 0.4 and self._passable(index, line, poses):
                return control, length
        return None

    def _passable(self, index: int, line: np.ndarray, poses: np.ndarray) -> bool:
        low = [place for hand in self._hands for place in (hand.pose, hand.goal)
               if place is not None and place[2] < HAND_IS_LOW_M]
        return all(
            self._space.contains(xy) and is_clear(xy, poses, self._radii, index, margin=0.0)
            and all(np.linalg.norm(place[:2] - xy) > self._radii[index] + 0.05 for place in low)
            for xy in line[1:])
