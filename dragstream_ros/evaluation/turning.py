"""An operator of the simulated world that turns one object, while everything else rests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.motion import minimum_jerk, minimum_jerk_rate, turned
from dragstream_ros.simulation.teleoperator import Commands
from dragstream_ros.simulation.world import Operator


class TurningObject:
    """Takes the place of an operator that rests; see simulation.world.Operator.

    index: of the object. pivot_m: (2,) what it turns about, on the table. angle: rad, positive
    counter-clockwise seen from above, within secs.
    """

    def __init__(self, resting: Operator, index: int, *, pivot_m: np.ndarray, angle: float,
                 secs: float) -> None:
        self._resting, self._index = resting, index
        self._pivot_m, self._angle, self._secs = pivot_m, angle, secs
        self._start: np.ndarray | None = None
        self._elapsed = 0.0

    @property
    def hands(self) -> Sequence[Hand]:
        """Left and right."""
        return self._resting.hands

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """Advance by one tick. ``poses`` (n, 5): the objects' x, y, z, yaw, hinge now."""
        commands = self._resting.step(dt_secs, poses)
        self._start = poses[self._index].copy() if self._start is None else self._start
        self._elapsed += dt_secs
        part = self._elapsed / self._secs
        angle = minimum_jerk(part) * self._angle
        rate = minimum_jerk_rate(part) / self._secs * self._angle
        arm = turned(self._start[:2] - self._pivot_m, angle)
        commands.slides[self._index] = np.array([
            *(self._pivot_m + arm), self._start[3] + angle, -rate * arm[1], rate * arm[0], rate])
        return commands
