"""One sentence in the place of a traceback where diffusers is missing or cannot be imported."""
from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dragstream_ros.errors import DragStreamError, ErrorCode


@contextlib.contextmanager
def needs_diffusers(what: str) -> Iterator[None]:
    """Around an import that brings diffusers; what: who needs it, as a sentence begins.

    :raises DragStreamError: it does not work
    """
    try:
        yield
    except (ImportError, RuntimeError) as error:    # the latter is what diffusers makes of it
        reason = first_line(error)
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f"{what} needs diffusers ({reason}): install it with "
            "`pip install 'diffusers>=0.42,<0.43'`.") from error


def first_line(error: Exception) -> str:
    """What it says, in a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
