"""The action `predict`: one goal, its chunks as feedback, the whole clip as result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from dragstream_ros.action import Predict
from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.adapters.prediction import join_clips
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PredictedClip
from dragstream_ros.worker.protocol import CancelGoal, Chunk, GoalChunk, GoalDone, StartGoal

LONGEST_HORIZON_SECS = 60.0


class _Pending:
    """A goal that the worker is at."""

    def __init__(self, handle: ServerGoalHandle) -> None:
        self.handle = handle
        self.handle_names = [item.name for item in handle.request.drag.handles]
        self.clips: list[PredictedClip] = []


class PredictAction:
    """Serves goals without waiting for anything: the worker's events move them on.

    A goal is *executed*, in rclpy's sense, only when its result is there. An execute callback that
    waits would either block the node's only thread or, as a coroutine, keep it busy.
    """

    def __init__(
        self,
        node: Node,
        *,
        send: Callable[[StartGoal | CancelGoal], bool],
        clip: Callable[[Chunk, Sequence[str]], PredictedClip],
        is_active: Callable[[], bool],
        generation: Callable[[], int],
    ) -> None:
        """Start the server; it rejects goals unless is_active()."""
        self._send = send
        self._clip = clip
        self._generation = generation
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._server = ActionServer(
            node, Predict, 'predict',
            execute_callback=lambda handle: None,
            goal_callback=lambda request: (
                GoalResponse.ACCEPT if is_active() else GoalResponse.REJECT),
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )

    def destroy(self) -> None:
        """Stop serving."""
        self._server.destroy()

    def on_chunk(self, event: GoalChunk) -> None:
        """One more chunk of a goal came."""
        pending = self._pending.get(event.goal_id)
        if pending is None:
            return
        clip = self._clip(event.chunk, pending.handle_names)
        pending.clips.append(clip)
        pending.handle.publish_feedback(Predict.Feedback(progress=event.progress, chunk=clip))

    def on_done(self, event: GoalDone) -> None:
        """The worker has said its last word on a goal."""
        if event.goal_id in self._pending:
            self._finish(self._pending.pop(event.goal_id), event.code, event.sentence)

    def fail_all(self, code: ErrorCode, sentence: str) -> None:
        """End all goals: the worker died, or the node goes inactive."""
        for goal_id in list(self._pending):
            self._finish(self._pending.pop(goal_id), code, sentence)

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        pending = _Pending(handle)
        request = handle.request
        try:
            if self._pending:
                raise DragStreamError(
                    ErrorCode.BUSY, 'Another goal is being predicted; try again when it is done.')
            horizon_secs = float(request.horizon_secs)
            if not math.isfinite(horizon_secs) or not 0.0 <= horizon_secs <= LONGEST_HORIZON_SECS:
                raise DragStreamError(
                    ErrorCode.DRAG_INVALID,
                    f'The horizon must be 0 to {LONGEST_HORIZON_SECS:g} s, not {horizon_secs:g}.')
            command = command_from_drag(request.drag) if request.drag.handles else None
            goal_id = next(self._ids)
            self._pending[goal_id] = pending
            if not self._send(StartGoal(
                    goal_id=goal_id, command=command, horizon_secs=horizon_secs,
                    generation=self._generation())):
                del self._pending[goal_id]
                raise DragStreamError(
                    ErrorCode.WORKER_DIED, 'The worker is being started again; try again soon.')
        except DragStreamError as error:
            self._finish(pending, error.code, error.sentence)

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        for goal_id, pending in self._pending.items():
            if pending.handle == handle:
                self._send(CancelGoal(goal_id=goal_id))
                return CancelResponse.ACCEPT
        return CancelResponse.REJECT

    def _finish(self, pending: _Pending, code: ErrorCode, sentence: str) -> None:
        result = Predict.Result(code=int(code), message=sentence)
        if pending.clips:
            result.clip = join_clips(pending.clips)

        def execute(handle: ServerGoalHandle) -> Any:
            if code is ErrorCode.OK:
                handle.succeed()
            elif handle.is_cancel_requested:
                handle.canceled()
            else:
                handle.abort()
            return result

        pending.handle.execute(execute)
