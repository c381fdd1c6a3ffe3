"""Operators of the simulated world: they turn an object or a hand, or swing a limb, no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.motion import minimum_jerk, minimum_jerk_rate, turned
from dragstream_ros.simulation.teleoperator import Commands
from dragstream_ros.simulation.world import Operator

# From the object's pose at the start (x, y, z, yaw, hinge), the angle that it has come (rad) and
# its rate (rad/s) to where it slides and how its hinge bends, if told: see teleoperator.Commands.
Told = tuple[Sequence[float], Sequence[float] | None]
Motion = Callable[[np.ndarray, float, float], Told]


class _Acting:
    """Takes the place of an operator that rests; see simulation.world.Operator.

    angle: rad, that a motion comes within secs, smoothly.
    """

    def __init__(self, resting: Operator, *, angle: float, secs: float) -> None:
        self._resting, self._angle, self._secs = resting, angle, secs
        self._elapsed = 0.0

    @property
    def hands(self) -> Sequence[Hand]:
        """Left and right, as they rested."""
        return self._resting.hands

    def _come(self, dt_secs: float) -> tuple[float, float]:
        """Advance by one tick: the angle that it has come by then, rad, and its rate, rad/s."""
        self._elapsed += dt_secs
        share = self._elapsed / self._secs
        return (minimum_jerk(share) * self._angle,
                minimum_jerk_rate(share) / self._secs * self._angle)


class MovedObject(_Acting):
    """Moves the object of this index as a motion says."""

    def __init__(self, resting: Operator, index: int, motion: Motion, *, angle: float,
                 secs: float) -> None:
        super().__init__(resting, angle=angle, secs=secs)
        self._index, self._motion = index, motion
        self._start: np.ndarray | None = None

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """Advance by one tick. ``poses`` (n, 5): the objects' x, y, z, yaw, hinge now."""
        commands = self._resting.step(dt_secs, poses)
        self._start = poses[self._index].copy() if self._start is None else self._start
        slide, bend = self._motion(self._start, *self._come(dt_secs))
        commands.slides[self._index] = np.array(slide)
        if bend is not None:
            commands.bends[self._index] = np.array(bend)
        return commands


class TurnedHand(_Acting):
    """Turns the hand of a side about its own axis, counter-clockwise seen from above."""

    def __init__(self, resting: Operator, side: int, *, angle: float, secs: float) -> None:
        super().__init__(resting, angle=angle, secs=secs)
        self._side = side

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """Advance by one tick; see MovedObject."""
        commands = self._resting.step(dt_secs, poses)
        hands = [pose.copy() for pose in commands.hands]
        hands[self._side][3] += self._come(dt_secs)[0]
        return replace(commands, hands=tuple(hands))


def turn_about(pivot_m: np.ndarray) -> Motion:
    """On the table about a point (2,) of it, counter-clockwise seen from above."""
    def motion(start: np.ndarray, angle: float, rate: float) -> Told:
        x, y = turned(start[:2] - pivot_m, angle)
        return [*(pivot_m + (x, y)), start[3] + angle, -rate * y, rate * x, rate], None

    return motion


def swing(start: np.ndarray, angle: float, rate: float) -> Told:
    """A lid or a link about its hinge, while the object stays; see Motion."""
    return [*start[[0, 1, 3]], 0.0, 0.0, 0.0], [start[4] + angle, rate]
