"""Where the joint of a link is, by the path of a point of it.

A link lies on the table and turns about its joint, which is below the rest of its thing, as deep as
the link is wide there; or at least near to where the two touch.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.table_view import TableView
from dragstream_ros.world_models.tabletop.backdrop import grown

TOUCH_PX = 3        # from the part: what is so near of the rest is where it hangs
OFF_SHARE = 0.7     # of the way from there to the handle, that the middle of the arc may be off
LEAST_SHARE = 0.6   # of that way, for the radius of the arc
STRAYS_PX, SURE_PX = 2.0, 0.4   # from the arc: what leads farther is none; no farther, surely one
DEEP_SHARE = 0.42   # of half the link's width: so far below the rest a joint is none of a lid


@dataclass(frozen=True, eq=False)
class Joint:
    """place_px: (2,). is_below: the rest of the thing; is_sure: it is no hinge of a lid."""

    place_px: np.ndarray
    is_below: bool
    is_sure: bool


def find_joint(path_px: np.ndarray, part: np.ndarray, rest: np.ndarray,
               view: TableView) -> Joint | None:
    """Of a part and the rest of its thing, both (H, W) bool.

    path_px: (N, 2), N at least 3. None where the path is no arc about a point where they touch.
    """
    near = grown(part, TOUCH_PX) & rest
    if not near.any():
        return None
    size = (rest.shape[1], rest.shape[0])
    level = view.rays(path_px[:1], size)[0, 2]
    path, own, touch = (_on_table(view.rays(points, size), level)
                        for points in (path_px, _points(part), _points(near)))
    centre, radius, strays = _circle(path)
    place_px = view.pixels(np.array([*centre, level]), size)
    x, y = np.rint(place_px).astype(int)
    is_below = 0 <= x < size[0] and 0 <= y < size[1] and bool(rest[y, x])
    from_joint = own - centre
    along = from_joint.mean(0) / max(float(np.linalg.norm(from_joint.mean(0))), 1e-6)
    half = np.ptp(from_joint @ (-along[1], along[0])) / 2
    if is_below and strays <= SURE_PX and _least(from_joint) >= DEEP_SHARE * half:
        return Joint(place_px, True, True)
    hangs = touch.mean(0)
    length = max(float(np.linalg.norm(path[0] - hangs)), 1.0)
    is_near = np.linalg.norm(centre - hangs) <= OFF_SHARE * length
    is_arc = radius >= LEAST_SHARE * length and strays <= STRAYS_PX
    return Joint(place_px, is_below, False) if is_near and is_arc else None


def _points(mask: np.ndarray) -> np.ndarray:
    return np.stack(np.nonzero(mask)[::-1], -1)


def _on_table(rays: np.ndarray, level: float) -> np.ndarray:
    """Where rays (N, 3) meet a level plane: (N, 2)."""
    return np.asarray(rays[:, :2] * (level / rays[:, 2:]))


def _least(ways: np.ndarray) -> float:
    return float(np.linalg.norm(ways, axis=1).min())


def _circle(path: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The centre (2,) and the radius of the circle that fits a path best; how far that strays."""
    middle = path.mean(0)
    points = path - middle
    # |p|^2 = 2 p c + r^2 - |c|^2 for every point p of a circle.
    (x, y, offset), *_ = np.linalg.lstsq(
        np.column_stack([2 * points, np.ones(len(points))]), (points ** 2).sum(1), rcond=None)
    centre = np.array([x, y])
    radius = float(np.sqrt(max(offset + centre @ centre, 0.0)))
    strays = np.abs(np.linalg.norm(points - centre, axis=1) - radius).max()
    return middle + centre, radius, float(strays)
