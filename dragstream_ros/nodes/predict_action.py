"""The action `predict`: futures as feedback as soon as they are there, all of them as result."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from dragstream_ros.action import Predict
from dragstream_ros.adapters.planning import (
    future_message,
    plane_of,
    start_from_goal,
    without_frames,
)
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PredictedClip, PredictedFuture
from dragstream_ros.worker.protocol import CancelGoal, Chunk, GoalDone, GoalProgress, StartGoal

UNHEARD_SECS = 2.0  # discovery may lose sight of a living client for a moment
AFTER_FEEDBACK_SECS = 0.05
RESULT_KEPT_SECS = 10  # for a client that asks late; a killed one never does


class _Pending:
    """A goal that the worker is at; of the futures so far, only the best keeps its frames."""

    def __init__(self, handle: ServerGoalHandle) -> None:
        self.handle = handle
        self.handle_names = [
            [item.name for item in drag.handles] for drag in handle.request.candidates]
        self.plane: np.ndarray | None = None
        self.futures: dict[int, PredictedFuture] = {}
        self.best: PredictedFuture | None = None

    def add(self, future: PredictedFuture) -> None:
        if self.best is None or (future.cost, future.candidate) < (
                self.best.cost, self.best.candidate):
            self.best = future
        self.futures[future.candidate] = without_frames(future)

    def result(self, code: ErrorCode, sentence: str) -> Predict.Result:
        in_order = sorted(self.futures)
        result = Predict.Result(code=int(code), message=sentence, best=-1)
        if self.best is not None:
            result.best = in_order.index(self.best.candidate)
            self.futures[self.best.candidate] = self.best
        result.futures = [self.futures[index] for index in in_order]
        return result


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
        default_horizon_secs: Callable[[], float],
        camera_info: Callable[[], CameraInfo | None],
    ) -> None:
        """Start the server; it rejects goals unless is_active()."""
        self._node = node
        self._send = send
        self._clip = clip
        self._generation = generation
        self._default_horizon_secs = default_horizon_secs
        self._camera_info = camera_info
        self._heard_secs = 0.0  # when somebody listened last
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._server = ActionServer(
            node, Predict, 'predict',
            execute_callback=lambda handle: None,
            goal_callback=lambda request: (
                GoalResponse.ACCEPT if is_active() else GoalResponse.REJECT),
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
            result_timeout=RESULT_KEPT_SECS,
        )

    def destroy(self) -> None:
        """Stop serving."""
        self._server.destroy()

    def on_progress(self, event: GoalProgress) -> None:
        """A goal is further."""
        pending = self._pending.get(event.goal_id)
        if pending is None:
            return
        futures = []
        for found in event.futures:
            names = pending.handle_names[found.candidate]
            futures.append(future_message(
                found, clip=self._clip(found.chunk, names), handle_names=names,
                plane=pending.plane))
            pending.add(futures[-1])
        pending.handle.publish_feedback(
            Predict.Feedback(progress=event.progress, futures=futures))

    def on_done(self, event: GoalDone) -> None:
        """The worker has said its last word on a goal.

        rclpy's client drops feedback that comes after the result, so that waits for a moment.
        """
        def finish() -> None:
            self._node.destroy_timer(timer)
            if event.goal_id in self._pending:
                self._finish(self._pending.pop(event.goal_id), event.code, event.sentence)

        timer = self._node.create_timer(
            AFTER_FEEDBACK_SECS, finish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def fail_all(self, code: ErrorCode, sentence: str) -> None:
        """End all goals: the worker died, or the node goes inactive."""
        for goal_id in list(self._pending):
            self._finish(self._pending.pop(goal_id), code, sentence)

    def cancel_unheard(self) -> None:
        """Once in a while: stop working for clients that are gone.

        A client cannot be told from another; but when nobody listens to feedback, all are gone.
        """
        now_secs = time.monotonic()
        feedback = self._node.resolve_topic_name('predict') + '/_action/feedback'
        if not self._pending or self._node.count_subscribers(feedback):
            self._heard_secs = now_secs
        elif now_secs - self._heard_secs >= UNHEARD_SECS:
            for goal_id in self._pending:
                self._send(CancelGoal(goal_id=goal_id))
            self.fail_all(
                ErrorCode.CANCELLED, f'Nobody has listened to feedback for {UNHEARD_SECS:g} s; '
                'keep the action client while you wait.')

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        pending = _Pending(handle)
        goal_id = next(self._ids)
        self._heard_secs = now_secs = time.monotonic()
        try:
            start = start_from_goal(
                handle.request, goal_id=goal_id, generation=self._generation(),
                now_secs=now_secs, default_horizon_secs=self._default_horizon_secs(),
                camera_info=self._camera_info())
            pending.plane = plane_of(handle.request)
            if not self._send(start):
                raise DragStreamError(
                    ErrorCode.WORKER_DIED, 'The worker is being started again; try again soon.')
        except DragStreamError as error:
            self._finish(pending, error.code, error.sentence)
        else:
            self._pending[goal_id] = pending

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        for goal_id, pending in self._pending.items():
            if pending.handle == handle:
                self._send(CancelGoal(goal_id=goal_id))
                return CancelResponse.ACCEPT
        return CancelResponse.REJECT

    def _finish(self, pending: _Pending, code: ErrorCode, sentence: str) -> None:
        result = pending.result(code, sentence)

        def execute(handle: ServerGoalHandle) -> Any:
            if code is ErrorCode.OK:
                handle.succeed()
            elif handle.is_cancel_requested:
                handle.canceled()
            else:
                handle.abort()
            return result

        pending.handle.execute(execute)
