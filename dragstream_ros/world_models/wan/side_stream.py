"""Lets a GPU decode while it does something else: the pictures are waited for when they are wanted.

Where there is no GPU everything is done at once, by the same code.
"""
from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

Result = TypeVar('Result')


class SideStream:
    """A second CUDA stream; without CUDA the only one.

    Whatever it leaves behind, such as a decoder's state, must be used in it alone.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == 'cuda' else None

    def start(self, work: Callable[[], Result], *inputs: torch.Tensor) -> Result:
        """Begin with the work, once what has been begun elsewhere is done; inputs: made there."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
            for tensor in inputs:
                tensor.record_stream(self._stream)      # not to be overwritten before it is read
        with self.here():
            return work()

    def here(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, what is done is done in this stream."""
        return (contextlib.nullcontext() if self._stream is None
                else torch.cuda.stream(self._stream))


class PendingFrames:
    """Frames (T, H, W, 3) uint8 that may still be in the making: numpy.asarray waits for them."""

    def __init__(self, pixels: torch.Tensor, stream: SideStream) -> None:
        """pixels: (T, 3, H, W) in 0..1, begun in the stream, where this must be called, too."""
        levels = pixels.float().mul(255).round().clamp(0, 255).to(torch.uint8)
        self._levels, self._stream = levels.permute(0, 2, 3, 1).contiguous(), stream

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        with self._stream.here():       # copying to the host waits for this stream and no other
            return self._levels.cpu().numpy()
