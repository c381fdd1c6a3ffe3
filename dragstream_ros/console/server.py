"""The web server of the console: a few fixed files, one WebSocket, and a thread to serve them."""

from __future__ import annotations

import asyncio
import pathlib
import threading
from collections.abc import Awaitable
from dataclasses import dataclass

from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler

from dragstream_ros.console.access import COOKIE, HEADERS, Access
from dragstream_ros.console.console import Console, Robot
from dragstream_ros.console.picture_feed import PictureFeedConfig
from dragstream_ros.console.requests import LONGEST_MESSAGE_BYTES

PAGE = pathlib.Path(__file__).with_name('page')
CONTENT_TYPES = {
    '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.svg': 'image/svg+xml'}
HEARTBEAT_SECS = 4.0  # a connection that is silent for this long is gone
START_SECS = 10.0
STOP_SECS = 2.0
WRONG_TOKEN_SECS = 0.5  # between a wrong token and its answer


class ServerError(Exception):
    """The page cannot be served; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Where to listen; port 0: any that is free."""

    address: str = '127.0.0.1'
    port: int = 8088


class ConsoleServer:
    """Serves the page from a thread of its own, with an event loop of its own.

    port: the one it listens on.
    """

    def __init__(
        self, robot: Robot, *, access: Access, config: ServerConfig, feed: PictureFeedConfig
    ) -> None:
        """Listen, and return when pages can be opened.

        :raises ServerError: the address or the port cannot be had
        """
        self._loop = asyncio.new_event_loop()
        self.console = Console(robot, feed, self._loop)
        self._access = access
        self._sockets: set[web.WebSocketResponse] = set()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name='console-server', daemon=True)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._start(config), self._loop)
        try:
            self.port = starting.result(START_SECS)
        except (OSError, UnicodeError) as error:
            self.stop()
            raise ServerError(
                f'Cannot listen on {config.address}:{config.port}: {error}.') from error

    def stop(self) -> None:
        """Close all connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(2 * STOP_SECS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECS)
        if not self._loop.is_running():
            self._loop.close()

    async def _start(self, config: ServerConfig) -> int:
        app = web.Application(middlewares=[self._guard], client_max_size=1024)
        app.router.add_get('/', self._index)
        app.router.add_get('/socket', self._socket)
        for file in sorted(PAGE.iterdir()):
            if file.suffix in CONTENT_TYPES and file.name != 'index.html':
                app.router.add_get(f'/{file.name}', _file_handler(file))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, config.address, config.port)
        await site.start()
        self.console.start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        await _at_most(STOP_SECS / 2, *(
            socket.close(code=WSCloseCode.GOING_AWAY, message=b'The console ends.')
            for socket in self._sockets))
        await self.console.stop()
        await _at_most(STOP_SECS / 2, self._runner.cleanup())

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let nobody in who may not, and send every answer with the headers that keep it safe."""
        if not self._access.may_enter(request):
            response: web.StreamResponse = await self._gate(request)
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = _words(error.status, error.reason)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def _gate(self, request: web.Request) -> web.StreamResponse:
        """Take the token from the address, once; a cookie remembers it."""
        said = request.query.get('token', '')
        if request.path == '/' and self._access.is_token(said):
            response = web.Response(status=303, headers={'Location': '/'})
            response.set_cookie(COOKIE, said, httponly=True, samesite='Strict')
            return response
        if not self._access.token:
            return _words(403, 'This console serves this machine only, as 127.0.0.1 or localhost.')
        if said:
            await asyncio.sleep(WRONG_TOKEN_SECS)
        return _words(403, 'This console needs its token: add ?token=... to the address.')

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / 'index.html')

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self._access.may_speak(request):
            return _words(403, 'Only the page of this console may speak here.')
        if self.console.is_full:
            return _words(503, 'Too many pages are open; please close one.')
        socket = web.WebSocketResponse(
            max_msg_size=LONGEST_MESSAGE_BYTES, heartbeat=HEARTBEAT_SECS, compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await self.console.visit(socket)
        finally:
            self._sockets.discard(socket)
        return socket


def _file_handler(file: pathlib.Path) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(file, headers={'Content-Type': CONTENT_TYPES[file.suffix]})

    return handle


async def _at_most(secs: float, *tasks: Awaitable[object]) -> None:
    """Do all this at once, but do not wait longer for it."""
    await asyncio.gather(
        *(asyncio.wait_for(task, secs) for task in tasks), return_exceptions=True)


def _words(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=f'{sentence}\n')
