"""Tells people and programs what is wrong: counted always, said once a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from std_msgs.msg import Header

from dragstream_ros.adapters.prediction import info_from_error
from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PredictionInfo
from dragstream_ros.worker.protocol import Problem

SAY_AGAIN_SECS = 1.0  # a camera that sends rubbish does so 30 times a second
_OF_SINGLE_INPUTS = range(ErrorCode.DRAG_EMPTY, ErrorCode.WEIGHTS_MISSING)


class ProblemReporter:
    """Each problem is counted; drags are answered one by one, all else is not said too often."""

    def __init__(
        self,
        logger: Any,
        *,
        count: Callable[[ErrorCode], None],
        publish: Callable[[PredictionInfo], None],
    ) -> None:
        self._logger = logger
        self._count = count
        self._publish = publish
        self._said_secs: dict[ErrorCode, float] = {}

    def report(self, problem: Problem, *, frame_id: str) -> None:
        """Count it, log it, publish it on prediction/info."""
        code = problem.code
        self._count(code)
        now = time.monotonic()
        said_secs = self._said_secs.get(code)
        if said_secs is not None and code not in _OF_SINGLE_INPUTS:
            if now - said_secs < SAY_AGAIN_SECS:
                return
        self._said_secs[code] = now
        if code.is_warning:
            self._logger.warning(problem.sentence)
        else:
            self._logger.error(problem.sentence)
        header = Header(stamp=stamp_from_ns(problem.stamp_ns), frame_id=frame_id)
        self._publish(info_from_error(
            DragStreamError(code, problem.sentence), header=header, drag_id=problem.drag_id))
