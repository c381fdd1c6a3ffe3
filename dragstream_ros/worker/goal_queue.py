"""Several planners at once: a bounded queue of goals, served in turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.memory import give_back_freed_memory
from dragstream_ros.worker.goal import Goal, Packing
from dragstream_ros.worker.protocol import FromWorker

MOST_GOALS = 8


class GoalQueue:
    """Each goal gets one step after the other's, so that a small one does not wait for a large.

    When the last one has ended, the memory that goals needed goes back to the computer.
    """

    def __init__(self, most: int | None = None) -> None:
        """most: that the memory has room for."""
        self._most = min(MOST_GOALS, most or MOST_GOALS)
        self._goals: deque[Goal] = deque()

    def __len__(self) -> int:
        return len(self._goals)

    def add(self, begin: Callable[[], Goal]) -> None:
        """Take one more goal in, if there is room.

        :raises DragStreamError: BUSY, and what begin() raises
        """
        if len(self._goals) >= self._most:
            raise DragStreamError(
                ErrorCode.BUSY, f'As many goals as there is room for, {self._most}, are being '
                'predicted; try again when one is done.')
        self._goals.append(begin())

    def cancel(self, goal_id: int) -> list[FromWorker]:
        """End a goal, if it is still here."""
        return self._end(
            lambda goal: goal.goal_id == goal_id, ErrorCode.CANCELLED, 'The goal was cancelled.')

    def end_late(self) -> list[FromWorker]:
        """End those whose deadline has passed, whoever's turn it is."""
        return self._end(
            lambda goal: goal.is_late, ErrorCode.DEADLINE_PASSED, 'The deadline came first; ask '
            'for fewer candidates, a shorter horizon or a later deadline.')

    def step(self, packing: Packing) -> list[FromWorker]:
        """Give the goal whose turn it is a step."""
        goal = self._goals.popleft()
        events = goal.step(packing)
        if goal.is_done:
            self._give_back()
        else:
            self._goals.append(goal)
        return events

    def drop_all(self, code: ErrorCode, sentence: str) -> list[FromWorker]:
        """End all of them."""
        return self._end(lambda goal: True, code, sentence)

    def _end(
        self, which: Callable[[Goal], bool], code: ErrorCode, sentence: str
    ) -> list[FromWorker]:
        events: list[FromWorker] = [
            goal.done(code, sentence) for goal in self._goals if which(goal)]
        self._goals = deque(goal for goal in self._goals if not goal.is_done)
        if events:
            self._give_back()
        return events

    def _give_back(self) -> None:
        """Takes some milliseconds; in kept memory the next goal would begin that much faster."""
        if not self._goals:
            give_back_freed_memory()
