"""What a hand does next: each plan is a random list of motions that fits what is on the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.hands import Hand, Segment
from dragstream_ros.simulation.object_shape import ObjectShape
from dragstream_ros.simulation.pick_plans import hand_over, pick_and_place, stack, take_over
from dragstream_ros.simulation.plan_space import OPEN_M, PlanSpace
from dragstream_ros.simulation.push_plans import near_miss, push, push_an_end, swing_lid

Plan = Callable[[PlanSpace, Hand, np.ndarray], list[Segment]]


def wander(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    rng, segments = space.rng, []
    for _ in range(rng.integers(1, 3)):
        place = space.workspace.random_point(rng, left=hand.reach[0], right=hand.reach[1])
        if space.crowded(hand, place):
            continue
        segments.append(Segment(
            offset=place, z=space.hover_m(poses) * rng.uniform(0.9, 1.4),
            yaw=rng.uniform(-0.9, 0.9), opening=rng.uniform(0.0, 1.0) * OPEN_M,
            speed_px=space.speed_px()))
    return segments


def idle(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    return [Segment(secs=space.rng.uniform(0.5, 2.0))]


LIVELY: tuple[tuple[float, Plan], ...] = (
    (0.30, pick_and_place), (0.19, push), (0.13, stack), (0.11, push_an_end), (0.22, swing_lid),
    (0.10, hand_over), (0.08, near_miss), (0.06, wander), (0.05, idle))
"""Shares of the plans, of those that find something to do; few scenes have a lid."""
CALM: tuple[tuple[float, Plan], ...] = ((0.8, idle), (0.2, wander))


class HandPlanner:
    """Plans for all ``hands``, which keep off each other and off the ``reserved`` objects.

    A plan that finds nothing to do is an empty list.
    """

    def __init__(
            self, rng: np.random.Generator, workspace: Workspace, shapes: Sequence[ObjectShape], *,
            hands: Sequence[Hand], reserved: set[int]) -> None:
        self._rng = rng
        self._space = PlanSpace(rng, workspace, shapes, hands=hands, reserved=reserved)

    def plan(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        """The next motions of ``hand``, at least one. ``poses``: as of PlanSpace."""
        hand.target = None
        segments: list[Segment] = []
        if hand.offered is not None:
            segments = take_over(self._space, hand, poses, hand.offered)
        plans = LIVELY if hand.lively else CALM
        weights = np.array([weight for weight, _ in plans])
        order = self._rng.choice(
            len(plans), size=len(plans), replace=False, p=weights / weights.sum())
        for which in order:
            if segments:
                break
            hand.target = None
            segments = plans[which][1](self._space, hand, poses)
        if self._rng.uniform() < 0.3:
            segments = [*segments, Segment(secs=self._rng.uniform(0.2, 0.8))]
        return segments
