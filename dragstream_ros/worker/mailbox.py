"""A one-slot mailbox for camera frames between two processes: the newest frame wins.

One writer (the node's image callback) and one reader (the worker) share nameless memory and an
event descriptor. There is no lock, so neither side ever waits for the other and a process that is
killed leaves nothing locked; there is no name, so nothing can be left behind in /dev/shm.

The memory holds three buffers. The writer fills them in turn and stamps each with the frame's
sequence number before and after, so a reader that is overtaken twice within one copy notices it and
takes the newer frame instead (a "seqlock").
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass

_N_BUFFERS = 3
_PAGE = mmap.PAGESIZE

# Start of the memory: size of one buffer, number of the newest frame, of the last one flushed.
_BUFFER_SIZE, _NEWEST, _FLUSHED = 0, 1, 2
# Start of each buffer: the frame's number before and after writing, then its description.
_BEGUN, _FINISHED = 0, 1
_NUMBERS_BYTES = 16
_DESCRIPTION = struct.Struct('<qqQQIIIB3x32s')
# Native, as only that is one machine instruction; the portable formats go byte by byte.
_NUMBER = struct.Struct('@Q')


@dataclass(frozen=True, kw_only=True)
class RawFrame:
    """A camera message as it came: pixels or a compressed file, and what is needed to read it.

    data: the message's bytes, not converted.
    stamp_ns: the message's own stamp. arrival_ns: time.monotonic_ns() when the node got it.
    generation: the node's count of fresh starts (clock jumps, resets) when the frame came.
    encoding: of sensor_msgs/Image, or the format of a compressed one.
    height, width, step, is_bigendian: as in sensor_msgs/Image; 0 when compressed.
    """

    data: bytes | bytearray | memoryview
    stamp_ns: int
    arrival_ns: int
    generation: int = 0
    compressed: bool = False
    encoding: str = 'rgb8'
    height: int = 0
    width: int = 0
    step: int = 0
    is_bigendian: bool = False


class FrameMailbox:
    """The writing end; owns the memory."""

    def __init__(self, *, frame_bytes: int = 1 << 20) -> None:
        """Make room for frames of frame_bytes; larger ones make it grow by themselves."""
        self.memory_fd = _nameless_memory()
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._memory: mmap.mmap | None = None
        self._newest = 0
        self._grow(frame_bytes)

    @property
    def newest(self) -> int:
        """Number of the newest frame, counted from 1; 0: none yet."""
        return self._newest

    def put(self, frame: RawFrame) -> int:
        """Replace whatever has not been taken yet; returns the frame's number. Never waits."""
        size = len(frame.data)
        if size > self._buffer_size:
            self._grow(size)
        number = self._newest + 1
        start = _buffer_start(number, self._buffer_size)
        assert self._memory is not None
        _store(self._memory, start, _BEGUN, number)
        _DESCRIPTION.pack_into(
            self._memory, start + _NUMBERS_BYTES,
            frame.stamp_ns, frame.arrival_ns, frame.generation, size,
            frame.height, frame.width, frame.step,
            frame.compressed | frame.is_bigendian << 1, frame.encoding.encode()[:32],
        )
        data_start = start + _PAGE
        self._memory[data_start:data_start + size] = frame.data
        _store(self._memory, start, _FINISHED, number)
        self._newest = number
        _store(self._memory, 0, _NEWEST, number)
        # Also the memory barrier: on a weakly ordered CPU the reader that wakes up from this sees
        # all that was stored before.
        os.eventfd_write(self.event_fd, 1)
        return number

    def flush(self) -> None:
        """Nothing put so far will be taken any more."""
        assert self._memory is not None
        _store(self._memory, 0, _FLUSHED, self._newest)

    def close(self) -> None:
        """Give up the memory; a reader keeps its own view of it."""
        if self._memory is None:
            return
        self._memory.close()
        self._memory = None
        os.close(self.memory_fd)
        os.close(self.event_fd)

    def _grow(self, frame_bytes: int) -> None:
        """Make all buffers larger. What is in them is lost, as a newer frame is about to come.

        The layout moves under a reader that is copying; the size, 0 meanwhile, tells it.
        """
        size = -(-frame_bytes // _PAGE) * _PAGE
        total = _PAGE + _N_BUFFERS * (_PAGE + size)
        # Claims the memory now: a full memory file system is an error here, not a crash later.
        os.posix_fallocate(self.memory_fd, 0, total)
        if self._memory is not None:
            self._memory.close()
        self._memory = mmap.mmap(self.memory_fd, total)
        _store(self._memory, 0, _BUFFER_SIZE, 0)
        for number in range(_N_BUFFERS):
            start = _buffer_start(number, size)
            _store(self._memory, start, _BEGUN, 0)
            _store(self._memory, start, _FINISHED, 0)
        self._buffer_size = size
        _store(self._memory, 0, _BUFFER_SIZE, size)


class MailboxReader:
    """The reading end, in the other process, from the two inherited descriptors."""

    def __init__(self, memory_fd: int, event_fd: int) -> None:
        self.event_fd = event_fd
        self._memory_fd = memory_fd
        self._memory = mmap.mmap(memory_fd, os.fstat(memory_fd).st_size)
        self._last_taken = 0
        self.n_dropped = 0

    def fileno(self) -> int:
        """Readable when a frame has been put since the last take(): for select()."""
        return self.event_fd

    def take(self) -> RawFrame | None:
        """Take the newest frame, a copy; None if there is none that was not taken or flushed.

        Frames that were never taken because a newer one came are counted in n_dropped.
        """
        try:
            os.eventfd_read(self.event_fd)
        except BlockingIOError:
            pass
        while True:
            number = _load(self._memory, 0, _NEWEST)
            flushed = _load(self._memory, 0, _FLUSHED)
            if number <= max(self._last_taken, flushed):
                return None
            frame = self._copy(number)
            if frame is not None:
                self.n_dropped += max(number - max(self._last_taken, flushed) - 1, 0)
                self._last_taken = number
                return frame
            if _load(self._memory, 0, _NEWEST) == number:
                return None  # the writer is growing the buffers; its next frame wakes us up

    def close(self) -> None:
        """Unmap the memory and close both descriptors."""
        self._memory.close()
        os.close(self._memory_fd)
        os.close(self.event_fd)

    def _copy(self, number: int) -> RawFrame | None:
        """Copy one frame out, or None if the writer was at it meanwhile."""
        buffer_size = _load(self._memory, 0, _BUFFER_SIZE)
        if not buffer_size:
            return None
        start = _buffer_start(number, buffer_size)
        if start + _PAGE + buffer_size > len(self._memory):  # the writer has grown the buffers
            self._memory.close()
            self._memory = mmap.mmap(self._memory_fd, os.fstat(self._memory_fd).st_size)
        if _load(self._memory, start, _FINISHED) != number:
            return None
        (stamp_ns, arrival_ns, generation, size, height, width, step, flags,
         encoding) = _DESCRIPTION.unpack_from(self._memory, start + _NUMBERS_BYTES)
        data = self._memory[start + _PAGE:start + _PAGE + size]
        if _load(self._memory, start, _BEGUN) != number:
            return None
        if _load(self._memory, 0, _BUFFER_SIZE) != buffer_size:
            return None
        return RawFrame(
            data=data, stamp_ns=stamp_ns, arrival_ns=arrival_ns, generation=generation,
            compressed=bool(flags & 1), is_bigendian=bool(flags & 2),
            encoding=encoding.rstrip(b'\0').decode(errors='replace'),
            height=height, width=width, step=step,
        )


def _nameless_memory() -> int:
    """Open shared memory that has no name and so ends with the last process that holds it."""
    if hasattr(os, 'memfd_create'):
        return os.memfd_create('dragstream-frames', os.MFD_CLOEXEC)
    # Python builds for old systems lack it: a file that never gets a name does the same.
    with tempfile.TemporaryFile(dir='/dev/shm') as file:
        return os.dup(file.fileno())


def _buffer_start(number: int, buffer_size: int) -> int:
    return _PAGE + (number % _N_BUFFERS) * (_PAGE + buffer_size)


def _store(memory: mmap.mmap, start: int, index: int, value: int) -> None:
    """Store one aligned 64-bit number, which both CPUs and Python do in one piece."""
    _NUMBER.pack_into(memory, start + 8 * index, value)


def _load(memory: mmap.mmap, start: int, index: int) -> int:
    return int(_NUMBER.unpack_from(memory, start + 8 * index)[0])
