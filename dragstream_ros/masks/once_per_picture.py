"""What is found in a picture is found once, however many candidates of a planner ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import numpy as np

Result = TypeVar('Result')

MOST_KEPT = 8


class OncePerPicture(Generic[Result]):
    """Calls ``find`` (picture, points ...) once for each, also from several threads at a time.

    A picture is known by being the same array, which nobody may change; the results are shared, and
    nobody may change them either. The last MOST_KEPT that were asked for are kept.
    """

    def __init__(self, find: Callable[..., Result]) -> None:
        self._find = find
        self._lock = threading.Lock()
        # The pictures are kept, too, or another one could get the address of one that is gone.
        self._kept: OrderedDict[Any, tuple[np.ndarray, Future[Result]]] = OrderedDict()

    def __call__(self, picture: np.ndarray, *points_px: np.ndarray) -> Result:
        """What is found there; raises what ``find`` raises."""
        key = id(picture), *(np.asarray(point_px).tobytes() for point_px in points_px)
        mine: Future[Result] = Future()
        with self._lock:
            _, found = self._kept.setdefault(key, (picture, mine))
            self._kept.move_to_end(key)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        if found is mine:
            try:
                mine.set_result(self._find(picture, *points_px))
            except BaseException as error:
                with self._lock:
                    self._kept.pop(key, None)  # to be tried again, as when the memory ran out
                mine.set_exception(error)
        return found.result()
