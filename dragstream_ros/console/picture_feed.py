"""Brings pictures from ROS to all pages: compressed once, in a thread, only if anybody looks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from dragstream_ros.console.pace import Pace
from dragstream_ros.console.pictures import (
    Album,
    Clip,
    Jpeg,
    camera_jpeg,
    camera_packet,
    clip_packet,
)
from dragstream_ros.errors import DragStreamError, ErrorCode
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
    camera_rate_hz: float = 20.0


class PictureFeed:
    """put_camera() and put_clip() may be called in any thread, all else in the server's.

    albums: what was shown of each stream in the last seconds.
    is_watched: somebody looks.
    """

    def __init__(
        self,
        config: PictureFeedConfig,
        loop: asyncio.AbstractEventLoop,
        *,
        screens: Callable[[], list[Screen]],
        on_error: Callable[[DragStreamError], None],
    ) -> None:
        """Start empty; then start()."""
        self.albums = {'camera': Album(), 'prediction': Album()}
        self.is_watched = False
        self._config = config
        self._loop = loop
        self._screens = screens
        self._on_error = on_error
        self._camera: tuple[RawFrame, str] | None = None
        self._pace = Pace(config.camera_rate_hz)
        self._clips: deque[Clip] = deque(maxlen=MOST_CLIPS_WAITING)
        self._shown_clips: list[tuple[Hashable, bytes]] = []
        self._something = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._work, name='console-jpeg', daemon=True)

    def watch(self, is_watched: bool) -> None:
        """Somebody looks, or nobody; what was shown before a pause is too old after it."""
        self.is_watched = is_watched
        self._shown_clips.clear()

    def attend(self) -> None:
        """An operator is at work: more pictures are wanted."""
        self._pace.attend(time.monotonic())

    def put_camera(self, raw: RawFrame, frame_id: str) -> float:
        """Show a camera picture, unless it comes too early; the newest wins.

        Returns for how many seconds from now on any other would come too early.
        """
        now_secs = time.monotonic()
        if self.is_watched and self._pace.takes_camera(now_secs):
            self._camera = (raw, frame_id)
            self._something.set()
        return self._pace.secs_to_camera(now_secs)

    def put_clip(self, clip: Clip) -> None:
        """Show a predicted chunk."""
        if clip.drag_id:  # perhaps of another tool
            self.attend()
        anchor = (clip.epoch, clip.anchor)
        if self.is_watched and self._pace.takes_prediction(anchor, time.monotonic()):
            self._clips.append(clip)
            self._something.set()

    def catch_up(self, screen: Screen) -> None:
        """Show a page that has just come what there is of the newest prediction."""
        for group, packet in self._shown_clips:
            screen.show('prediction', group, packet)

    def start(self) -> None:
        """Begin to show what is put in."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._is_over = True
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        """Compress what is new, and let the server's thread hand it to all pages."""
        while True:
            self._something.wait()
            self._something.clear()
            if self._is_over:
                return
            camera, self._camera = self._camera, None
            if camera is not None:
                self._attempt(self._compress_camera, *camera)
            while self._clips:
                self._attempt(self._compress_clip, self._clips.popleft())

    def _attempt(self, compress: Callable[..., None], *picture: object) -> None:
        """A picture that no check foresaw must not end the pictures of all pages."""
        try:
            compress(*picture)
        except DragStreamError as error:
            self._loop.call_soon_threadsafe(self._on_error, error)
        except Exception as error:
            self._loop.call_soon_threadsafe(self._on_error, DragStreamError(
                ErrorCode.IMAGE_DECODE_FAILED, f'A picture cannot be shown ({error!r}).'))

    def _compress_camera(self, raw: RawFrame, frame_id: str) -> None:
        jpeg = camera_jpeg(raw, frame_id, quality=self._config.jpeg_quality)
        self._loop.call_soon_threadsafe(self._show_camera, jpeg, camera_packet(jpeg))

    def _compress_clip(self, clip: Clip) -> None:
        self._loop.call_soon_threadsafe(
            self._show_clip, clip, *clip_packet(clip, quality=self._config.jpeg_quality))

    def _show_camera(self, jpeg: Jpeg, packet: bytes) -> None:
        self.albums['camera'].add(jpeg)
        for screen in self._screens():
            screen.show('camera', jpeg.stamp_ns, packet)

    def _show_clip(self, clip: Clip, packet: bytes, last_frame: Jpeg) -> None:
        self.albums['prediction'].add(last_frame)
        group = (clip.epoch, clip.anchor)
        self._shown_clips = [shown for shown in self._shown_clips if shown[0] == group]
        self._shown_clips.append((group, packet))
        for screen in self._screens():
            screen.show('prediction', group, packet)
