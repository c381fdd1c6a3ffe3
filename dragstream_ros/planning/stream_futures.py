"""The futures of candidate drags by a world model's stream, in this process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.lanes import Lanes
from dragstream_ros.planning.future import Future, future_of
from dragstream_ros.planning.rollouts import Branch, Rollouts


class StreamFutures:
    """Branches a stream from its newest frame; the stream itself is not touched.

    anchor: (H, W, 3) uint8 RGB, that frame. query_px: (q, 2), points of it to follow.
    """

    def __init__(
        self, stream: Branch, anchor: np.ndarray, *, horizon_secs: float = 1.0,
        query_px: np.ndarray | None = None, lanes: Lanes | None = None,
    ) -> None:
        self._root = stream.branch(horizon_secs)
        self._anchor = anchor
        self._horizon_secs = horizon_secs
        self._query_px = query_px
        self._lanes = lanes

    def __call__(self, commands: Sequence[DragCommand | None]) -> list[Future]:
        """One future each, in the same order."""
        rollouts = Rollouts(
            self._root, commands, horizon_secs=self._horizon_secs, lanes=self._lanes)
        found: list[Future] = []
        while not rollouts.is_done:
            found += rollouts.lanes.map(
                lambda done: future_of(
                    *done, anchor=self._anchor, command=commands[done[0]],
                    query_px=self._query_px), rollouts.step())
        return sorted(found, key=lambda future: future.candidate)
