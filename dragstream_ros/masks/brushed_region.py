"""What an operator means who paints over something: up to where that ends, not to the paint's rim.

Nobody paints to a pixel. Where the brush's middle has been is surely meant, and what it has not
touched is surely not: two fronts race from there, as for a touch (grow_region.py), and meet at the
outline that lies between them. Where none does, all that was painted is meant.
"""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.masks.grow_region import COST_PER_PIXEL, STEP_POWER, lab, spread

WORKING_SIZE_PX = 128
RIM_PX = 2          # around what is painted: enough for an outline right at the paint's rim


def brushed_region(image: np.ndarray, painted: np.ndarray, middle: np.ndarray,
                   radius_px: float) -> np.ndarray:
    """The region (H, W) bool of an (H, W, 3) uint8 RGB picture; empty if nothing is painted.

    painted: (H, W) bool, by a brush of that radius; middle: (H, W) bool, where its middle has been.
    """
    if not middle.any():        # beyond the picture's edge
        return painted
    rows, columns = (slice(max(int(along.min()) - RIM_PX - 1, 0), int(along.max()) + RIM_PX + 2)
                     for along in np.nonzero(painted | middle))
    window = image[rows, columns]
    height, width = window.shape[:2]
    scale = min(1.0, WORKING_SIZE_PX / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small_painted, small_middle = (
        cv2.resize(mask[rows, columns].astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        for mask in (painted, middle))
    meant = _race(cv2.resize(window, size, interpolation=cv2.INTER_AREA), small_painted,
                  small_middle, radius_px * scale)
    region = np.zeros(painted.shape, bool)
    region[rows, columns] = cv2.resize(
        meant.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    return region if region.any() else painted


def _race(image: np.ndarray, painted: np.ndarray, middle: np.ndarray,
          radius_px: float) -> np.ndarray:
    untouched = cv2.dilate(painted.astype(np.uint8), np.ones((2 * RIM_PX + 1,) * 2)) == 0
    if untouched.all() or not untouched.any():
        return painted
    colours = lab(image)
    cost_x, cost_y = (
        np.linalg.norm(np.diff(colours, axis=axis), axis=-1) ** STEP_POWER + COST_PER_PIXEL
        for axis in (1, 0))
    # The one from outside starts so late that without an outline it loses.
    late = COST_PER_PIXEL * (radius_px + RIM_PX)
    meant = spread(middle, cost_x, cost_y) < spread(untouched, cost_x, cost_y) + late
    return np.asarray(meant & ~untouched)
