"""What all pages share: the pictures, whose turn it is, how the robot is doing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from aiohttp import web

from dragstream_ros.adapters.drag import DragPhase
from dragstream_ros.console.picture_feed import PictureFeed, PictureFeedConfig
from dragstream_ros.console.pictures import Jpeg
from dragstream_ros.console.region_finder import RegionFinder
from dragstream_ros.console.requests import (
    DragRequest,
    Refusal,
    RegionRequest,
    Request,
    ResetRequest,
)
from dragstream_ros.console.turn import Turn
from dragstream_ros.console.visitor import Visitor, Words
from dragstream_ros.errors import DragStreamError

MOST_PAGES = 32
STATE_EVERY_SECS = 0.25


class Robot(Protocol):
    """What the console asks of ROS. Called in the server's thread."""

    def drag(self, request: DragRequest, *, operator: str, drag_id: str, frame_id: str) -> None:
        """Publish a drag; frame_id is that of the picture dragged on, empty: not known any more."""

    def reset(self, answer: Callable[[str], None]) -> None:
        """Start the prediction over; answer is called with one sentence, in any thread."""

    def watch(self, is_watched: bool) -> None:
        """Somebody can see the pictures, or nobody can."""


class Console:
    """All methods belong to the server's thread, except tell() and those of the feed that say so.

    feed: takes the pictures.
    """

    def __init__(
        self, robot: Robot, config: PictureFeedConfig, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Start empty; call start() in the loop."""
        self.feed = PictureFeed(
            config, loop, screens=lambda: list(self._visitors.values()), on_error=self._on_error)
        self._robot = robot
        self._loop = loop
        self._regions = RegionFinder(self.feed.albums)
        self._visitors: dict[str, Visitor] = {}
        self._n_visitors = 0
        self._turn = Turn()
        self._held: dict[str, DragRequest] = {}
        self._reporting: asyncio.Task[None] | None = None
        self._state: Words = {}
        self._trouble: Words | None = None

    def start(self) -> None:
        """Begin to serve."""
        self.feed.start()
        self._reporting = self._loop.create_task(self._report())

    async def stop(self) -> None:
        """End what start() began."""
        if self._reporting is not None:
            self._reporting.cancel()
        self.feed.stop()
        self._regions.stop()

    # Pages come and go.

    async def visit(self, socket: web.WebSocketResponse) -> None:
        """Serve one page until it is gone."""
        self._n_visitors += 1
        visitor = Visitor(f'operator {self._n_visitors}', socket, self)
        self._visitors[visitor.name] = visitor
        try:
            self.looks(visitor, has_come=True)
            self._send_state()
            if self._trouble is not None:
                visitor.tell(self._trouble)
            await visitor.run()
        finally:
            del self._visitors[visitor.name]
            self._let_go(visitor)
            self._turn.leave(visitor.name)
            self._watch()

    @property
    def is_full(self) -> bool:
        """No more pages can be served."""
        return len(self._visitors) >= MOST_PAGES

    def looks(self, visitor: Visitor, *, has_come: bool) -> None:
        """A page came into sight, or went out of it, or a hand moves over it."""
        self._watch()
        if visitor.is_looking:
            self.feed.attend()
        if has_come:
            self.feed.catch_up(visitor)

    def _watch(self) -> None:
        is_watched = any(visitor.is_looking for visitor in self._visitors.values())
        if is_watched != self.feed.is_watched:
            self.feed.watch(is_watched)
            self._robot.watch(is_watched)

    # What pages ask for.

    async def serve(self, visitor: Visitor, request: Request) -> Words | None:
        """Do it; returns an answer. Raises Refusal."""
        self.feed.attend()
        if isinstance(request, RegionRequest):
            return {'type': 'region', 'number': request.number,
                    'outline': await self._regions.find(request)}
        self._take_turn(visitor)
        if isinstance(request, DragRequest):
            return await self._drag(visitor, request)
        assert isinstance(request, ResetRequest)
        self._robot.reset(lambda sentence: self.tell({'type': 'reset', 'sentence': sentence}))
        return None

    def _take_turn(self, visitor: Visitor) -> None:
        now = time.monotonic()
        if not self._turn.take(visitor.name, now):
            raise Refusal(f'{self._turn.holder(now).capitalize()} is dragging now; you can drag '
                          'a few seconds after they let go.')

    async def _drag(self, visitor: Visitor, request: DragRequest) -> Words | None:
        picture = self._dragged_on(visitor, request)
        if request.phase in (DragPhase.END, DragPhase.CANCEL):
            self._held.pop(visitor.name, None)
            self._publish(visitor, request, picture)
            return None
        request = replace(request, handles=tuple([
            await self._regions.with_outline(handle, request.picture)
            for handle in request.handles]))
        self._held[visitor.name] = request
        self._publish(visitor, request, picture)
        return {'type': 'outlines', 'number': request.number,
                'drag_id': _drag_id(visitor, request),
                'outlines': [handle.outline for handle in request.handles]}

    def _dragged_on(self, visitor: Visitor, request: DragRequest) -> Jpeg | None:
        """The picture a drag is about; None: it has been let go of while the drag is held."""
        picture = self.feed.albums[request.picture.stream].find(request.picture.stamp_ns)
        if picture is not None and picture.size != request.picture.size:
            raise Refusal('The picture that was dragged on has another size; drag again.')
        held = self._held.get(visitor.name)
        is_held = held is not None and held.number == request.number
        if picture is None and not is_held and request.phase is not DragPhase.CANCEL:
            raise Refusal('The picture that was dragged on is too old; drag on a fresh one.')
        return picture

    def _let_go(self, visitor: Visitor) -> None:
        held = self._held.pop(visitor.name, None)
        if held is not None:
            self._publish(visitor, replace(held, phase=DragPhase.END, handles=()))

    def _publish(
        self, visitor: Visitor, request: DragRequest, picture: Jpeg | None = None
    ) -> None:
        self._robot.drag(
            request, operator=visitor.name, drag_id=_drag_id(visitor, request),
            frame_id='' if picture is None else picture.frame_id)

    # What pages are told.

    def tell(self, words: Words) -> None:
        """Tell all pages, from any thread; newer words of a type replace those not yet sent."""
        self._loop.call_soon_threadsafe(self._tell, words)

    def _tell(self, words: Words) -> None:
        if words['type'] == 'prediction':
            self._trouble = None
        elif words['type'] == 'problem' and not words['drag_id']:
            self._trouble = words  # for pages that come later
        for visitor in self._visitors.values():
            visitor.tell(words)

    def _on_error(self, error: DragStreamError) -> None:
        self._tell({'type': 'problem', 'sentence': str(error), 'code': error.code.name,
                    'is_warning': False, 'drag_id': ''})

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(STATE_EVERY_SECS)
            self._send_state()

    def _send_state(self) -> None:
        """Tell every page who is here and whose turn it is, if that has changed."""
        state: Words = {
            'type': 'state', 'holder': self._turn.holder(time.monotonic()),
            'operators': list(self._visitors)}
        if state == self._state:
            return
        self._state = state
        for visitor in self._visitors.values():
            visitor.tell({**state, 'you': visitor.name})


def _drag_id(visitor: Visitor, request: DragRequest) -> str:
    return f'console {visitor.name} drag {request.number}'.replace(' ', '_')
