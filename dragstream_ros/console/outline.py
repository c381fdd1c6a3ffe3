"""Regions as outlines: what a touch grabs, what a brush stroke covers."""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.console.requests import Points
from dragstream_ros.masks.brushed_region import brushed_region
from dragstream_ros.masks.outline import outline_of
from dragstream_ros.masks.touched_region import touched_region


def touched_outline(picture: np.ndarray, points_px: Points) -> Points:
    """The outline of what is touched at points of an (H, W, 3) uint8 RGB picture."""
    return outline_of(touched_region(picture, *np.array(points_px)))


def brushed_outline(stroke: Points, *, radius_px: float, size: tuple[int, int],
                    picture: np.ndarray | None = None) -> Points:
    """The outline of what a stroke of a round brush means, in a picture of (width, height).

    picture: (height, width, 3) uint8 RGB; None where it is gone: then all that it covers. Nothing
    of a stroke beyond the picture.
    """
    painted, middle = _painted(stroke, radius_px, size), _painted(stroke, 0.5, size)
    if not painted.any():
        return ()
    return outline_of(painted if picture is None else brushed_region(
        picture, painted, middle, radius_px))


def _painted(stroke: Points, radius_px: float, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size[::-1], np.uint8)
    fraction_bits = 4
    fixed_point = np.rint(np.array(stroke) * (1 << fraction_bits)).astype(np.int32)
    cv2.polylines(
        mask, [fixed_point], isClosed=False, color=1, thickness=max(round(2 * radius_px), 1),
        shift=fraction_bits)
    for x, y in fixed_point:
        cv2.circle(mask, (int(x), int(y)), round(radius_px * (1 << fraction_bits)), 1, -1,
                   shift=fraction_bits)
    return mask.astype(bool)
