"""A crew that is spread over a Ray cluster, with the numbers of the local one."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

from dragstream_ros.evaluation.footage.case import Judge, JudgeConfig, Judged, Task
from dragstream_ros.evaluation.footage.crew import (
    WAITING_PER_JOB,
    ModelFace,
    face_of,
    make_judge,
)
from dragstream_ros.evaluation.footage.errors import EvaluationError

CONNECT_SECS = 5.0
TRIES_AGAIN = 3     # of a start whose worker, or computer, is lost


class RayCrew:
    """One processor a start, on any computer of the cluster; a context manager.

    Its computers need this package, and a folder of weights at the same path.
    """

    def __init__(self, *, world_model: str, weights: str, config: JudgeConfig) -> None:
        """Join the cluster that RAY_ADDRESS names, else the one that runs on this computer.

        :raises EvaluationError: Ray or the cluster is not there
        """
        try:
            import ray
        except ImportError as error:
            raise EvaluationError(
                "Ray is not installed; please pip install 'ray>=2.9'.") from error
        try:
            address = os.environ.get('RAY_ADDRESS', '')
            if address:     # Ray itself would try for minutes
                host, _, port = address.rpartition(':')
                socket.create_connection((host, int(port)), CONNECT_SECS).close()
            ray.init(address=address or 'auto', log_to_driver=False, logging_level='ERROR')
        except (OSError, ValueError) as error:
            raise EvaluationError(
                'There is no Ray cluster to join; start one with `ray start --head`, or name it by '
                'the environment variable RAY_ADDRESS.') from error
        self._ray: Any = ray
        self._question = (world_model, weights, config)
        each = {'num_cpus': 1, 'max_retries': TRIES_AGAIN}
        self._look, self._judge = (ray.remote(**each)(work) for work in (_look_at_model, _judge))

    def __enter__(self) -> RayCrew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._ray.shutdown()

    def model_face(self) -> ModelFace:
        """Load the world model somewhere and look at it; raises DragStreamError."""
        face: ModelFace = self._result(self._look.remote(self._question))
        return face

    def judged(self, tasks: Iterable[Task]) -> Iterator[Judged]:
        """Give the verdicts as they come, in any order; few tasks are taken ahead.

        :raises EvaluationError: workers were lost again and again; what was given stays true
        """
        working: list[Any] = []
        for task in tasks:
            working.append(self._judge.remote(self._question, task))
            # Asked each time: computers come and go.
            n_jobs = max(1, int(self._ray.cluster_resources().get('CPU', 1)))
            if len(working) >= WAITING_PER_JOB * n_jobs:
                done, working = self._ray.wait(working)
                yield from map(self._result, done)
        while working:
            done, working = self._ray.wait(working)
            yield from map(self._result, done)

    def _result(self, promise: Any) -> Any:
        lost = self._ray.exceptions
        try:
            return self._ray.get(promise)
        except (lost.WorkerCrashedError, lost.NodeDiedError, lost.ObjectLostError) as error:
            raise EvaluationError(
                'A start was lost with its worker again and again, perhaps for lack of memory; '
                'please look after the cluster and go on with --resume.') from error


@functools.lru_cache(maxsize=1)
def _judge_for(world_model: str, weights: str, config: JudgeConfig) -> Judge:
    return make_judge(world_model, weights, config)


def _judge(question: tuple[str, str, JudgeConfig], task: Task) -> Judged:
    return _judge_for(*question).judge(task)


def _look_at_model(question: tuple[str, str, JudgeConfig]) -> ModelFace:
    return face_of(_judge_for(*question).world_model)
