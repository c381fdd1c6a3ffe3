"""Takes camera frames as they come, also while a prediction is being computed.

The world model wants a frame every frame period; a worker that looked only between two chunks
would show it a world that jumps. So a thread of its own empties the mailbox, decodes, resizes and
keeps the last seconds, and the session picks what it needs. Decoding and resizing let go of
Python's lock, so this runs beside the model and not instead of it.
"""

from __future__ import annotations

import os
import select
import threading
import traceback
from collections import deque
from dataclasses import dataclass

import numpy as np

from dragstream_ros.adapters.image import decode_compressed, decode_image
from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.errors import DragStreamError
from dragstream_ros.worker.mailbox import MailboxReader, RawFrame
from dragstream_ros.worker.protocol import Problem

NS = 1_000_000_000
HISTORY_SECS = 2.0
BUSY_SECS = 8.0  # the longest step that frames are kept beyond that for


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFrame:
    """A camera frame at the model's size.

    pixels: (H, W, 3) uint8 RGB with letterbox bars. camera_size: (width, height) as it came.
    """

    pixels: np.ndarray
    camera_size: tuple[int, int]
    stamp_ns: int
    arrival_ns: int
    generation: int


def decode_frame(raw: RawFrame) -> np.ndarray:
    """Decode a camera message to (H, W, 3) uint8 RGB.

    :raises DragStreamError: IMAGE_MALFORMED, IMAGE_ENCODING_UNSUPPORTED, IMAGE_DECODE_FAILED
    """
    if raw.compressed:
        return decode_compressed(raw.data)
    return decode_image(
        raw.data, encoding=raw.encoding, width=raw.width, height=raw.height, step=raw.step,
        is_bigendian=raw.is_bigendian,
    )


def model_frame(raw: RawFrame, model_size: tuple[int, int]) -> ModelFrame:
    """Decode a camera message and fit it into the model's (width, height).

    :raises DragStreamError: IMAGE_MALFORMED, IMAGE_ENCODING_UNSUPPORTED, IMAGE_DECODE_FAILED
    """
    image = decode_frame(raw)
    camera_size = (image.shape[1], image.shape[0])
    return ModelFrame(
        pixels=Letterbox(camera_size, model_size).apply(image), camera_size=camera_size,
        stamp_ns=raw.stamp_ns, arrival_ns=raw.arrival_ns, generation=raw.generation,
    )


class FrameIntake:
    """Keeps the last HISTORY_SECS of one generation and one camera size, oldest first.

    Counted from the newest frame of the last look(): what comes while the session is busy with a
    step must not push out the frame that a drag, which has been waiting as long, was made on.
    """

    def __init__(self, reader: MailboxReader, *, model_size: tuple[int, int]) -> None:
        """Take what waits in the mailbox, then start the thread; it ends with the process."""
        self.n_taken = 0
        self._reader = reader
        self._model_size = model_size
        self._lock = threading.Lock()
        self._frames: deque[ModelFrame] = deque()
        self._problems: list[Problem] = []
        self._looked_at_ns = 0
        self._event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._take()
        threading.Thread(target=self._run, name='frame-intake', daemon=True).start()

    def fileno(self) -> int:
        """Readable when something came since the last look(): for select()."""
        return self._event_fd

    @property
    def n_replaced(self) -> int:
        """Frames that a newer one replaced in the mailbox."""
        return self._reader.n_dropped

    def look(self) -> tuple[list[ModelFrame], list[Problem]]:
        """The frames that are kept, and what was wrong since the last look."""
        try:
            os.eventfd_read(self._event_fd)
        except BlockingIOError:
            pass
        with self._lock:
            problems, self._problems = self._problems, []
            frames = list(self._frames)
            if frames:
                self._looked_at_ns = frames[-1].stamp_ns
            return frames, problems

    def _run(self) -> None:
        try:
            while True:
                select.select([self._reader], [], [])
                self._take()
        except Exception:
            # A worker without eyes must not live on; another one is started.
            traceback.print_exc()
            os._exit(1)

    def _take(self) -> None:
        raw = self._reader.take()
        if raw is None:
            return
        self.n_taken += 1
        try:
            frame = model_frame(raw, self._model_size)
        except DragStreamError as error:
            with self._lock:
                self._problems.append(
                    Problem(code=error.code, sentence=error.sentence, stamp_ns=raw.stamp_ns))
        else:
            with self._lock:
                self._keep(frame)
        os.eventfd_write(self._event_fd, 1)

    def _keep(self, frame: ModelFrame) -> None:
        if self._frames and not _same_stream(self._frames[-1], frame):
            self._frames.clear()
            self._looked_at_ns = frame.stamp_ns
        self._frames.append(frame)
        from_ns = max(self._looked_at_ns, frame.stamp_ns - BUSY_SECS * NS) - HISTORY_SECS * NS
        while self._frames[0].stamp_ns < from_ns:
            self._frames.popleft()


def _same_stream(before: ModelFrame, after: ModelFrame) -> bool:
    return (
        before.generation == after.generation
        and before.camera_size == after.camera_size
        and before.stamp_ns < after.stamp_ns
    )
