"""Where each handle is asked to be over a whole prediction, put together from its chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.nodes.playback import Shown
from dragstream_ros.worker.protocol import Chunk

MOST_CHUNKS = 32  # a free-running prediction has no end


@dataclass(frozen=True, eq=False)
class DragPaths:
    """positions_px: (n_handles, T, 2) in the frames' pixels; the shown frame is number `index`."""

    positions_px: np.ndarray
    index: int


class PathCollector:
    """Remembers the newest prediction's tracks: its later chunks are here before they are shown."""

    def __init__(self) -> None:
        self._prediction: tuple[int, int] | None = None
        self._tracks: dict[int, tuple[str, np.ndarray]] = {}  # by chunk: drag_id, tracks_px

    def add(self, chunk: Chunk) -> None:
        """Take a chunk that was just predicted."""
        if (prediction := (chunk.epoch, chunk.anchor)) != self._prediction:
            self._prediction, self._tracks = prediction, {}
        self._tracks[chunk.chunk_index] = (chunk.drag_id, chunk.tracks_px)
        while len(self._tracks) > MOST_CHUNKS:
            del self._tracks[min(self._tracks)]

    def paths(self, shown: Shown) -> DragPaths:
        """The paths of the drag that a frame obeys, as far as they are known."""
        chunk = shown.chunk
        tracks = {chunk.chunk_index: (chunk.drag_id, chunk.tracks_px)}
        if (chunk.epoch, chunk.anchor) == self._prediction:
            tracks = {**self._tracks, **tracks}
        known = [
            (number, track_px) for number, (drag_id, track_px) in sorted(tracks.items())
            if drag_id == chunk.drag_id and len(track_px) == len(chunk.tracks_px)]
        before = sum(px.shape[1] for number, px in known if number < chunk.chunk_index)
        return DragPaths(
            np.concatenate([px for _, px in known], axis=1).astype(np.float64),
            before + shown.index)
