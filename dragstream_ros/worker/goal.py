"""One Predict goal: the futures of its candidates, beside the live prediction, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.memory import is_out_of_memory
from dragstream_ros.planning.future import Future, future_of
from dragstream_ros.planning.goal_distance import PlanningGoal
from dragstream_ros.planning.rollouts import Rollouts
from dragstream_ros.planning.score import score_future
from dragstream_ros.worker.protocol import (
    CandidateFuture,
    Chunk,
    FromWorker,
    GoalDone,
    GoalProgress,
)

if TYPE_CHECKING:
    from dragstream_ros.core.stream import PredictedChunk


@dataclass(frozen=True, kw_only=True, eq=False)
class Packing:
    """From the model's pixels to those of the picture's content."""

    chunk: Callable[[PredictedChunk], Chunk]
    crop: Callable[[np.ndarray], np.ndarray]
    points_px: Callable[[np.ndarray], np.ndarray]


class Goal:
    """Branches of the live stream, predicted to the horizon, the deadline, or a cancel.

    commands: located in anchor (H, W, 3), the frame that the rollouts start from; query_px: (q, 2).
    """

    def __init__(
        self, goal_id: int, rollouts: Rollouts, commands: Sequence[DragCommand | None], *,
        anchor: np.ndarray, query_px: np.ndarray, wanted: PlanningGoal,
        deadline: float | None = None, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.goal_id = goal_id
        self.is_done = False
        self._rollouts = rollouts
        self._commands = commands
        self._anchor = anchor
        self._query_px = query_px
        self._wanted = wanted
        self._deadline = deadline
        self._clock = clock

    def step(self, packing: Packing) -> list[FromWorker]:
        """Predict one more chunk of each candidate in work; the last step says how it went."""
        try:
            progress = self._progress(packing)
        except DragStreamError as error:
            return [self.done(error.code, error.sentence)]
        return [progress, self.done()] if self._rollouts.is_done else [progress]

    @property
    def is_late(self) -> bool:
        """The deadline has passed."""
        return self._deadline is not None and self._clock() >= self._deadline

    def done(self, code: ErrorCode = ErrorCode.OK, sentence: str = '') -> GoalDone:
        """The last word on this goal."""
        self.is_done = True
        return GoalDone(goal_id=self.goal_id, code=code, sentence=sentence)

    def _progress(self, packing: Packing) -> GoalProgress:
        try:
            completed = self._rollouts.step()
            futures = tuple(self._rollouts.lanes.map(
                lambda found: self._future(*found, packing), completed))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise DragStreamError(
                ErrorCode.OUT_OF_MEMORY, 'There is not enough memory for this goal beside the live '
                'prediction; ask for a shorter horizon.') from None
        return GoalProgress(
            goal_id=self.goal_id, progress=self._rollouts.progress, futures=futures)

    def _future(
        self, index: int, chunks: Sequence[PredictedChunk], packing: Packing
    ) -> CandidateFuture:
        future = future_of(
            index, chunks, anchor=self._anchor, command=self._commands[index],
            query_px=self._query_px)
        return CandidateFuture(
            candidate=index,
            chunk=_joined(
                future, [packing.chunk(chunk) for chunk in chunks],
                packing.points_px(future.asked_px)),
            followed_px=packing.points_px(future.followed_px), found=future.found,
            moved=packing.crop(future.moved[..., None])[..., 0],
            score=score_future(future, self._wanted))


def _joined(future: Future, chunks: Sequence[Chunk], asked_px: np.ndarray) -> Chunk:
    """The chunks of one anchor as one."""
    return replace(
        chunks[-1], chunk_index=chunks[0].chunk_index, drag_id=chunks[0].drag_id,
        frames=np.concatenate([chunk.frames for chunk in chunks]),
        offsets_secs=future.offsets_secs, confidence=future.confidence,
        tracks_px=asked_px.astype(np.float32), outlines_px=(), last=True)
