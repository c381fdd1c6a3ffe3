"""Drags found in the recording itself: what moves is grabbed, and its track is the path.

So every recording is a benchmark that nobody has to label. Points are followed through the future
that really came; neighbours that go the same way are one thing; its middle point is the handle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.core.drag import DragHandle
from dragstream_ros.masks.track_points import track_through


@dataclass(frozen=True, kw_only=True)
class ObservedDragConfig:
    """What counts as a thing that moves; lengths as shares of the picture's width.

    most_points: corners that are followed. least_way: from its start, at some time.
    together_within: how far apart two neighbours' ways may be; near: what neighbours are.
    least_points: of a thing. most_handles: the things that are dragged, the farthest moved first.
    """

    most_points: int = 150
    least_way: float = 0.04
    together_within: float = 0.03
    near: float = 0.12
    least_points: int = 3
    most_handles: int = 3


def observe_drags(
    newest: np.ndarray, future: Sequence[np.ndarray | None], *, period_secs: float,
    config: ObservedDragConfig = ObservedDragConfig(),
) -> tuple[DragHandle, ...]:
    """Find what moves in (H, W, 3) uint8 RGB pictures; paths are in their pixels, with times.

    newest: the picture that is dragged on. future: one picture a period, None where there is none.
    A point that is lost on the way is not used.
    """
    height, width = newest.shape[:2]
    corners = cv2.goodFeaturesToTrack(
        cv2.cvtColor(newest, cv2.COLOR_RGB2GRAY), config.most_points, 0.01, max(2, width // 40))
    if corners is None:
        return ()
    seen = [index for index, picture in enumerate(future) if picture is not None]
    frames = [newest, *(picture for picture in future if picture is not None)]
    positions, found = track_through(frames, corners[:, 0].astype(np.float64))
    positions = positions[:, found[-1]]
    ways = positions - positions[0]
    moved = np.linalg.norm(ways, axis=-1).max(axis=0) >= config.least_way * width
    positions, ways = positions[:, moved], ways[:, moved]
    times_secs = period_secs * np.array([0, *(index + 1 for index in seen)], np.float64)
    things = [thing for thing in _things(positions[0], ways, width, config)
              if len(thing) >= config.least_points]
    things.sort(key=lambda thing: -_way_px(ways[:, thing]))
    return tuple(
        DragHandle(path_px=_middle(positions[0, thing]) + np.median(ways[:, thing], axis=1),
                   times_secs=times_secs)
        for thing in things[:config.most_handles])


def _things(
    starts: np.ndarray, ways: np.ndarray, width: int, config: ObservedDragConfig
) -> list[np.ndarray]:
    """Indices of the points of each thing: neighbours, and their neighbours, that go together."""
    n = len(starts)
    are_near = np.linalg.norm(starts[:, None] - starts[None], axis=-1) < config.near * width
    apart = np.linalg.norm(ways[:, :, None] - ways[:, None], axis=-1).max(axis=0, initial=0.0)
    linked = are_near & (apart < config.together_within * width)
    labels = np.arange(n)
    while (lowest := np.where(linked, labels[None], n).min(axis=1, initial=n)).tolist() != \
            labels.tolist():
        labels = lowest
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _middle(points: np.ndarray) -> np.ndarray:
    """The point nearest to the mean of all, since the mean itself may lie beside the thing."""
    return points[np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()]


def _way_px(ways: np.ndarray) -> float:
    return float(np.linalg.norm(np.median(ways, axis=1), axis=-1).max())
