"""Drags that somebody wrote down for the footage: they say where starts are, too."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from dragstream_ros.core.drag import DragHandle
from dragstream_ros.evaluation.drag_plan import PlannedDrag, load_drags


class GivenDrags:
    """Drags of a file like that of ``dragstream replay --drags``; those of one moment go together.

    at_secs: the moments, rising, in s after the footage's first picture.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Read the file; raises DragPlanError."""
        self._drags = load_drags(path)
        self.at_secs = tuple(sorted({drag.at_secs for drag in self._drags}))

    def handles(self, at_secs: float) -> tuple[DragHandle, ...]:
        """What is dragged at one of the moments, in pixels of the recorded pictures."""
        return tuple(_handle(drag) for drag in self._drags if drag.at_secs == at_secs)

    def described(self) -> list[dict[str, Any]]:
        """Plain data."""
        return [{'at_secs': drag.at_secs, 'path': drag.path_px.tolist(),
                 'duration_secs': drag.duration_secs} for drag in self._drags]


def _handle(drag: PlannedDrag) -> DragHandle:
    """Goes at constant speed, then stays."""
    steps_px = np.linalg.norm(np.diff(drag.path_px, axis=0), axis=1)
    way_px = np.concatenate([[0.0], np.cumsum(steps_px)])
    return DragHandle(
        path_px=drag.path_px, times_secs=drag.duration_secs * way_px / max(way_px[-1], 1e-9))
