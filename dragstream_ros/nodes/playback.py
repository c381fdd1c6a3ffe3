"""When to show which predicted frame: one every frame period, as a video is played.

Nothing here sleeps or reads a clock; the caller says what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dragstream_ros.worker.protocol import Chunk


@dataclass(frozen=True)
class Shown:
    """One frame to show now: frames[index] of the chunk."""

    chunk: Chunk
    index: int


def due_secs(last_shown_secs: float | None, period_secs: float, arrived_secs: float) -> float:
    """When the next frame is to be shown: a period after the last, but not before it is here."""
    if last_shown_secs is None:
        return arrived_secs
    return max(last_shown_secs + period_secs, arrived_secs)


class Playback:
    """The frames that wait to be shown.

    A chunk of a newer anchor replaces what is left of the older one's; so does a chunk that is
    done again (an edit). Another drag's first frame is shown at once, all others keep the pace.
    """

    def __init__(self, frame_period_secs: float = 0.1) -> None:
        """frame_period_secs may be changed later: it is the world model's."""
        self.frame_period_secs = frame_period_secs
        self._waiting: deque[tuple[Shown, float]] = deque()  # with the time of arrival
        self._last_shown_secs: float | None = None
        self._last_chunk: Chunk | None = None

    def offer(self, chunk: Chunk, now_secs: float) -> int:
        """Take a chunk; returns how many frames it replaced that will never be shown."""
        n_before = len(self._waiting)
        before = self._last_chunk
        if before is None or _prediction(chunk) != _prediction(before):
            self._waiting.clear()
        else:
            self._keep(lambda shown: shown.chunk.chunk_index < chunk.chunk_index)
        n_replaced = n_before - len(self._waiting)
        if before is not None and chunk.drag_id != before.drag_id:
            self._last_shown_secs = None
        self._last_chunk = chunk
        self._waiting.extend((Shown(chunk, index), now_secs) for index in range(len(chunk.frames)))
        return n_replaced

    def next_due_secs(self) -> float | None:
        """When to call take() next; None: nothing waits."""
        if not self._waiting:
            return None
        return due_secs(self._last_shown_secs, self.frame_period_secs, self._waiting[0][1])

    def take(self, now_secs: float) -> Shown | None:
        """The frame to show now, if one is due."""
        due = self.next_due_secs()
        if due is None or now_secs < due:
            return None
        shown, _ = self._waiting.popleft()
        # Keep to the beat through small delays; after a long one go on from now, without a rush.
        is_on_beat = now_secs - due < self.frame_period_secs
        self._last_shown_secs = due if is_on_beat else now_secs
        return shown

    def drop_drag(self, drag_id: str) -> int:
        """Forget the frames of a drag that was taken back; returns how many."""
        n_before = len(self._waiting)
        self._keep(lambda shown: shown.chunk.drag_id != drag_id)
        return n_before - len(self._waiting)

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._last_shown_secs = self._last_chunk = None

    def _keep(self, wanted: Callable[[Shown], bool]) -> None:
        self._waiting = deque(item for item in self._waiting if wanted(item[0]))


def _prediction(chunk: Chunk) -> tuple[int, int]:
    return chunk.epoch, chunk.anchor
