"""A picture with a known answer, to try measures on: what was there is gone."""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.evaluation.colours import grown

EDGE_PX = 2         # around the mask, where its edge is soft
RADIUS_PX = 3       # from which the filling is taken


def paint_over(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) uint8 without what the mask (H, W) bool shows, filled from around."""
    hole = grown(mask, EDGE_PX).astype(np.uint8)
    return cv2.inpaint(picture, hole, RADIUS_PX, cv2.INPAINT_TELEA)
