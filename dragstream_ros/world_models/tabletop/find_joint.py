"""Where the joint of a link is, by how it lies and by the path of a point of it.

A link lies on the table and turns about its joint. Mostly that is below the rest of its thing, on
the link's axis, and as deep as a round end of the link needs; at least it is near to where the two
touch.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.table_view import TableView
from dragstream_ros.world_models.tabletop.backdrop import grown

DEEP = 0.42, 1.1    # half widths of a link that its joint is away from what is seen of it
USUAL, UNLIKELY = 0.6, 0.2  # so deep, and on the axis; what each half width off counts in px
OFF_AXIS = 0.2      # half widths, at most
STRAYS_PX = 2.0     # from an arc: what leads farther is none
EXACT_PX = 0.15     # what leads no farther is exactly one
MOST_POINTS = 1500  # of a region, since each of one is held against each of another
TOUCH_PX = 3        # from the part: what is so near of the rest is where they touch
OFF_SHARE = 0.7     # of the way from there to the handle, that the middle of an arc may be off
LEAST_SHARE = 0.6   # of that way, for the radius of the arc


@dataclass(frozen=True, eq=False)
class Joint:
    """place_px: (2,). is_below: the rest of the thing. strays_px: how far the path leads off it."""

    place_px: np.ndarray
    is_below: bool
    strays_px: float


def find_joint(path_px: np.ndarray, part: np.ndarray, rest: np.ndarray,
               view: TableView) -> Joint | None:
    """Of a part and the rest of its thing, both (H, W) bool, not empty.

    path_px: (N, 2), N at least 2. None where the path is no arc about such a place.
    """
    size, near = (rest.shape[1], rest.shape[0]), grown(part, TOUCH_PX) & rest
    if not near.any():
        return None
    rays, *regions = (view.rays(points, size) for points in (
        path_px, _points(part), _points(rest), _points(near)))
    # What is at the horizon, or above, is nowhere on the table.
    regions = [region[region[:, 2] < 0] for region in regions]
    if (rays[:, 2] >= 0).any() or not all(map(len, regions)):
        return None
    level = rays[0, 2]
    path, own, below, touch = (_on_table(of, level) for of in (rays, *regions))
    centre, strays = _arc_about(touch.mean(0), path)
    may_be, unlikely_px = _may_be_joints(below, own)
    if may_be.any():
        # A path that is drawn by hand is no exact arc: the place that it strays least from.
        off = np.ptp(np.linalg.norm(path - below[may_be][:, None], axis=-1), axis=1) / 2
        is_exact = len(path) > 2 and strays <= EXACT_PX
        best = (off + unlikely_px[may_be]).argmin()
        centre, strays = centre if is_exact else below[may_be][best], float(off.min())
    if strays > STRAYS_PX:
        return None
    place_px = view.pixels(np.array([*centre, level]), size)
    x, y = np.rint(place_px).astype(int)
    is_below = 0 <= x < size[0] and 0 <= y < size[1] and bool(rest[y, x])
    return Joint(place_px, is_below, strays)


def _may_be_joints(places: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the places (N, 2) may be the joint of a link that is seen at places (M, 2).

    And by how much each is off where it mostly is, as a penalty in px.
    """
    to_own = own - places[:, None]
    along = to_own.mean(1)
    along /= np.maximum(np.linalg.norm(along, axis=1), 1e-6)[:, None]
    across = to_own[..., 0] * along[:, None, 1] - to_own[..., 1] * along[:, None, 0]
    least, most = across.min(1), across.max(1)
    half = np.maximum((most - least) / 2, 1e-6)
    deep = np.linalg.norm(to_own, axis=-1).min(1) / half
    off_axis = np.abs(most + least) / 2 / half
    may_be = (deep >= DEEP[0]) & (deep <= DEEP[1]) & (off_axis <= OFF_AXIS)
    return may_be, UNLIKELY * half * (np.abs(deep - USUAL) + off_axis)


def _points(mask: np.ndarray) -> np.ndarray:
    """The pixels (N, 2) of a mask, every so many of a large one."""
    points = np.stack(np.nonzero(mask)[::-1], -1)
    return points[::1 + len(points) // MOST_POINTS]


def _on_table(rays: np.ndarray, level: float) -> np.ndarray:
    """Where rays (N, 3) meet a level plane: (N, 2)."""
    return np.asarray(rays[:, :2] * (level / rays[:, 2:]))


def _arc_about(place: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, float]:
    """The centre (2,) of the arc that a path is, and how far that strays; far if it is elsewhere.

    It is to be about a place (2,), as seen from the path's start.
    """
    middle = path.mean(0)
    points = path - middle
    # |p|^2 = 2 p c + r^2 - |c|^2 for every point p of a circle.
    (x, y, offset), *_ = np.linalg.lstsq(
        np.column_stack([2 * points, np.ones(len(points))]), (points ** 2).sum(1), rcond=None)
    centre = np.array([x, y])
    radius = float(np.sqrt(max(offset + centre @ centre, 0.0)))
    strays = float(np.abs(np.linalg.norm(points - centre, axis=1) - radius).max())
    length = max(float(np.linalg.norm(path[0] - place)), 1.0)
    is_there = (np.linalg.norm(middle + centre - place) <= OFF_SHARE * length
                and radius >= LEAST_SHARE * length)
    return middle + centre, strays if is_there else np.inf
