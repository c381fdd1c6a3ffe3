"""From Drag messages to what the worker is told: phases, time-out, and repeated messages."""

from __future__ import annotations

from dataclasses import dataclass

from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.msg import Drag
from dragstream_ros.worker.protocol import CancelDrag, EndDrag, PushDrag


@dataclass
class _Held:
    """The drag that the operator holds, and when we last heard of it."""

    message: Drag
    heard_secs: float


class DragInput:
    """One drag at a time: a new id takes the place of the one before."""

    def __init__(self) -> None:
        self._held: _Held | None = None
        self._names: dict[str, list[str]] = {}

    def handle(
        self, message: Drag, *, generation: int, now_secs: float
    ) -> PushDrag | EndDrag | CancelDrag | None:
        """What to tell the worker about this message; None: nothing new.

        :raises DragStreamError: any DRAG_* code that needs no knowledge of the camera's images
        """
        if message.phase == Drag.CANCEL:
            self.forget()
            return CancelDrag(drag_id=message.drag_id)
        if message.phase == Drag.END:
            return self._end(message.drag_id)
        if self._held is not None and _says_the_same(message, self._held.message):
            self._held.heard_secs = now_secs
            return None
        command = command_from_drag(message)
        self._held = _Held(message, now_secs)
        self._names = {message.drag_id: [handle.name for handle in message.handles]}
        return PushDrag(command=command, generation=generation)

    def timed_out(self, *, now_secs: float, timeout_secs: float) -> EndDrag | None:
        """End a drag that nobody has updated for too long."""
        if self._held is None or now_secs - self._held.heard_secs < timeout_secs:
            return None
        return self._end(self._held.message.drag_id)

    def handle_names(self, drag_id: str) -> list[str]:
        """The names of the newest drag's handles; none for another drag."""
        return self._names.get(drag_id, [])

    def forget(self) -> None:
        """The drag was taken back, or the prediction starts over."""
        self._held = None

    def _end(self, drag_id: str) -> EndDrag | None:
        if self._held is None or self._held.message.drag_id != drag_id:
            return None
        self._held = None
        return EndDrag(drag_id=drag_id)


def _says_the_same(message: Drag, before: Drag) -> bool:
    """An operator who holds still repeats the drag only to keep it alive."""
    return (
        message.drag_id == before.drag_id
        and message.header.stamp == before.header.stamp
        and message.handles == before.handles
        and message.mode == before.mode
        and message.duration_secs == before.duration_secs
        and message.frozen_polygon == before.frozen_polygon
        and message.frozen_mask == before.frozen_mask
    )
