"""Several futures from one instant: each candidate drag on a branch of its own.

A branch shares its past with the stream it comes from, so that a future costs the memory of what is
new in it, and only while it is being predicted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.lanes import Lanes

if TYPE_CHECKING:  # it would bring torch, which a world model need not use
    from dragstream_ros.core.stream import PredictedChunk


class Branch(Protocol):
    """What is asked of a stream, such as core.stream.DragStream."""

    @property
    def stamp_ns(self) -> int | None: ...
    def push_drag(self, command: DragCommand) -> None: ...
    def step(self) -> PredictedChunk | None: ...
    def branch(self, horizon_secs: float | None = None) -> Branch: ...


@dataclass(eq=False)
class _Candidate:
    index: int
    stream: Branch
    chunks: list[PredictedChunk] = field(default_factory=list)
    is_done: bool = False


class Rollouts:
    """Predicts the candidates of one goal, as many at a time as there are lanes.

    root: a branch that has seen the anchor's frame and will see no other; it is not stepped itself.
    commands: in the model's pixels, handles where they are in the anchor's frame; None: undragged.
    """

    def __init__(
        self, root: Branch, commands: Sequence[DragCommand | None], *, horizon_secs: float,
        lanes: Lanes | None = None,
    ) -> None:
        self._root = root
        self._waiting = deque(enumerate(commands))
        self._horizon_secs = horizon_secs
        self.lanes = lanes or Lanes()
        self._running: list[_Candidate] = []
        self._count, self._n_done = len(commands), 0

    @property
    def is_done(self) -> bool:
        """Every candidate has been predicted."""
        return self._n_done == self._count

    @property
    def progress(self) -> float:
        """0 to 1, the share of all the time to be predicted."""
        begun = sum(
            min(float(candidate.chunks[-1].offsets_secs[-1]) / self._horizon_secs, 1.0)
            for candidate in self._running if candidate.chunks)
        return (self._n_done + begun) / self._count

    def step(self) -> list[tuple[int, list[PredictedChunk]]]:
        """Predict one more chunk in every lane; the candidates that this completes, by index.

        :raises DragStreamError: a drag that makes no sense to the stream, or a future of nothing
        """
        while self._waiting and len(self._running) < self.lanes.count:
            self._running.append(self._begin(*self._waiting.popleft()))
        self.lanes.map(self._advance, self._running)
        done = [candidate for candidate in self._running if candidate.is_done]
        self._running = [candidate for candidate in self._running if not candidate.is_done]
        self._n_done += len(done)
        return [(candidate.index, candidate.chunks) for candidate in done]

    def _begin(self, index: int, command: DragCommand | None) -> _Candidate:
        stream = self._root.branch(self._horizon_secs)
        if command is not None:
            assert self._root.stamp_ns is not None
            stream.push_drag(replace(command, stamp_ns=self._root.stamp_ns))
        return _Candidate(index, stream)

    def _advance(self, candidate: _Candidate) -> None:
        chunk = candidate.stream.step()
        if chunk is not None:
            candidate.chunks.append(chunk)
        elif not candidate.chunks:
            raise DragStreamError(
                ErrorCode.GOAL_INVALID,
                f'Nothing was predicted in {self._horizon_secs:g} s; ask for a longer horizon.')
        candidate.is_done = (
            chunk is None or chunk.last
            # A free-running stream knows no horizon.
            or float(chunk.offsets_secs[-1]) >= self._horizon_secs - 1e-6)
