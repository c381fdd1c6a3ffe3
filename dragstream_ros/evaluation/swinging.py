"""An operator of the simulated world that swings an object's lid or link, while all else rests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.motion import minimum_jerk, minimum_jerk_rate
from dragstream_ros.simulation.teleoperator import Commands
from dragstream_ros.simulation.world import Operator


class SwingingLimb:
    """Takes the place of an operator that rests; see simulation.world.Operator.

    index: of the object, which stays. angle: rad, by which its hinge turns within secs.
    """

    def __init__(self, resting: Operator, index: int, *, angle: float, secs: float) -> None:
        self._resting, self._index = resting, index
        self._angle, self._secs = angle, secs
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
        commands.slides[self._index] = np.array([*self._start[[0, 1, 3]], 0.0, 0.0, 0.0])
        commands.bends[self._index] = np.array([
            self._start[4] + minimum_jerk(part) * self._angle,
            minimum_jerk_rate(part) / self._secs * self._angle])
        return commands
