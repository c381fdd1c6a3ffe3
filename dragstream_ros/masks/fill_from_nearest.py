"""Give pixels of which nothing is known what the nearest known one has."""

from __future__ import annotations

import cv2
import numpy as np


def fill_from_nearest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values (H, W) or (H, W, C) of any dtype, filled where they are not known (H, W) bool.

    At least one pixel must be known.
    """
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    value_of = np.zeros((int(nearest.max()) + 1, *values.shape[2:]), values.dtype)
    value_of[nearest[known]] = values[known]
    return value_of[nearest]
