"""Threads that compute side by side, each with one core.

PyTorch's own threads share out every operation, and meet several hundred times a chunk of a small
model.  Where they spin while they wait they take the time of everything else on the computer, and
where they sleep, to wake them takes longer than what they do: two are then slower than one.  So an
operation has one thread, and what is shared out is larger: the halves of a chunk, or whole
candidates of a planner.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_here = threading.local()  # is_lane: what this thread does is an item of some lanes' work


class Lanes:
    """``count`` threads, of which the caller's is one."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._others = ThreadPoolExecutor(count - 1, 'lane', _have_one_core) if count > 1 else None

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Do the work on every item; what comes of it, in order.

        Raises what the first that failed has raised, when none is running any more. What such work
        itself gives to lanes is done by its own thread.
        """
        items = list(items)
        if self._others is None or len(items) < 2 or getattr(_here, 'is_lane', False):
            return [work(item) for item in items]
        futures: list[Future[Result]] = [Future() for _ in items]
        waiting = deque(zip(items, futures))
        others = [self._others.submit(_do_all, work, waiting)
                  for _ in range(min(len(items), self.count) - 1)]
        _do_all(work, waiting)
        for other in others:
            if not other.cancel():  # nothing may go on behind the caller's back
                other.result()
        return [future.result() for future in futures]


def _do_all(work: Callable[[Item], Result], waiting: deque[tuple[Item, Future[Result]]]) -> None:
    _here.is_lane = True
    try:
        while waiting:
            item, future = waiting.popleft()
            try:
                future.set_result(work(item))
            except BaseException as error:
                future.set_exception(error)
    except IndexError:  # another lane was faster
        pass
    finally:
        _here.is_lane = False


def _have_one_core() -> None:
    import torch

    torch.set_num_threads(1)


_for_inference = Lanes()


def open_inference_lanes(count: int) -> None:
    """From now on a model's inference in this process has so many lanes; it had one before."""
    global _for_inference
    _for_inference = Lanes(count)


def inference_lanes() -> Lanes:
    """What a model that computes on the processor shares its work out to."""
    return _for_inference


def lanes_for(world_model: Any) -> Lanes:
    """Those of inference; one lane for a model that has a GPU, which is busy with one."""
    import torch

    on_gpu = torch.device(getattr(world_model, 'device', 'cpu')).type != 'cpu'
    return Lanes() if on_gpu else inference_lanes()


# A forked process has none of the threads.
os.register_at_fork(after_in_child=lambda: open_inference_lanes(1))
