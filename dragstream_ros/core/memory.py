"""What happens when the memory runs out: it is given back, and said."""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.memory import is_out_of_memory

Result = TypeVar('Result')


def within_memory(work: Callable[[], Result], sentence: str,
                  let_go: Callable[[], None] = lambda: None) -> Result:
    """Do the work; raise OUT_OF_MEMORY with the sentence where there is no memory for it.

    let_go: called first, to drop what may be large.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        # Not handled here: it holds frames, and they the tensors that were too many.
    let_go()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise DragStreamError(ErrorCode.OUT_OF_MEMORY, sentence)
