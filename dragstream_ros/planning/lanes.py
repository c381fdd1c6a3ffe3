"""Threads that compute side by side, for work that one model cannot spread over two cores.

Two predictions on one core each are done sooner than one after the other on two: the layers of a
small model are too short to be shared out. There is no batch: the frames of one chunk already fill
a core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


class Lanes:
    """``count`` threads; with one, the caller's own. prepare: called first in each new thread."""

    def __init__(self, count: int = 1, prepare: Callable[[], None] = lambda: None) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, 'lane', prepare) if count > 1 else None

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Do the work on every item, in order; raises what the first that failed has raised."""
        if self._pool is None:
            return list(map(work, items))
        running = [self._pool.submit(work, item) for item in items]
        wait(running)       # also after a failure: nothing may go on behind the caller's back
        return [future.result() for future in running]


def lanes_for(world_model: Any) -> Lanes:
    """As many as inference has threads; one for a model that has a GPU, which is busy with one."""
    import torch

    on_gpu = torch.device(getattr(world_model, 'device', 'cpu')).type != 'cpu'
    return Lanes(1 if on_gpu else torch.get_num_threads(), lambda: torch.set_num_threads(1))
