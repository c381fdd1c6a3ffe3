"""The two halves of a chunk's frames at once, on lanes of one core each."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch

from dragstream_ros.lanes import inference_lanes

Result = TypeVar('Result')


def at_once(function: Callable[..., Result], *halves: Iterable[Any]) -> list[Result]:
    """Return ``list(map(function, *halves))`` of such halves as ``Tensor.chunk(2)`` makes.

    One frame is one half.  However many lanes there are, the halves are the same, and so is what
    comes of them.  With gradients they are done one after the other: the order in which a backward
    pass adds them up would depend on the threads.
    """
    if torch.is_grad_enabled():
        return list(map(function, *halves))
    return inference_lanes().map(
        lambda half: _without_gradients(function, *half), zip(*halves))


def _without_gradients(function: Callable[..., Result], *half: Any) -> Result:
    with torch.no_grad():       # which is a matter of each thread
        return function(*half)
