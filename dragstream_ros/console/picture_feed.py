"""Brings pictures from ROS to all pages: compressed once, in a thread, only if anybody looks."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from dragstream_ros.console.allowance import Allowance
from dragstream_ros.console.pictures import Album, Clip, camera_jpeg, camera_packet, clip_packet
from dragstream_ros.errors import DragStreamError
from dragstream_ros.worker.mailbox import RawFrame

MOST_CLIPS_WAITING = 8


class Screen(Protocol):
    """A page that shows pictures."""

    def show(self, stream: str, group: Hashable, packet: bytes) -> None:
        """Show a picture soon, unless one of another group comes first."""


@dataclass(frozen=True, kw_only=True)
class PictureFeedConfig:
    """jpeg_quality: 1 to 100. camera_rate_hz: no more camera pictures a second are sent."""

    jpeg_quality: int = 85
    camera_rate_hz: float = 30.0


class PictureFeed:
    """put_camera() and put_clip() may be called in any thread, all else in the server's.

    albums: what was shown of each stream in the last seconds.
    is_watched: somebody looks; set from outside.
    """

    def __init__(
        self,
        config: PictureFeedConfig,
        loop: asyncio.AbstractEventLoop,
        *,
        screens: Callable[[], list[Screen]],
        on_error: Callable[[DragStreamError], None],
    ) -> None:
        """Start empty; then run() in the loop."""
        self.albums = {'camera': Album(), 'prediction': Album()}
        self.is_watched = False
        self._config = config
        self._loop = loop
        self._screens = screens
        self._on_error = on_error
        self._camera: tuple[RawFrame, str] | None = None
        self._camera_allowance = Allowance(config.camera_rate_hz, burst=2)
        self._clips: deque[Clip] = deque(maxlen=MOST_CLIPS_WAITING)
        self._shown_clips: list[tuple[Hashable, bytes]] = []
        self._something = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, 'console-jpeg')

    def put_camera(self, raw: RawFrame, frame_id: str) -> None:
        """Show a camera picture; the newest wins."""
        self._camera = (raw, frame_id)
        self._loop.call_soon_threadsafe(self._something.set)

    def put_clip(self, clip: Clip) -> None:
        """Show a predicted chunk."""
        self._clips.append(clip)
        self._loop.call_soon_threadsafe(self._something.set)

    def catch_up(self, screen: Screen) -> None:
        """Show a page that has just come what there is of the newest prediction."""
        for group, packet in self._shown_clips:
            screen.show('prediction', group, packet)

    def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def run(self) -> None:
        """Compress what is new and hand it to all pages, for ever."""
        while True:
            await self._something.wait()
            self._something.clear()
            camera, self._camera = self._camera, None
            if camera is not None and self.is_watched:
                await self._show_camera(*camera)
            while self._clips and self.is_watched:
                await self._show_clip(self._clips.popleft())

    async def _show_camera(self, raw: RawFrame, frame_id: str) -> None:
        if not self._camera_allowance.take(time.monotonic()):
            return
        encode = functools.partial(camera_jpeg, raw, frame_id, quality=self._config.jpeg_quality)
        try:
            jpeg = await self._loop.run_in_executor(self._thread, encode)
        except DragStreamError as error:
            self._on_error(error)
            return
        self.albums['camera'].add(jpeg)
        packet = camera_packet(jpeg)
        for screen in self._screens():
            screen.show('camera', jpeg.stamp_ns, packet)

    async def _show_clip(self, clip: Clip) -> None:
        encode = functools.partial(clip_packet, clip, quality=self._config.jpeg_quality)
        packet, last_frame = await self._loop.run_in_executor(self._thread, encode)
        self.albums['prediction'].add(last_frame)
        group = (clip.epoch, clip.anchor)
        self._shown_clips = [shown for shown in self._shown_clips if shown[0] == group]
        self._shown_clips.append((group, packet))
        for screen in self._screens():
            screen.show('prediction', group, packet)
