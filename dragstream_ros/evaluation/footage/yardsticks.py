"""What needs no world model: predictions that any better one must beat."""

from __future__ import annotations

import cv2
import numpy as np


def copy_last(newest: np.ndarray, count: int) -> np.ndarray:
    """(count, H, W, 3) uint8: the last picture (H, W, 3) held."""
    return np.repeat(newest[None], count, axis=0)


def constant_flow(before: np.ndarray, newest: np.ndarray, count: int) -> np.ndarray:
    """(count, H, W, 3) uint8 RGB: everything goes on as from before to newest, both (H, W, 3).

    Dense flow (DIS) looks from newest back to before; each pixel then shows what lies so many steps
    back along it.
    """
    greys = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (newest, before))
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back = finder.calc(*greys, None)  # type: ignore[call-overload]
    height, width = newest.shape[:2]
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    return np.stack([
        cv2.remap(newest, places + step * back, None, cv2.INTER_LINEAR,  # type: ignore[call-overload]
                  borderMode=cv2.BORDER_REPLICATE)
        for step in range(1, count + 1)])
