"""Points followed from picture to picture, with a word on which of them were lost.

A drag is given on a picture that is a little old when a prediction starts. Its handles are carried
to the newer picture with pyramidal Lucas-Kanade flow, run forward and back: what does not come back
to where it started has been covered, has left, or lies on something without texture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

WINDOW_PX = 11
PYRAMID_LEVELS = 3
RETURNS_WITHIN_PX = 1.0
AGREES_WITHIN_PX = 2.0
ENOUGH = 1.0 / 3.0  # of a patch's points must return and agree


def track_points(
    before: np.ndarray, after: np.ndarray, points_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the points (N, 2) of one picture are in the next: (N, 2) float64 and found (N,) bool.

    before, after: (H, W, 3) uint8 RGB of one size. Each point goes with the median of a patch of
    points up to 4 px around it, which outvotes the few that slip off an edge.
    A point that was not found stays where it was.
    """
    if len(points_px) == 0:
        return np.zeros((0, 2)), np.zeros(0, bool)
    points_px = np.asarray(points_px, np.float64)
    height, width = before.shape[:2]
    grey_before, grey_after = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (before, after))
    patches = (points_px[:, None] + PATCH_PX).reshape(-1, 2).astype(np.float32)
    forward, there = _flow(grey_before, grey_after, patches)
    back, and_back = _flow(grey_after, grey_before, forward)
    returned = there & and_back & (np.linalg.norm(back - patches, axis=1) < RETURNS_WITHIN_PX)

    tracked, found = points_px.copy(), np.zeros(len(points_px), bool)
    per_point = (len(points_px), len(PATCH_PX))
    steps = (forward - patches).reshape(*per_point, 2)
    for index, (step, ok) in enumerate(zip(steps, returned.reshape(per_point), strict=True)):
        if not ok.any():
            continue
        median = np.median(step[ok], axis=0)
        agree = ok & (np.linalg.norm(step - median, axis=1) < AGREES_WITHIN_PX)
        moved = points_px[index] + median
        in_picture = (moved >= -0.5).all() and (moved <= (width - 0.5, height - 0.5)).all()
        if agree.mean() >= ENOUGH and in_picture:
            tracked[index], found[index] = moved, True
    return tracked, found


def track_through(
    frames: Sequence[np.ndarray], points_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points (N, 2) of frames[0] in every frame: (T, N, 2) float64 and found (T, N) bool.

    A point once lost is lost for good and stays where it was last seen.
    """
    positions = [np.asarray(points_px, np.float64)]
    found = [np.ones(len(points_px), bool)]
    for before, after in zip(frames[:-1], frames[1:], strict=True):
        tracked, seen = track_points(before, after, positions[-1])
        found.append(found[-1] & seen)
        positions.append(np.where(found[-1][:, None], tracked, positions[-1]))
    return np.stack(positions), np.stack(found)


def _flow(before: np.ndarray, after: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, ...]:
    # OpenCV's type stubs leave no room for "please allocate the result".
    moved, status, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
        before,
        after,
        points,
        None,
        winSize=(WINDOW_PX, WINDOW_PX),
        maxLevel=PYRAMID_LEVELS,
    )
    return moved, status[:, 0] > 0


def _patch(radius_px: int, step_px: int) -> np.ndarray:
    axis = np.arange(-radius_px, radius_px + 1, step_px)
    offsets = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return offsets[np.linalg.norm(offsets, axis=1) <= radius_px]


PATCH_PX = _patch(4, 2)
