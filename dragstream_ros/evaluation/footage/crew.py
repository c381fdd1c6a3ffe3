"""Processes that judge starts side by side, with the same numbers however many they are."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType

import cv2

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.footage.case import Judge, JudgeConfig, Judged, Task
from dragstream_ros.evaluation.footage.errors import EvaluationError
from dragstream_ros.runner import end_with_parent

WAITING_PER_JOB = 2     # windows that lie ready, so that nobody waits for the reader


@dataclass(frozen=True, kw_only=True)
class ModelFace:
    """What one has to know of a world model to prepare its input."""

    image_size: tuple[int, int]
    frame_period_secs: float


def face_of(world_model: WorldModel) -> ModelFace:
    """Look at a world model."""
    return ModelFace(
        image_size=world_model.image_size, frame_period_secs=world_model.frame_period_secs)


class Crew:
    """n_jobs processes with a world model each; a context manager.

    Each computes on one thread: two threads split sums in another way than one, and give other
    last digits.
    """

    def __init__(self, *, n_jobs: int, world_model: str, weights: str, config: JudgeConfig) -> None:
        self._n_jobs = n_jobs
        # Forking a process that has threads, as torch's, can hang.
        self._pool = ProcessPoolExecutor(
            n_jobs, mp_context=multiprocessing.get_context('spawn'), initializer=_set_up,
            initargs=(world_model, weights, config))

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def model_face(self) -> ModelFace:
        """Load the world model somewhere and look at it; raises DragStreamError."""
        with _lost_process_is_said():
            return self._pool.submit(_look_at_model).result()

    def judged(self, tasks: Iterable[Task]) -> Iterator[Judged]:
        """Give the verdicts as they come, in any order; few tasks are taken ahead.

        :raises EvaluationError: a process was lost; what was given before stays true
        """
        working: set[Future[Judged]] = set()
        with _lost_process_is_said():
            for task in tasks:
                working.add(self._pool.submit(_judge, task))
                if len(working) >= WAITING_PER_JOB * self._n_jobs:
                    done, working = wait(working, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while working:
                done, working = wait(working, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)


@contextlib.contextmanager
def _lost_process_is_said() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise EvaluationError(
            'A process that judged starts has died, perhaps for lack of memory; please go on with '
            '--resume and fewer --jobs.') from error


def make_judge(world_model: str, weights: str, config: JudgeConfig) -> Judge:
    """Load a judge into this process, which from now on computes on one thread."""
    import torch

    from dragstream_ros.memory import keep_freed_memory
    from dragstream_ros.world_models import load_world_model

    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Judge(load_world_model(world_model, weights), config)


_judge_here: Judge | Exception | None = None      # of this process


def _set_up(world_model: str, weights: str, config: JudgeConfig) -> None:
    global _judge_here
    # Ctrl-C goes to all; the first process tells the others when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL)
    try:
        _judge_here = make_judge(world_model, weights, config)
    except Exception as error:      # raised here it would only be told as "broken pool"
        _judge_here = error


def _judge(task: Task) -> Judged:
    return _this_judge().judge(task)


def _look_at_model() -> ModelFace:
    return face_of(_this_judge().world_model)


def _this_judge() -> Judge:
    assert _judge_here is not None
    if isinstance(_judge_here, Exception):
        raise _judge_here
    return _judge_here
