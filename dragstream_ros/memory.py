"""Keeps the memory of one large message, or one layer's result, for the next; tells its end."""

from __future__ import annotations

import ctypes

# Parameters of glibc's mallopt(3); 32 MiB is the most that it accepts for the first.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_LARGEST_BYTES, _KEPT_BYTES = 32 << 20, 64 << 20


def keep_freed_memory() -> None:
    """Have malloc keep up to 64 MiB that are not in use, instead of giving them back at once.

    Else the kernel maps and clears every page of every large allocation, over and over: half of the
    time that a 640x480 image takes from one process to another, a tenth of a prediction's.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:  # another libc than glibc has its own ways
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_freed_memory() -> None:
    """Have malloc give back all that is not in use, so that what is resident is in use."""
    malloc_trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if malloc_trim is not None:
        malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """The error says that there was not enough memory: Python's own, NumPy's, or PyTorch's.

    PyTorch has a class of its own for a GPU's memory, and only words for that of the CPU.
    """
    words = ('out of memory', "can't allocate memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == 'OutOfMemoryError' or any(w in str(error) for w in words)))
