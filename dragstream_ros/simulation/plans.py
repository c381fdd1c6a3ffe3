"""What a hand does next: each plan is a random list of motions that fits what is on the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.hands import Hand, Segment
from dragstream_ros.simulation.placement import is_clear
from dragstream_ros.simulation.things import ObjectShape

HOVER_M = 0.085
"""Height of the fingertips above the table between tasks."""
OPEN_M = 0.105
LOW_M = 0.012

Plan = Callable[[Hand, np.ndarray], list[Segment]]


class HandPlanner:
    """Plans for all ``hands``, which keep off each other and off the ``reserved`` objects.

    ``poses`` (n, 4) are the objects' x, y, z, yaw wherever they are asked for. A plan that finds
    nothing to do is an empty list.
    """

    def __init__(
            self, rng: np.random.Generator, workspace: Workspace, shapes: Sequence[ObjectShape], *,
            hands: Sequence[Hand], reserved: set[int]) -> None:
        self._rng = rng
        self._space = workspace
        self._shapes = shapes
        self._radii = [shape.radius for shape in shapes]
        self._hands = hands
        self._reserved = reserved

    def plan(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        """The next motions of ``hand``, at least one."""
        hand.target = None
        plans: tuple[tuple[float, Plan], ...] = (
            (0.42, self._pick_and_place), (0.27, self._push), (0.11, self._near_miss),
            (0.09, self._wander), (0.06, self._idle))
        if not hand.lively:
            plans = ((0.8, self._idle), (0.2, self._wander))
        weights = np.array([weight for weight, _ in plans])
        chosen = self._rng.choice(len(plans), p=weights / weights.sum())
        segments = plans[chosen][1](hand, poses) or self._wander(hand, poses)
        if self._rng.uniform() < 0.3:
            segments = [*segments, Segment(secs=self._rng.uniform(0.2, 0.8))]
        return segments

    def _pick_and_place(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        index = self._take_object(hand, poses)
        place = None if index is None else self._free_place(hand, poses, index)
        if index is None or place is None:
            return []
        shape = self._shapes[index]
        wide = min(shape.grip_width + 0.03, OPEN_M)
        over = Segment(at_object=index, z=HOVER_M, opening=wide, speed_px=self._speed_px())
        grip_z = max(shape.height - 0.035, LOW_M)
        carry_z = grip_z + self._rng.uniform(0.055, 0.085)
        turn = self._rng.uniform(-0.9, 0.9)
        return [
            over, replace(over, z=grip_z),
            Segment(opening=shape.grip_width, secs=0.3, grasp=index),
            Segment(z=carry_z, speed_px=self._speed_px()),
            Segment(offset=place, yaw=turn, speed_px=self._speed_px()),
            Segment(z=grip_z, speed_px=self._speed_px()),
            Segment(opening=wide, secs=0.3, release=True),
            Segment(z=HOVER_M, speed_px=self._speed_px())]

    def _push(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        index = self._take_object(hand, poses)
        if index is None:
            return []
        place, gap = poses[index, :2], self._radii[index] + 0.028
        for _ in range(12):
            angle = self._rng.uniform(-np.pi, np.pi)
            along = np.array([np.cos(angle), np.sin(angle)])
            length = self._rng.uniform(0.07, 0.20)
            before, after = place - gap * along, place + length * along
            if (self._space.contains(before) and self._space.contains(after)
                    and is_clear(after, poses, self._radii, index, margin=0.02)
                    and is_clear(before, poses, self._radii, index, margin=-0.01)
                    and not self._crowded(hand, after)):
                break
        else:
            return []
        aside = self._rng.uniform(-0.012, 0.012) * np.array([-along[1], along[0]])
        start = Segment(
            offset=before + aside, z=HOVER_M, yaw=angle + np.pi / 2,
            opening=self._rng.choice([0.0, 0.02, 0.04]), speed_px=self._speed_px())
        return [
            start, replace(start, z=LOW_M),
            Segment(offset=after - gap * along + aside, speed_px=self._speed_px()),
            Segment(secs=self._rng.uniform(0.1, 0.5)),
            Segment(offset=after - (gap + 0.02) * along + aside, secs=0.3),
            Segment(z=HOVER_M, speed_px=self._speed_px())]

    def _near_miss(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        """Close the fingers right beside an object."""
        index = self._take_object(hand, poses)
        if index is None:
            return []
        angle = self._rng.uniform(-np.pi, np.pi)
        aside = (self._radii[index] + 0.04) * np.array([np.cos(angle), np.sin(angle)])
        if not is_clear(poses[index, :2] + aside, poses, self._radii, index, margin=0.02):
            return []
        over = Segment(
            at_object=index, offset=aside, z=HOVER_M, yaw=angle + np.pi / 2,
            opening=self._rng.uniform(0.3, 0.8) * OPEN_M, speed_px=self._speed_px())
        return [
            over, replace(over, z=LOW_M + self._rng.uniform(0.0, 0.03)),
            Segment(opening=0.005, secs=0.4), Segment(z=HOVER_M, speed_px=self._speed_px())]

    def _wander(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        segments = []
        for _ in range(self._rng.integers(1, 3)):
            place = self._space.random_point(self._rng, left=hand.reach[0], right=hand.reach[1])
            if self._crowded(hand, place):
                continue
            segments.append(Segment(
                offset=place, z=HOVER_M * self._rng.uniform(0.9, 1.4),
                yaw=self._rng.uniform(-0.9, 0.9), opening=self._rng.uniform(0.0, 1.0) * OPEN_M,
                speed_px=self._speed_px()))
        return segments or self._idle(hand, poses)

    def _idle(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        return [Segment(secs=self._rng.uniform(0.5, 2.0))]

    def _speed_px(self) -> float:
        return float(self._rng.uniform(12, 28))

    def _take_object(self, hand: Hand, poses: np.ndarray) -> int | None:
        """An object in this hand's reach that nobody else works on."""
        taken = self._reserved | {
            other.target for other in self._hands if other.target is not None}
        free = []
        for index, pose in enumerate(poses):
            share = self._space.share_of_width(pose)
            if (index not in taken and hand.reach[0] - 0.1 <= share <= hand.reach[1] + 0.1
                    and not self._crowded(hand, pose[:2])):
                free.append(index)
        if not free:
            return None
        hand.target = int(self._rng.choice(free))
        return hand.target

    def _crowded(self, hand: Hand, xy: np.ndarray) -> bool:
        """Whether the other hand is at ``xy`` or on its way there."""
        return any(
            np.linalg.norm(place[:2] - xy) < 0.13
            for other in self._hands if other is not hand
            for place in (other.pose, other.goal) if place is not None)

    def _free_place(self, hand: Hand, poses: np.ndarray, index: int) -> np.ndarray | None:
        for _ in range(20):
            place = self._space.random_point(self._rng, left=hand.reach[0], right=hand.reach[1])
            if (is_clear(place, poses, self._radii, index, margin=0.01)
                    and not self._crowded(hand, place)
                    and np.linalg.norm(place - poses[index, :2]) > 0.06):
                return place
        return None
