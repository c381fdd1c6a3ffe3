"""The face of core.stream.DragStream as the worker sees it; a world model may bring its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.worker.protocol import StreamSettings

if TYPE_CHECKING:  # it would bring torch, which a world model need not use
    from dragstream_ros.core.stream import PredictedChunk


class Stream(Protocol):
    """The face of core.stream.DragStream."""

    @property
    def stamp_ns(self) -> int | None: ...
    @property
    def context_bytes(self) -> int: ...
    def observe(self, frame: np.ndarray, stamp_ns: int) -> bool: ...
    def push_drag(self, command: DragCommand) -> None: ...
    def step(self) -> PredictedChunk | None: ...
    def release(self) -> None: ...
    def branch(self, horizon_secs: float | None = None) -> Stream: ...


Locate = Callable[[DragCommand, int], DragCommand]
MakeStream = Callable[[StreamSettings, Locate], Stream]
