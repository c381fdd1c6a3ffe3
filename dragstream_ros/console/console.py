"""What all pages share: the newest pictures, whose turn it is, how the robot is doing."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from aiohttp import web

from dragstream_ros.adapters.drag import DragPhase
from dragstream_ros.console.allowance import Allowance
from dragstream_ros.console.outline import brushed_outline, touched_outline
from dragstream_ros.console.pictures import (
    Album,
    Clip,
    Jpeg,
    camera_jpeg,
    camera_packet,
    clip_packet,
)
from dragstream_ros.console.requests import (
    DragRequest,
    Handle,
    Picture,
    Points,
    Refusal,
    RegionRequest,
    Request,
    ResetRequest,
)
from dragstream_ros.console.turn import Turn
from dragstream_ros.console.visitor import Visitor, Words
from dragstream_ros.errors import DragStreamError
from dragstream_ros.worker.mailbox import RawFrame

MOST_PAGES = 32
MOST_CLIPS_WAITING = 8
OUTLINES_KEPT = 64
STATE_EVERY_SECS = 0.25


class Robot(Protocol):
    """What the console asks of ROS. Called in the server's thread."""

    def drag(self, request: DragRequest, *, operator: str, drag_id: str, frame_id: str) -> None:
        """Publish a drag; frame_id is that of the picture dragged on, empty: not known any more."""

    def reset(self, answer: Callable[[str], None]) -> None:
        """Start the prediction over; answer is called with one sentence, in any thread."""

    def watch(self, is_watched: bool) -> None:
        """Somebody can see the pictures, or nobody can."""


@dataclass(frozen=True, kw_only=True)
class ConsoleConfig:
    """jpeg_quality: 1 to 100. camera_rate_hz: no more camera pictures a second are sent."""

    jpeg_quality: int = 85
    camera_rate_hz: float = 30.0


class Console:
    """All methods belong to the server's thread, except those of the section "from ROS".

    Pictures are compressed once for all pages, in a thread of their own, and only if somebody
    looks.
    """

    def __init__(
        self, robot: Robot, config: ConsoleConfig, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Start empty; call start() in the loop."""
        self._robot = robot
        self._config = config
        self._loop = loop
        self._visitors: dict[str, Visitor] = {}
        self._n_visitors = 0
        self._is_watched = False
        self._turn = Turn()
        self._held: dict[str, DragRequest] = {}
        self._albums = {'camera': Album(), 'prediction': Album()}
        self._outlines: OrderedDict[tuple[Hashable, ...], Points] = OrderedDict()
        self._camera: tuple[RawFrame, str] | None = None
        self._camera_allowance = Allowance(config.camera_rate_hz, burst=2)
        self._clips: deque[Clip] = deque(maxlen=MOST_CLIPS_WAITING)
        self._shown_clips: list[tuple[Hashable, bytes]] = []
        self._something = asyncio.Event()
        self._encoder = ThreadPoolExecutor(1, 'console-jpeg')
        self._finder = ThreadPoolExecutor(1, 'console-outline')
        self._tasks: list[asyncio.Task] = []
        self._state: Words = {}
        self._trouble: Words | None = None

    def start(self) -> None:
        """Begin to serve."""
        self._tasks = [self._loop.create_task(self._show()), self._loop.create_task(self._report())]

    async def stop(self) -> None:
        """End what start() began."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._encoder.shutdown(cancel_futures=True)
        self._finder.shutdown(cancel_futures=True)

    # From ROS, in any thread.

    def show_camera(self, raw: RawFrame, frame_id: str) -> None:
        """Show a camera picture; the newest wins."""
        self._camera = (raw, frame_id)
        self._loop.call_soon_threadsafe(self._something.set)

    def show_clip(self, clip: Clip) -> None:
        """Show a predicted chunk."""
        self._clips.append(clip)
        self._loop.call_soon_threadsafe(self._something.set)

    def tell(self, words: Words) -> None:
        """Tell all pages; newer words of the same type take the place of those not yet sent."""
        self._loop.call_soon_threadsafe(self._tell, words)

    # From the pages.

    async def visit(self, socket: web.WebSocketResponse) -> None:
        """Serve one page until it is gone."""
        self._n_visitors += 1
        visitor = Visitor(f'operator {self._n_visitors}', socket, self)
        self._visitors[visitor.name] = visitor
        try:
            self.looks(visitor)
            self._send_state()
            if self._trouble is not None:
                visitor.tell(self._trouble)
            await visitor.run()
        finally:
            del self._visitors[visitor.name]
            self._part(visitor)

    @property
    def is_full(self) -> bool:
        """No more pages can be served."""
        return len(self._visitors) >= MOST_PAGES

    def looks(self, visitor: Visitor) -> None:
        """A page came into sight, or went out of it."""
        self._watch()
        for group, packet in self._shown_clips:
            visitor.show('prediction', group, packet)

    def _watch(self) -> None:
        is_watched = any(visitor.is_looking for visitor in self._visitors.values())
        if is_watched != self._is_watched:
            self._is_watched = is_watched
            self._robot.watch(is_watched)

    async def serve(self, visitor: Visitor, request: Request) -> Words | None:
        """Do what a page asks for; raises Refusal."""
        if isinstance(request, RegionRequest):
            return await self._region(request)
        if isinstance(request, DragRequest):
            return await self._drag(visitor, request)
        assert isinstance(request, ResetRequest)
        self._take_turn(visitor)
        self._robot.reset(lambda sentence: self.tell({'type': 'reset', 'sentence': sentence}))
        return None

    # Drags.

    async def _drag(self, visitor: Visitor, request: DragRequest) -> Words | None:
        self._take_turn(visitor)
        picture = self._albums[request.picture.stream].find(request.picture.stamp_ns)
        before = self._held.get(visitor.name)
        is_held = before is not None and before.number == request.number
        if picture is not None and picture.size != request.picture.size:
            raise Refusal('The picture that was dragged on has another size; drag again.')
        if picture is None and not is_held and request.phase is not DragPhase.CANCEL:
            raise Refusal('The picture that was dragged on is too old; drag on a fresh one.')
        if request.phase in (DragPhase.END, DragPhase.CANCEL):
            self._held.pop(visitor.name, None)
            self._publish(visitor, request, picture)
            return None
        handles = [await self._with_outline(handle, request) for handle in request.handles]
        request = replace(request, handles=tuple(handles))
        self._held[visitor.name] = request
        self._publish(visitor, request, picture)
        return {'type': 'outlines', 'number': request.number,
                'drag_id': _drag_id(visitor, request),
                'outlines': [handle.outline for handle in handles]}

    def _publish(
        self, visitor: Visitor, request: DragRequest, picture: Jpeg | None = None
    ) -> None:
        self._robot.drag(
            request, operator=visitor.name, drag_id=_drag_id(visitor, request),
            frame_id='' if picture is None else picture.frame_id)

    def _take_turn(self, visitor: Visitor) -> None:
        now = time.monotonic()
        if not self._turn.take(visitor.name, now):
            raise Refusal(f'{self._turn.holder(now).capitalize()} is dragging now; you can drag '
                          'a few seconds after they let go.')

    def _part(self, visitor: Visitor) -> None:
        """A page is gone: let go of what it holds."""
        held = self._held.pop(visitor.name, None)
        if held is not None:
            self._publish(visitor, replace(held, phase=DragPhase.END, handles=()))
        self._turn.leave(visitor.name)
        self._watch()

    # Regions.

    async def _with_outline(self, handle: Handle, request: DragRequest) -> Handle:
        """Find what is grabbed, so that the operator sees just what the predictor will move.

        The same point of the same picture has the same outline, also when that is long gone.
        """
        if handle.outline:
            return handle
        return replace(handle, outline=await self._touched(request.picture, handle.path[0]))

    async def _touched(self, picture: Picture, point_px: tuple[float, float]) -> Points:
        """What stands out around a point; nothing if the picture is not known any more."""
        key = (picture, point_px)
        kept = self._albums[picture.stream].find(picture.stamp_ns)
        if key not in self._outlines and kept is not None:
            self._outlines[key] = await self._loop.run_in_executor(
                self._finder, _find_outline, kept, point_px)
            if len(self._outlines) > OUTLINES_KEPT:
                self._outlines.popitem(last=False)
        return self._outlines.get(key, ())

    async def _region(self, request: RegionRequest) -> Words:
        """Answer what region is meant; the page draws it and sends it with a drag."""
        if request.radius_px is None:
            outline = await self._touched(request.picture, request.stroke[0])
        else:
            find = functools.partial(
                brushed_outline, request.stroke, radius_px=request.radius_px,
                size=request.picture.size)
            outline = await self._loop.run_in_executor(self._finder, find)
        return {'type': 'region', 'number': request.number, 'outline': outline}

    # Pictures.

    async def _show(self) -> None:
        """Compress what is new and hand it to all pages."""
        while True:
            await self._something.wait()
            self._something.clear()
            camera, self._camera = self._camera, None
            if camera is not None and self._is_watched:
                await self._show_camera(*camera)
            while self._clips and self._is_watched:
                await self._show_clip(self._clips.popleft())

    async def _show_camera(self, raw: RawFrame, frame_id: str) -> None:
        if not self._camera_allowance.take(time.monotonic()):
            return
        encode = functools.partial(camera_jpeg, raw, frame_id, quality=self._config.jpeg_quality)
        try:
            jpeg = await self._loop.run_in_executor(self._encoder, encode)
        except DragStreamError as error:
            self._tell({'type': 'problem', 'sentence': str(error), 'is_warning': False,
                        'code': error.code.name, 'drag_id': ''})
            return
        self._albums['camera'].add(jpeg)
        packet = camera_packet(jpeg)
        for visitor in self._visitors.values():
            visitor.show('camera', jpeg.stamp_ns, packet)

    async def _show_clip(self, clip: Clip) -> None:
        encode = functools.partial(clip_packet, clip, quality=self._config.jpeg_quality)
        packet, last_frame = await self._loop.run_in_executor(self._encoder, encode)
        self._albums['prediction'].add(last_frame)
        group = (clip.epoch, clip.anchor)
        self._shown_clips = [shown for shown in self._shown_clips if shown[0] == group]
        self._shown_clips.append((group, packet))
        for visitor in self._visitors.values():
            visitor.show('prediction', group, packet)

    # Words.

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(STATE_EVERY_SECS)
            self._send_state()

    def _send_state(self) -> None:
        """Tell every page who is here and whose turn it is, if that has changed."""
        holder = self._turn.holder(time.monotonic())
        state: Words = {
            'type': 'state', 'holder': holder, 'operators': list(self._visitors)}
        if state == self._state:
            return
        self._state = state
        for visitor in self._visitors.values():
            visitor.tell({**state, 'you': visitor.name})

    def _tell(self, words: Words) -> None:
        if words['type'] == 'prediction':
            self._trouble = None
        elif words['type'] == 'problem' and not words['drag_id']:
            self._trouble = words  # for pages that come later
        for visitor in self._visitors.values():
            visitor.tell(words)


def _drag_id(visitor: Visitor, request: DragRequest) -> str:
    return f'console {visitor.name} drag {request.number}'.replace(' ', '_')


def _find_outline(picture: Jpeg, point_px: tuple[float, float]) -> Points:
    return touched_outline(picture.pixels(), point_px)
