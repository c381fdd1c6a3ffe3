"""Which pixel of a mask a point is on, and whether the mask ends where the picture does."""

from __future__ import annotations

import numpy as np


def pixel_at(shape: tuple[int, ...], point_px: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel at a point (x, y), or of the nearest in the picture."""
    column, row = (min(max(round(float(at)), 0), size - 1)
                   for at, size in zip(point_px, shape[::-1], strict=True))
    return row, column


def beside(map_: np.ndarray, point_px: np.ndarray) -> np.ndarray:
    """Of a map (H, W) the pixel at a point (x, y), and those next to it."""
    y, x = pixel_at(map_.shape, point_px)
    return map_[max(y - 1, 0):y + 2, max(x - 1, 0):x + 2]


def is_on(mask: np.ndarray, point_px: np.ndarray) -> bool:
    """A point (x, y) is on a mask (H, W) bool, or beside it."""
    return bool(beside(mask, point_px).any())


def at_border(mask: np.ndarray) -> bool:
    """A mask (H, W) bool has a pixel at the border: what it shows may go on outside."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
