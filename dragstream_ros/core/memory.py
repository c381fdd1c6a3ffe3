"""What happens when the memory runs out: it is given back, and said."""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from dragstream_ros.errors import DragStreamError, ErrorCode

Result = TypeVar('Result')


def within_memory(work: Callable[[], Result], sentence: str,
                  let_go: Callable[[], None] = lambda: None) -> Result:
    """Do the work; raise OUT_OF_MEMORY with the sentence where PyTorch finds no memory for it.

    let_go: called first, to drop what may be large.
    """
    try:
        return work()
    except torch.OutOfMemoryError:
        pass        # not handled here: it holds frames, and they the tensors that were too many
    let_go()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise DragStreamError(ErrorCode.OUT_OF_MEMORY, sentence)
