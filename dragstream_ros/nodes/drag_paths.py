"""Where each handle is asked to be over a whole prediction, put together from its chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.nodes.playback import Shown
from dragstream_ros.worker.protocol import Chunk


@dataclass(frozen=True, eq=False)
class DragPaths:
    """positions_px: (n_handles, T, 2) in the frames' pixels; the shown frame is number `index`."""

    positions_px: np.ndarray
    index: int


class PathCollector:
    """Remembers the newest prediction's tracks: its later chunks are here before they are shown."""

    def __init__(self) -> None:
        self._prediction: tuple[int, int] | None = None
        self._tracks_px: dict[int, np.ndarray] = {}

    def add(self, chunk: Chunk) -> None:
        """Take a chunk that was just predicted."""
        if (prediction := (chunk.epoch, chunk.anchor)) != self._prediction:
            self._prediction, self._tracks_px = prediction, {}
        self._tracks_px[chunk.chunk_index] = np.asarray(chunk.tracks_px, np.float64)

    def paths(self, shown: Shown) -> DragPaths:
        """The paths of the prediction that a frame belongs to, as far as they are known."""
        chunk = shown.chunk
        own = np.asarray(chunk.tracks_px, np.float64)
        tracks = {chunk.chunk_index: own}
        if (chunk.epoch, chunk.anchor) == self._prediction:
            tracks = {**self._tracks_px, **tracks}
        # An edit may have changed how many handles there are.
        known = [number for number in sorted(tracks) if len(tracks[number]) == len(own)]
        before = sum(tracks[number].shape[1] for number in known if number < chunk.chunk_index)
        return DragPaths(
            np.concatenate([tracks[number] for number in known], axis=1), before + shown.index)
