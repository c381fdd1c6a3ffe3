"""What every plan of a hand goes by: which objects are free, and where there is room for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.object_shape import ObjectShape
from dragstream_ros.simulation.placement import is_clear
from dragstream_ros.simulation.stacking import bearers

HOVER_M = 0.085
"""Height of the fingertips above the table, or above what towers on it, between tasks."""
OPEN_M = 0.105
LOW_M = 0.012
AJAR_RAD = 0.2
"""An object whose lid is open wider than this is neither carried nor pushed."""


class PlanSpace:
    """``poses`` (n, 5) are the objects' x, y, z, yaw and hinge wherever they are asked for.

    The hands keep off each other and off the ``reserved`` objects.
    """

    def __init__(
            self, rng: np.random.Generator, workspace: Workspace, shapes: Sequence[ObjectShape], *,
            hands: Sequence[Hand], reserved: set[int]) -> None:
        self.rng = rng
        self.workspace = workspace
        self.shapes = shapes
        self.radii = [shape.radius for shape in shapes]
        self.hands = hands
        self._reserved = reserved

    def other(self, hand: Hand) -> Hand:
        return self.hands[1] if hand is self.hands[0] else self.hands[0]

    def speed_px(self) -> float:
        return float(self.rng.uniform(12, 28))

    def hover_m(self, poses: np.ndarray) -> float:
        """Height at which the fingertips pass over everything that is not held."""
        held = [hand.held for hand in self.hands]
        towering = [pose[2] + self._rise(shape, pose[4])
                    for index, (shape, pose) in enumerate(zip(self.shapes, poses))
                    if index not in held]
        return HOVER_M + float(max(towering, default=0.0))

    def take_object(
            self, hand: Hand, poses: np.ndarray, *,
            fits: Callable[[int], bool] | None = None) -> int | None:
        """An object in this hand's reach that nobody else works on, and that bears no other.

        With ``fits`` only those; without, any but those with an open lid.
        """
        fits = fits or (lambda index: not self.is_ajar(index, poses))
        free = [index for index in self._untouched(poses)
                if self.reaches(hand, poses[index]) and fits(index)
                and not self.crowded(hand, poses[index, :2])]
        if not free:
            return None
        hand.target = int(self.rng.choice(free))
        return hand.target

    def reaches(self, hand: Hand, pose: np.ndarray) -> bool:
        share = self.workspace.share_of_width(pose)
        return hand.reach[0] - 0.1 <= share <= hand.reach[1] + 0.1

    def is_ajar(self, index: int, poses: np.ndarray) -> bool:
        limb = self.shapes[index].limb
        return limb is not None and limb.is_lid and poses[index, 4] > AJAR_RAD

    def is_free(self, index: int, poses: np.ndarray) -> bool:
        """Whether nobody works on it and nothing lies on it."""
        return index in self._untouched(poses)

    def crowded(self, hand: Hand, xy: np.ndarray) -> bool:
        """Whether the other hand is at ``xy`` or on its way there."""
        other = self.other(hand)
        return any(np.linalg.norm(place[:2] - xy) < 0.13
                   for place in (other.pose, other.goal) if place is not None)

    def free_place(
            self, hand: Hand, poses: np.ndarray, index: int, *, left: float | None = None,
            right: float | None = None) -> np.ndarray | None:
        """(2,) where object ``index`` can be put, between two fractions of the picture's width."""
        left = hand.reach[0] if left is None else left
        right = hand.reach[1] if right is None else right
        for _ in range(20):
            place = self.workspace.random_point(self.rng, left=left, right=right)
            if (is_clear(place, poses, self.radii, index, margin=0.01)
                    and not self.crowded(hand, place)
                    and np.linalg.norm(place - poses[index, :2]) > 0.06):
                return place
        return None

    def has_room(self, xy: np.ndarray, poses: np.ndarray, index: int) -> bool:
        """Whether a low hand that works on object ``index`` fits there."""
        return self.workspace.contains(xy) and is_clear(
            xy, poses, self.radii, index, margin=0.03 - self.radii[index])

    def _untouched(self, poses: np.ndarray) -> list[int]:
        taken = self._reserved | set(bearers(poses, self.shapes).values()) | {
            index for hand in self.hands for index in (hand.target, hand.offered)
            if index is not None}
        return [index for index in range(len(poses)) if index not in taken]

    @staticmethod
    def _rise(shape: ObjectShape, angle: float) -> float:
        if shape.limb is None or not shape.limb.is_lid:
            return 0.0
        own = shape.limb.in_object(shape.limb.points, angle)
        return max(float(own[:, 2].max()) - shape.height, 0.0)
