"""The region that an operator means by touching a point: the thing, where it is known, or a race.

What things look like was learnt in the simulation (thing_net.py): a box with its faces and stripes,
an arm with its hand.  A touch of what looks like none of them is left to grow_region.py, which
knows nothing but that an outline is where colours change.
"""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.masks.grow_region import grow_region, joined
from dragstream_ros.masks.thing_finder import find_things

LEAST_SHARE = 0.0007    # of the picture, for a thing
AROUND_SHARE = 0.03     # of the shorter side: how far around a thing the network must be sure, too
LEAST_LIKELY = -3.0     # logit of a pixel: what shows a little of the thing is held, too
LEAST_SURE = 0.955       # mean certainty in it and around, see the decision


def touched_region(
    image: np.ndarray, *points_px: np.ndarray, fallback_radius_px: float = 6.0
) -> np.ndarray:
    """The region (H, W) bool around a point of an (H, W, 3) uint8 RGB picture; never empty.

    The picture must not be changed afterwards: what was found in it is remembered.
    points_px and fallback_radius_px: see grow_region.  Of things that are known, the first that all
    points are on, if any: a touch of a link, turned about a point of the whole, means the whole.
    """
    things = [_known_thing(likely, point) for likely, point in zip(
        find_things(image).likelihood(*points_px), points_px, strict=True)]
    for thing in things:
        if thing is not None and all(_is_on(thing, point) for point in points_px):
            return thing
    if things[0] is None:
        return grow_region(image, *points_px, fallback_radius_px=fallback_radius_px)
    return joined(things[0], things[1:])


def _known_thing(likely: np.ndarray, point_px: np.ndarray) -> np.ndarray | None:
    """The thing (H, W) bool that a point is on, None where it is none that was learnt."""
    found = _part_at(likely > LEAST_LIKELY, point_px)
    return None if found is None or not _is_sure(likely, found) else found


def _part_at(mask: np.ndarray, point_px: np.ndarray) -> np.ndarray | None:
    """The connected part of a mask (H, W) bool at a point, or beside it; None if too small."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    y, x = _pixel(mask.shape, point_px)
    part = parts[y, x] or _beside(parts, point_px).max()
    found = np.asarray(parts == part)
    return found if part and found.mean() >= LEAST_SHARE else None


def _is_on(mask: np.ndarray, point_px: np.ndarray) -> bool:
    return bool(_beside(mask, point_px).any())


def _pixel(shape: tuple[int, ...], point_px: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel at a point (x, y), or of the nearest in the picture."""
    column, row = (min(max(round(float(at)), 0), size - 1)
                   for at, size in zip(point_px, shape[::-1], strict=True))
    return row, column


def _beside(map_: np.ndarray, point_px: np.ndarray) -> np.ndarray:
    """Of a map (H, W) the pixel at a point, and those beside it."""
    y, x = _pixel(map_.shape, point_px)
    return map_[max(y - 1, 0):y + 2, max(x - 1, 0):x + 2]


def _is_sure(likely: np.ndarray, found: np.ndarray) -> bool:
    side = 1 + 2 * max(1, round(AROUND_SHARE * min(found.shape)))
    around = cv2.dilate(found.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return bool((1 / (1 + np.exp(-np.abs(likely[around])))).mean() >= LEAST_SURE)
