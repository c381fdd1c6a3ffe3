"""What waits to be sent to one page: of each stream the newest, and never more than it can take."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

IN_FLIGHT = 2
"""Pictures of a stream on their way at once: with one, a round trip would pass between any two."""


@dataclass
class _Stream:
    group: Hashable = None
    waiting: deque[bytes] = field(default_factory=deque)
    in_flight: int = 0


class Outbox:
    """Packets of one group follow each other; the first of another group replaces what waits.

    The page answers each packet with a word that it was taken; until then IN_FLIGHT of a stream are
    sent. So a slow page, or a slow way to it, is sent less and always what is new.
    """

    def __init__(self, streams: tuple[str, ...]) -> None:
        """Streams that come first are served first."""
        self._streams = {name: _Stream() for name in streams}

    def put(self, stream: str, group: Hashable, packet: bytes) -> None:
        """Take a packet to be sent; group: of what it is a part."""
        slot = self._streams[stream]
        if slot.group != group:
            slot.waiting.clear()
            slot.group = group
        slot.waiting.append(packet)

    @property
    def is_ready(self) -> bool:
        """Something waits that the page can take."""
        return any(slot.waiting and slot.in_flight < IN_FLIGHT for slot in self._streams.values())

    def next(self) -> bytes | None:
        """The packet to send now; None: nothing waits that the page can take."""
        for slot in self._streams.values():
            if slot.waiting and slot.in_flight < IN_FLIGHT:
                slot.in_flight += 1
                return slot.waiting.popleft()
        return None

    def taken(self, stream: str) -> None:
        """The page has taken a packet."""
        slot = self._streams[stream]
        slot.in_flight = max(slot.in_flight - 1, 0)

    def clear(self) -> None:
        """Send nothing of what waits."""
        for slot in self._streams.values():
            slot.waiting.clear()
