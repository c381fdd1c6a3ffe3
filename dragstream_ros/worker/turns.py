"""Who computes next, the live stream or a planner's goal: weighted fair turns."""

from __future__ import annotations

from collections import deque
from statistics import fmean

N_STEPS = 16  # of the live stream that are remembered: some seconds
USED = 0.9  # of their share, by goals: the bound is to hold in every few seconds


class Turns:
    """Shares the time out while both have work; what one does while the other rests is free.

    The live stream is to keep its share of the chunks that it makes alone, and beside goals a chunk
    takes longer: cores and caches are the same, and the camera's frames must be seen meanwhile,
    too. That time is for the goals to pay, but with no more than half of their share: on a computer
    that has become slow for another reason they must come to an end all the same.

    planning_share: for goals, at most; between 0 and 1. They take USED of it, to within one turn.
    """

    def __init__(self, planning_share: float) -> None:
        self._share = USED * planning_share
        self._ahead_secs = 0.0  # how much more than their share goals have had
        self._was_planning = True
        self._saw_secs = 0.0
        self._alone_secs: deque[float] = deque(maxlen=N_STEPS)
        self._beside_secs: deque[float] = deque(maxlen=N_STEPS)

    @property
    def is_planning(self) -> bool:
        """It is the goals' turn; equals take turns, the live stream first."""
        return self._ahead_secs < 0.0 or (self._ahead_secs == 0.0 and not self._was_planning)

    def planned(self, secs: float) -> None:
        """Goals had a turn, and the live stream would have liked one."""
        self._was_planning = True
        self._ahead_secs += secs * (1.0 - self._share)

    def saw(self, secs: float) -> None:
        """The live stream was shown the camera's frames; that is of its next turn."""
        self._saw_secs += secs

    def lived(self, secs: float) -> None:
        """The live stream had a turn, and goals would have liked one."""
        self._was_planning = False
        secs = self._with_seeing(secs)
        self._beside_secs.append(secs)
        self._ahead_secs += secs * (1.0 - self._share - self._speed)

    def lived_alone(self, secs: float) -> None:
        """The live stream had a turn, and there were no goals."""
        self._alone_secs.append(self._with_seeing(secs))

    def rested(self) -> None:
        """One of them had no work: nobody is owed anything."""
        self._ahead_secs = self._saw_secs = 0.0

    def _with_seeing(self, secs: float) -> float:
        secs, self._saw_secs = secs + self._saw_secs, 0.0
        return secs

    @property
    def _speed(self) -> float:
        """Of the live stream in its turns beside goals, of that alone."""
        if not self._alone_secs:
            return 1.0
        speed = fmean(self._alone_secs) / fmean(self._beside_secs)
        slowest = (1.0 - self._share) / (1.0 - self._share / 2)  # leaves goals half of their share
        return min(max(speed, slowest), 1.0)
