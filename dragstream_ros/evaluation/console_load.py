"""What the web console costs, and how soon it answers: the real graph, and pages without a browser.

A page here is a WebSocket that takes pictures as the real one does, but decodes and draws nothing.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

from dragstream_ros.console.packets import unpack
from dragstream_ros.evaluation.listener import Listener
from dragstream_ros.evaluation.machine import cpu_secs_of
from dragstream_ros.evaluation.metrics import median_with_interval, percentiles
from dragstream_ros.evaluation.run_guard import keep_to_this_machine, last_complaint
from dragstream_ros.graph import DRAG_CONSOLE, PREDICTOR, TABLETOP_CAMERA, Argument, Launch
from dragstream_ros.msg import PredictedClip
from dragstream_ros.runner import NodeGroup, RunError
from dragstream_ros.transport import set_up_transport

GRAPH = Launch('bench', 'the console with a simulated robot', (
    TABLETOP_CAMERA, PREDICTOR, DRAG_CONSOLE), (
    Argument('port', 'drag_console', 'port', ''),
    Argument('world_model', 'predictor', 'world_model', ''),
    Argument('weights_folder', 'predictor', 'weights_folder', '')))
START_SECS = 60.0
DRAG_SHARE = 0.1        # length, of the picture's width
ANSWER_SECS = 20.0
BETWEEN_DRAGS_SECS = 1.5
AS_FAST_AS_IT_CAN_HZ = 30.0
PAGES_COME_SECS = 1.0   # until pages that were opened or closed make themselves felt


class ConsoleBenchError(Exception):
    """The console did not work; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class ConsoleLoadConfig:
    """drags: how many. pairs: of periods of `secs`, with `idle_pages` open and with none."""

    drags: int = 20
    idle_pages: int = 10
    pairs: int = 8
    secs: float = 8.0
    world_model: str = 'tabletop'
    weights_folder: str = ''


def run_console_load(config: ConsoleLoadConfig) -> dict[str, Any]:
    """Run the graph and measure; plain data for JSON. Raises ConsoleBenchError."""
    keep_to_this_machine()
    set_up_transport()
    clips = _Meter()
    said = {'port': str(_free_port()), 'world_model': config.world_model,
            'weights_folder': config.weights_folder}
    with tempfile.TemporaryDirectory() as folder:
        log_path = pathlib.Path(folder) / 'nodes.log'
        try:
            with log_path.open('w') as log, \
                    Listener({'prediction/clip': PredictedClip}, clips.take) as listener, \
                    NodeGroup(GRAPH, said=said, log=log) as nodes:
                clips.console_pid = nodes.processes[DRAG_CONSOLE.executable].pid
                return asyncio.run(_measure(config, said['port'], clips, listener))
        except (RunError, aiohttp.ClientError, asyncio.TimeoutError) as error:
            reason = str(error) or 'it took too long'
            raise ConsoleBenchError(
                f'The console did not answer ({reason}); {last_complaint(log_path)}') from error


async def _measure(
        config: ConsoleLoadConfig, port: str, clips: _Meter, listener: Listener) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session:
        await _await_server(session, port)
        async with _page(session, port) as page:
            await asyncio.wait_for(page.predicted.wait(), START_SECS)
            n_before, since = page.n_camera, time.monotonic()
            answers = [await _drag(page, number) for number in range(config.drags)]
            answered = [secs for secs in answers if secs is not None]
            camera_hz = (page.n_camera - n_before) / (time.monotonic() - since)
        if not answered:
            raise ConsoleBenchError('Not one drag was answered; is the computer busy?')
        trouble = listener.set_parameter('predictor', 'anchor_rate_hz', AS_FAST_AS_IT_CAN_HZ)
        if trouble:
            raise ConsoleBenchError(f'The predictor cannot be hurried: {trouble}')
        pairs = [await _pair(config, session, port, clips) for _ in range(config.pairs)]
    return {
        'drags': len(answers), 'refused_drags': len(answers) - len(answered),
        'drag_to_first_frame_secs': percentiles(answered),
        'camera_hz': camera_hz, 'idle_pages': config.idle_pages,
        'clips_per_sec': [(without.clips_hz, with_pages.clips_hz) for without, with_pages in pairs],
        'cost_of_idle_pages': asdict(median_with_interval([
            1 - with_pages.clips_hz / without.clips_hz for without, with_pages in pairs])),
        # In cores: CPU seconds a second, with pages less without.
        'console_cores': asdict(median_with_interval([
            with_pages.console_cores - without.console_cores for without, with_pages in pairs])),
        'pages_own_cores': asdict(median_with_interval([
            with_pages.own_cores - without.own_cores for without, with_pages in pairs]))}


async def _await_server(session: aiohttp.ClientSession, port: str) -> None:
    deadline = time.monotonic() + START_SECS
    while True:
        try:
            async with session.get(f'http://127.0.0.1:{port}/'):
                return
        except aiohttp.ClientConnectionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


async def _pair(
        config: ConsoleLoadConfig, session: aiohttp.ClientSession, port: str, clips: _Meter
) -> tuple[_Period, _Period]:
    """With no page open, and right after it with many."""
    without = await clips.measure(config.secs)
    pages = [_page(session, port) for _ in range(config.idle_pages)]
    for page in pages:
        await page.__aenter__()
    with_pages = await clips.measure(config.secs)
    for page in pages:
        await page.__aexit__(None, None, None)
    return without, with_pages


async def _drag(page: _Page, number: int) -> float | None:
    """Seconds from the press until the first frame predicted with the drag is there.

    None: it was refused. An arm may cover the point before it is looked for in a newer picture.
    """
    stamp_ns, (width, height) = await page.newest_picture()
    start = [width / 2, height / 2]
    handle = {'path': [start, [start[0] + DRAG_SHARE * width, start[1]]], 'centre': None,
              'outline': []}
    drag = {'type': 'drag', 'number': number, 'mode': 'animate', 'picture': {
        'stream': 'camera', 'stamp_ns': stamp_ns, 'width': width, 'height': height}}
    pressed = time.monotonic()
    await page.say({**drag, 'phase': 'begin', 'handles': [handle]})
    is_served = await asyncio.wait_for(page.answer_to(f'drag_{number}'), ANSWER_SECS)
    answered = time.monotonic()
    await page.say({**drag, 'phase': 'cancel', 'handles': []})
    await asyncio.sleep(BETWEEN_DRAGS_SECS)
    return answered - pressed if is_served else None


class _Page:
    """One open page."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self.n_camera = 0
        self.predicted = asyncio.Event()
        self._connection = connection
        self._newest: asyncio.Future = asyncio.get_running_loop().create_future()
        self._awaited_drag = ''
        self._answer: asyncio.Future = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Take what comes, as the page does."""
        async for message in self._connection:
            if message.type is aiohttp.WSMsgType.TEXT:
                words = json.loads(message.data)
                if words['type'] == 'problem' and not words['is_warning']:
                    self._hear(words['drag_id'], is_served=False)
                continue
            header, _ = unpack(message.data)
            await self.say({'type': 'taken', 'stream': header['stream']})
            if header['stream'] == 'camera':
                self.n_camera += 1
                if not self._newest.done():
                    self._newest.set_result(
                        (header['stamp_ns'], (header['width'], header['height'])))
                continue
            self.predicted.set()
            self._hear(header['drag_id'], is_served=True)

    def _hear(self, drag_id: object, *, is_served: bool) -> None:
        is_ours = self._awaited_drag and str(drag_id).endswith(self._awaited_drag)
        if is_ours and not self._answer.done():
            self._answer.set_result(is_served)

    async def say(self, message: dict[str, Any]) -> None:
        await self._connection.send_str(json.dumps(message))

    async def newest_picture(self) -> tuple[str, tuple[int, int]]:
        """Stamp and size of the next camera picture."""
        self._newest = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(self._newest, ANSWER_SECS)

    async def answer_to(self, drag: str) -> bool:
        """Wait for the first clip of a drag: True; or that it is refused: False."""
        self._answer = asyncio.get_running_loop().create_future()
        self._awaited_drag = drag
        return bool(await self._answer)


@asynccontextmanager
async def _page(session: aiohttp.ClientSession, port: str) -> AsyncIterator[_Page]:
    origin = f'http://127.0.0.1:{port}'
    async with session.ws_connect(f'{origin}/socket', headers={'Origin': origin}) as connection:
        page = _Page(connection)
        running = asyncio.create_task(page.run())
        yield page
        running.cancel()


@dataclass(frozen=True, kw_only=True)
class _Period:
    """Rates of some seconds: clips, and CPU seconds of the console's process and of this one."""

    clips_hz: float
    console_cores: float
    own_cores: float


class _Meter:
    """Counts clips, in the listener's thread, and CPU time. console_pid: set from outside."""

    console_pid: int

    def __init__(self) -> None:
        self._count = 0

    def take(self, topic: str, cdr: bytes, arrival_ns: int) -> None:
        self._count += 1

    async def measure(self, secs: float) -> _Period:
        """The next seconds."""
        await asyncio.sleep(PAGES_COME_SECS)
        before = self._readings()
        await asyncio.sleep(secs)
        taken_secs, clips, console_secs, own_secs = (
            now - then for now, then in zip(self._readings(), before))
        return _Period(clips_hz=max(clips, 1) / taken_secs,
                       console_cores=console_secs / taken_secs, own_cores=own_secs / taken_secs)

    def _readings(self) -> tuple[float, ...]:
        return (time.monotonic(), self._count, cpu_secs_of(self.console_pid), time.process_time())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return int(free.getsockname()[1])
