"""Objects that lie on others: what bears what, and how what is in the air comes down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.simulation.object_shape import ObjectShape

GAP_M = 0.0005
"""Between an object and what it lies on, so that they do not push each other."""
OVERHANG_M = 0.012
"""So much wider than what it lies on may an object be."""
_SINK_M = 0.005     # so far below a top still counts as on it
_RAISED_M = 1e-3


def bearers(poses: np.ndarray, shapes: Sequence[ObjectShape]) -> dict[int, int]:
    """What is below each raised object whose middle is over another's platform: upper -> lower.

    ``poses`` (n, 4 or more): x, y, z, yaw.
    """
    found = {}
    for upper in np.flatnonzero(poses[:, 2] > _RAISED_M):
        below = [
            lower for lower, shape in enumerate(shapes)
            if lower != upper and poses[upper, 2] >= poses[lower, 2] + shape.height - _SINK_M
            and np.linalg.norm(poses[upper, :2] - poses[lower, :2]) < shape.platform]
        if below:
            found[int(upper)] = max(below, key=lambda lower: poses[lower, 2])
    return found


def top_of(lower: int, poses: np.ndarray, shapes: Sequence[ObjectShape]) -> float:
    """Height, in metres, at which an object lies on ``lower``."""
    return float(poses[lower, 2]) + shapes[lower].height + GAP_M


def fits_on(upper: ObjectShape, lower: ObjectShape) -> bool:
    """Whether one can be set on the other, middle over middle."""
    return (upper.limb is None and upper.grip_offset == (0.0, 0.0) and lower.platform > 0
            and upper.radius < lower.radius + OVERHANG_M)
