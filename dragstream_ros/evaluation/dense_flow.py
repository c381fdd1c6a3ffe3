"""Dense optical flow (DIS) between two pictures, and what lies along it."""

from __future__ import annotations

import cv2
import numpy as np


def dense_flow(one: np.ndarray, other: np.ndarray, *, is_fine: bool = True) -> np.ndarray:
    """Where each pixel of one is in the other, relative to itself: (H, W, 2) float32, px.

    one, other: (H, W, 3) uint8 RGB. is_fine: at every pixel; else coarser, so that the edges of
    what moves bleed, in a quarter of the time.
    """
    greys = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (one, other))
    preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM if is_fine else cv2.DISOPTICAL_FLOW_PRESET_FAST
    finder = cv2.DISOpticalFlow.create(preset)
    return np.asarray(finder.calc(*greys, None))  # type: ignore[call-overload]


def look_along(values: np.ndarray, flow_px: np.ndarray) -> np.ndarray:
    """What of values (H, W, ...) lies flow_px (H, W, 2) from each pixel; the border goes on."""
    height, width = flow_px.shape[:2]
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    return np.asarray(cv2.remap(
        values, (places + flow_px).astype(np.float32), None,  # type: ignore[call-overload]
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
