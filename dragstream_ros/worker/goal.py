"""One Predict goal: a prediction beside the live one, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.protocol import Chunk, FromWorker, GoalChunk, GoalDone
from dragstream_ros.worker.stream_face import Stream

if TYPE_CHECKING:
    from dragstream_ros.core.stream import PredictedChunk


class Goal:
    """A branch of the live stream, predicted to its horizon or until it is cancelled."""

    def __init__(self, goal_id: int, stream: Stream, *, horizon_secs: float) -> None:
        self.goal_id = goal_id
        self.is_cancelled = False
        self.is_done = False
        self._stream = stream
        self._horizon_secs = horizon_secs

    def step(self, pack: Callable[[PredictedChunk], Chunk]) -> list[FromWorker]:
        """Predict one more chunk, packed for the node; the last step says how it went."""
        if self.is_cancelled:
            return [self._done(ErrorCode.CANCELLED, 'The goal was cancelled.')]
        try:
            predicted = self._stream.step()
        except DragStreamError as error:
            return [self._done(error.code, error.sentence)]
        if predicted is None:
            return [self._done()]
        progress = min(float(predicted.offsets_secs[-1]) / self._horizon_secs, 1.0)
        events: list[FromWorker] = [
            GoalChunk(goal_id=self.goal_id, progress=progress, chunk=pack(predicted))]
        if predicted.last or progress >= 1.0:
            events.append(self._done())
        return events

    def _done(self, code: ErrorCode = ErrorCode.OK, sentence: str = '') -> GoalDone:
        self.is_done = True
        return GoalDone(goal_id=self.goal_id, code=code, sentence=sentence)
