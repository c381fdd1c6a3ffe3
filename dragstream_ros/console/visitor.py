"""One page that is open: what it asks for goes in, pictures and words go out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Hashable
from typing import Protocol

from aiohttp import WSMsgType, web

from dragstream_ros.console.allowance import Allowance
from dragstream_ros.console.outbox import Outbox
from dragstream_ros.console.requests import (
    STREAMS,
    Looking,
    Refusal,
    Request,
    Taken,
    parse_request,
)

MESSAGES_HZ, MESSAGES_AT_ONCE = 150.0, 300
WORK_HZ, WORK_AT_ONCE = 40.0, 40  # a page that drags sends 20 a second
Words = dict[str, object]


class Host(Protocol):
    """What a visitor needs of the console."""

    async def serve(self, visitor: Visitor, request: Request) -> Words | None:
        """Do what the page asks for; returns an answer.

        :raises Refusal: it is not done
        """

    def looks(self, visitor: Visitor, *, has_come: bool) -> None:
        """The page came into sight, or went out of it, or a hand moves over it."""


class Visitor:
    """A connection and its outbox; all methods belong to the server's thread.

    name: how operators tell each other apart.
    """

    def __init__(self, name: str, socket: web.WebSocketResponse, host: Host) -> None:
        """Take over an open connection; then await run()."""
        self.name = name
        self.is_looking = True
        self._socket = socket
        self._host = host
        self._outbox = Outbox(STREAMS)
        self._words: dict[str, str] = {}
        self._something = asyncio.Event()
        self._messages = Allowance(MESSAGES_HZ, burst=MESSAGES_AT_ONCE)
        self._work = Allowance(WORK_HZ, burst=WORK_AT_ONCE)
        self._complaints = Allowance(1.0, burst=1)

    def show(self, stream: str, group: Hashable, packet: bytes) -> None:
        """Send a picture as soon as the page can take it, unless a newer one comes first."""
        if self.is_looking:
            self._outbox.put(stream, group, packet)
            self._send_if_ready()

    def tell(self, words: Words) -> None:
        """Send words soon; newer ones of the same type take their place."""
        self._words[str(words['type'])] = json.dumps(words)
        self._something.set()

    async def run(self) -> None:
        """Serve the page until it is gone."""
        sender = asyncio.create_task(self._send())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._take(message.data)
                elif message.type is WSMsgType.BINARY:
                    await self._say({'type': 'refused', 'sentence': 'Only text is understood.'})
        except ConnectionError:
            pass  # it went while it was being answered
        finally:
            sender.cancel()

    async def _take(self, text: str) -> None:
        now = time.monotonic()
        try:
            if not self._messages.take(now):
                raise _TooMany
            request = parse_request(text)
            if isinstance(request, Taken):
                self._outbox.taken(request.stream)
                self._send_if_ready()
                return
            if isinstance(request, Looking):
                self._look(request.is_seen)
                return
            if not self._work.take(now):
                raise _TooMany
            answer = await self._host.serve(self, request)
        except _TooMany:
            if not self._complaints.take(now):
                return
            answer = {'type': 'refused', 'sentence': 'This page sends more than the console takes; '
                      'the rest is ignored.'}
        except Refusal as refusal:
            answer = {'type': 'refused', 'sentence': str(refusal)}
        if answer is not None:
            await self._say(answer)

    def _look(self, is_seen: bool) -> None:
        has_come = is_seen and not self.is_looking
        self.is_looking = is_seen
        if not is_seen:
            self._outbox.clear()
        self._host.looks(self, has_come=has_come)

    def _send_if_ready(self) -> None:
        if self._outbox.is_ready:  # a page that is behind is no work
            self._something.set()

    async def _say(self, words: Words) -> None:
        await self._socket.send_str(json.dumps(words))

    async def _send(self) -> None:
        """Send what waits; words first. Waits here for a slow connection, and nobody else does."""
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._words:
                    await self._socket.send_str(self._words.pop(next(iter(self._words))))
                while (packet := self._outbox.next()) is not None:
                    await self._socket.send_bytes(packet)
        except ConnectionError:
            pass  # run() notices, too


class _TooMany(Exception):
    """More messages than are allowed."""
