"""Whose turn it is: several operators look, one drags; reads no clock.

Who grabs first has the turn, until a few seconds after the last sign of the drag: between two drags
nobody can snatch the robot's prediction away, and an operator who vanishes blocks nobody for long.
"""

from __future__ import annotations

KEPT_SECS = 3.0


class Turn:
    """At most one operator has it; operators are known by name."""

    def __init__(self, kept_secs: float = KEPT_SECS) -> None:
        """kept_secs: from the last sign until anybody may take it."""
        self._kept_secs = kept_secs
        self._operator = ''
        self._until_secs = 0.0

    def holder(self, now_secs: float) -> str:
        """Who has it; empty: nobody."""
        return self._operator if now_secs < self._until_secs else ''

    def take(self, operator: str, now_secs: float) -> bool:
        """Take or keep it; False if somebody else has it."""
        if self.holder(now_secs) not in ('', operator):
            return False
        self._operator, self._until_secs = operator, now_secs + self._kept_secs
        return True

    def leave(self, operator: str) -> None:
        """The operator is gone, and gives it back."""
        if self._operator == operator:
            self._operator = ''
