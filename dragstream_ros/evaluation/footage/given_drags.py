"""Drags that are known beforehand: written down in a file, or recorded with the pictures.

They also say where starts are. Those of one moment are made at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dragstream_ros.adapters.drag import transform_command
from dragstream_ros.adapters.letterbox import Letterbox, Size
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, validate_command


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenDrag:
    """A drag on the picture at_secs after the first one, in that picture's pixels.

    A handle without times takes as long as is predicted. image_size: (width, height) of the picture
    it was made on; None: of whatever is recorded.
    """

    at_secs: float
    handles: tuple[DragHandle, ...]
    image_size: Size | None = None
    frozen: np.ndarray | None = None


class GivenDrags:
    """All given drags of some footage.

    at_secs: the moments of drags, rising, in s after the footage's first picture.
    """

    def __init__(self, drags: Sequence[GivenDrag]) -> None:
        self._drags = drags
        self.at_secs = tuple(sorted({drag.at_secs for drag in drags}))

    def command(self, at_secs: float, letterbox: Letterbox, *, stamp_ns: int,
                duration_secs: float) -> DragCommand:
        """What is dragged at one of the moments, in the model's pixels; raises DragStreamError."""
        drags = [drag for drag in self._drags if drag.at_secs == at_secs]
        frozen = [drag.frozen for drag in drags if drag.frozen is not None]
        command = DragCommand(
            drag_id='given', operator_id='', mode=DragMode.ANIMATE, stamp_ns=stamp_ns,
            handles=tuple(handle for drag in drags for handle in drag.handles),
            image_size=drags[0].image_size or letterbox.source_size,
            frozen=np.logical_or.reduce(frozen) if frozen else None, duration_secs=duration_secs)
        validate_command(command)
        return transform_command(command, letterbox)

    def described(self) -> list[dict[str, Any]]:
        """Plain data."""
        return [{'at_secs': drag.at_secs, 'paths': [x.path_px.tolist() for x in drag.handles]}
                for drag in self._drags]


def timed(handle: DragHandle, duration_secs: float) -> DragHandle:
    """With times, so that it goes at constant speed and then stays, however long is predicted."""
    if handle.times_secs is not None:
        return handle
    steps_px = np.linalg.norm(np.diff(handle.path_px, axis=0), axis=1)
    way_px = np.concatenate([[0.0], np.cumsum(steps_px)])
    return replace(handle, times_secs=duration_secs * way_px / max(way_px[-1], 1e-9))
