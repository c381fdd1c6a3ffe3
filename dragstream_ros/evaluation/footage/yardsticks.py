"""What needs no world model: predictions that any better one must beat."""

from __future__ import annotations

import numpy as np

from dragstream_ros.evaluation.dense_flow import dense_flow, look_along


def copy_last(newest: np.ndarray, count: int) -> np.ndarray:
    """(count, H, W, 3) uint8: the last picture (H, W, 3) held."""
    return np.repeat(newest[None], count, axis=0)


def constant_flow(before: np.ndarray, newest: np.ndarray, count: int) -> np.ndarray:
    """(count, H, W, 3) uint8 RGB: everything goes on as from before to newest, both (H, W, 3).

    The flow looks from newest back to before; each pixel then shows what lies so many steps back
    along it.
    """
    back = dense_flow(newest, before)
    return np.stack([look_along(newest, step * back) for step in range(1, count + 1)])
