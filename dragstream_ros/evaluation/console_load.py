"""What the web console costs, and how soon it answers: the real graph, and pages that look on."""

from __future__ import annotations

import asyncio
import pathlib
import random
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

from dragstream_ros.console.pace import ATTENTIVE_SECS
from dragstream_ros.evaluation.console_pages import ANSWER_SECS, Crowd, Page, open_page
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
    Argument('weights_folder', 'predictor', 'weights_folder', ''),
    Argument('seed', 'tabletop_camera', 'seed', '')))
START_SECS = 60.0
DRAG_SHARE = 0.1        # length, of the picture's width
BETWEEN_DRAGS_SECS = 1.0, 2.0     # at random, so that they keep no step with the predictor
AS_FAST_AS_IT_CAN_HZ = 30.0
PAGES_GO_SECS = 1.0     # until nothing is felt any more of pages that were closed


class ConsoleBenchError(Exception):
    """The console did not work; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class ConsoleLoadConfig:
    """drags: how many. pairs: of periods of `secs`, with `idle_pages` open and with none.

    settle_secs: from the opening of pages until they are measured; they are idle then.
    """

    drags: int = 20
    idle_pages: int = 10
    pairs: int = 16
    secs: float = 6.0
    settle_secs: float = ATTENTIVE_SECS + 1.0
    world_model: str = 'tabletop'
    weights_folder: str = ''


def run_console_load(config: ConsoleLoadConfig) -> dict[str, Any]:
    """Run the graph and measure; plain data for JSON. Raises ConsoleBenchError."""
    keep_to_this_machine()
    set_up_transport()
    clips = _Meter()
    said = {'port': str(free_port()), 'world_model': config.world_model,
            'weights_folder': config.weights_folder}
    with tempfile.TemporaryDirectory() as folder:
        log_path = pathlib.Path(folder) / 'nodes.log'
        try:
            with log_path.open('w') as log, \
                    Listener({'prediction/clip': PredictedClip}, clips.take) as listener, \
                    NodeGroup(GRAPH, said=said, log=log) as nodes:
                clips.console_pid = nodes.processes[DRAG_CONSOLE.executable].pid
                return asyncio.run(_measure(config, said['port'], clips, listener))
        except (RunError, aiohttp.ClientError, asyncio.TimeoutError, EOFError) as error:
            reason = str(error) or 'it took too long'
            raise ConsoleBenchError(
                f'The console did not answer ({reason}); {last_complaint(log_path)}') from error


async def _measure(
        config: ConsoleLoadConfig, port: str, clips: _Meter, listener: Listener) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session:
        await _await_server(session, port)
        async with open_page(session, port) as page:
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
    with Crowd(port, config.idle_pages) as crowd:
        pairs = [await _pair(config, crowd, clips, pages_first=number % 2 == 1)
                 for number in range(config.pairs)]
    return {
        'drags': len(answers), 'refused_drags': len(answers) - len(answered),
        'drag_to_first_frame_secs': percentiles(answered),
        'camera_hz': camera_hz, 'idle_pages': config.idle_pages,
        'idle_camera_hz': min(with_pages.pictures_hz for _, with_pages in pairs),
        'clips_per_sec': [(without.clips_hz, with_pages.clips_hz) for without, with_pages in pairs],
        'cost_of_idle_pages': asdict(median_with_interval([
            1 - with_pages.clips_hz / without.clips_hz for without, with_pages in pairs])),
        # In cores: CPU seconds a second, with pages less without.
        'console_cores': asdict(median_with_interval([
            with_pages.console_cores - without.console_cores for without, with_pages in pairs])),
        'pages_own_cores': asdict(median_with_interval([
            with_pages.pages_cores - without.pages_cores for without, with_pages in pairs]))}


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
        config: ConsoleLoadConfig, crowd: Crowd, clips: _Meter, *, pages_first: bool
) -> tuple[_Period, _Period]:
    """Without a page, and with many; what changes slowly is against each of them as often."""
    periods = {}
    for has_pages in (pages_first, not pages_first):
        if has_pages:
            await crowd.come()
            await asyncio.sleep(config.settle_secs)
        periods[has_pages] = await clips.measure(config, crowd)
        if has_pages:
            await crowd.go()
            await asyncio.sleep(PAGES_GO_SECS)
    return periods[False], periods[True]


async def _drag(page: Page, number: int) -> float | None:
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
    is_served = await asyncio.wait_for(
        page.hold({**drag, 'handles': [handle]}, f'drag_{number}'), ANSWER_SECS)
    answered = time.monotonic()
    await page.say({**drag, 'phase': 'cancel', 'handles': []})
    await asyncio.sleep(random.uniform(*BETWEEN_DRAGS_SECS))
    return answered - pressed if is_served else None


@dataclass(frozen=True, kw_only=True)
class _Period:
    """Rates of some seconds: clips, camera pictures of each page, and CPU seconds a second."""

    clips_hz: float
    pictures_hz: float
    console_cores: float
    pages_cores: float


class _Meter:
    """Notes when clips come, in the listener's thread. console_pid: set from outside."""

    console_pid: int

    def __init__(self) -> None:
        self._arrivals_ns: list[int] = []

    def take(self, topic: str, cdr: bytes, arrival_ns: int) -> None:
        self._arrivals_ns.append(arrival_ns)

    async def measure(self, config: ConsoleLoadConfig, crowd: Crowd) -> _Period:
        """The next seconds."""
        self._arrivals_ns.clear()
        before = await self._readings(crowd)
        await asyncio.sleep(config.secs)
        arrivals_ns = list(self._arrivals_ns)
        taken_secs, pictures, console_secs, pages_secs = (
            now - then for now, then in zip(await self._readings(crowd), before))
        if len(arrivals_ns) < 2:
            raise ConsoleBenchError('The predictor does not keep up; is the computer busy?')
        # From the first to the last: to count those of a period would be wrong by one.
        return _Period(
            clips_hz=(len(arrivals_ns) - 1) * 1e9 / (arrivals_ns[-1] - arrivals_ns[0]),
            pictures_hz=pictures / taken_secs / config.idle_pages,
            console_cores=console_secs / taken_secs, pages_cores=pages_secs / taken_secs)

    async def _readings(self, crowd: Crowd) -> tuple[float, ...]:
        return (time.monotonic(), await crowd.pictures(),
                cpu_secs_of(self.console_pid), cpu_secs_of(crowd.pid))


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return int(free.getsockname()[1])
