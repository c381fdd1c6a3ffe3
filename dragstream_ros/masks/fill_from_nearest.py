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
    place_of = np.zeros(int(nearest.max()) + 1, np.intp)
    place_of[nearest[known]] = np.flatnonzero(known)
    filled = values.copy()
    filled[~known] = values.reshape(-1, *values.shape[2:])[place_of[nearest[~known]]]
    return filled
