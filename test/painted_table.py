"""A bare grey table for pictures that tests paint, and a painter that knows no other."""

from __future__ import annotations

import numpy as np

TABLE, RED, BLUE, BLACK = (120, 120, 110), (200, 30, 30), (30, 30, 200), (20, 20, 20)


def painted(_: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Pictures (n, H, W, 3) of the table, for places (n, H, W) that hide it."""
    return np.broadcast_to(np.uint8(TABLE), (*hidden.shape, 3)).copy()


def bare_table(side: int) -> np.ndarray:
    """The table alone, square."""
    return np.full((side, side, 3), TABLE, np.uint8)


def mask_of(side: int, *parts: tuple[slice, slice]) -> np.ndarray:
    """A square mask (side, side) bool with these rows and columns."""
    mask = np.zeros((side, side), bool)
    for part in parts:
        mask[part] = True
    return mask
