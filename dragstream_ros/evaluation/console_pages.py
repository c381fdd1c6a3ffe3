"""Pages of the web console without a browser: WebSockets that take pictures as the real page does.

They decode and draw nothing. One is used where it is measured; a crowd has a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any

import aiohttp

from dragstream_ros.console.packets import unpack

ANSWER_SECS = 20.0
ALIVE_SECS = 0.5        # as the page's ALIVE_MS
LOWEST_PRIORITY = 19


class Page:
    """One open page.

    n_camera: pictures that have come. predicted: set with the first prediction.
    """

    def __init__(self, connection: aiohttp.ClientWebSocketResponse[bool]) -> None:
        """Take over a connection; then run()."""
        self.n_camera = 0
        self.predicted = asyncio.Event()
        self._connection = connection
        self._newest: asyncio.Future = asyncio.get_running_loop().create_future()
        self._awaited_drag = ''
        self._answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

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
        """Send a message as the page would."""
        await self._connection.send_str(json.dumps(message))

    async def newest_picture(self) -> tuple[str, tuple[int, int]]:
        """Stamp and size (width, height) of the next camera picture."""
        self._newest = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(self._newest, ANSWER_SECS)

    async def hold(self, drag: dict[str, Any], drag_id: str) -> bool:
        """Begin a drag and hold it until its first clip comes: True; or it is refused: False.

        As the page does, it says it again now and then: the predictor may not be there yet.
        drag: without its phase. drag_id: how the drag's name ends.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self._awaited_drag = drag_id
        await self.say({**drag, 'phase': 'begin'})
        while not (await asyncio.wait([self._answer], timeout=ALIVE_SECS))[0]:
            await self.say({**drag, 'phase': 'update'})
        return self._answer.result()


@asynccontextmanager
async def open_page(session: aiohttp.ClientSession, port: str) -> AsyncIterator[Page]:
    """Open a page of the console on this machine."""
    origin = f'http://127.0.0.1:{port}'
    async with session.ws_connect(f'{origin}/socket', headers={'Origin': origin}) as connection:
        page = Page(connection)
        running = asyncio.create_task(page.run())
        yield page
        running.cancel()


class Crowd:
    """Pages that only look, in a process of the lowest priority: on a robot they are elsewhere.

    A context manager. pid: of the process.
    """

    def __init__(self, port: str, count: int) -> None:
        """So many pages of the console at this port."""
        # Forked, a copy of the middleware's threads would be left half alive.
        context = multiprocessing.get_context('spawn')
        self._pipe, self._theirs = context.Pipe()
        self._process = context.Process(
            target=_visit, args=(port, count, self._theirs), daemon=True)

    def __enter__(self) -> Crowd:
        self._process.start()
        self._theirs.close()  # so that we notice if the process ends
        self.pid = self._process.pid or 0
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    async def come(self) -> None:
        """Open the pages; returns when each has a picture. These raise EOFError if they died."""
        await self._ask('come')

    async def pictures(self) -> int:
        """How many camera pictures the open pages have got, all together."""
        return await self._ask('count')

    async def go(self) -> None:
        """Close the pages."""
        await self._ask('go')

    async def _ask(self, word: str) -> int:
        self._pipe.send(word)
        return int(await asyncio.wait_for(asyncio.to_thread(self._pipe.recv), ANSWER_SECS))


def _visit(port: str, count: int, pipe: Connection) -> None:
    """Serve a Crowd in the process of its pages."""
    os.nice(LOWEST_PRIORITY)
    asyncio.run(_obey(port, count, pipe))


async def _obey(port: str, count: int, pipe: Connection) -> None:
    pages: list[Page] = []
    async with aiohttp.ClientSession() as session, AsyncExitStack() as doors:
        while True:
            word = await asyncio.to_thread(pipe.recv)
            if word == 'come':
                pages = [await doors.enter_async_context(open_page(session, port))
                         for _ in range(count)]
                await asyncio.gather(*(page.newest_picture() for page in pages))
            elif word == 'go':
                await doors.aclose()
            pipe.send(sum(page.n_camera for page in pages))
