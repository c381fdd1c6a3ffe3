"""Who computes next, the live stream or a planner's goal: weighted fair turns."""

from __future__ import annotations


class Turns:
    """Shares the time out while both have work; what one does while the other rests is free.

    planning_share: of that time, for goals; between 0 and 1. It is kept to within one turn.
    """

    def __init__(self, planning_share: float) -> None:
        self._share = planning_share
        self._ahead_secs = 0.0  # how much more than their share goals have had
        self._was_planning = True

    @property
    def is_planning(self) -> bool:
        """It is the goals' turn; equals take turns, the live stream first."""
        return self._ahead_secs < 0.0 or (self._ahead_secs == 0.0 and not self._was_planning)

    def took(self, secs: float, *, planning: bool) -> None:
        """A turn took so long, and the other would have liked one."""
        self._was_planning = planning
        self._ahead_secs += secs * (1.0 - self._share if planning else -self._share)

    def rested(self) -> None:
        """One of them had no work: nobody is owed anything."""
        self._ahead_secs = 0.0
