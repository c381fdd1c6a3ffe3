"""Cut a picture into pieces of one colour each: what has one colour mostly moves as one."""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.masks.fill_from_nearest import fill_from_nearest

STEP_LEVELS = 5     # between neighbouring pixels of a piece, so that shading does not cut it
LEAST_AREA_PX = 14  # smaller ones join the nearest
EVERY_PX = 3        # where pieces are looked for: no thing that matters is smaller
_OPEN, _FILLED, _DONE = 0, 255, 1


def colour_pieces(picture: np.ndarray) -> np.ndarray:
    """The piece (H, W) int32, from 1 on, that each pixel of (H, W, 3) uint8 RGB belongs to."""
    smooth = cv2.bilateralFilter(picture, 5, 25, 3)
    height, width = picture.shape[:2]
    pieces = np.zeros((height, width), np.int32)
    # OpenCV wants a rim of one pixel around the mask of what it fills.
    filled = np.full((height + 2, width + 2), _OPEN, np.uint8)
    for y in range(EVERY_PX // 2, height, EVERY_PX):
        for x in range(EVERY_PX // 2, width, EVERY_PX):
            if filled[y + 1, x + 1] != _OPEN:
                continue
            area_px, _, _, (left, top, columns, rows) = cv2.floodFill(
                smooth, filled, (x, y), 0, (STEP_LEVELS,) * 3, (STEP_LEVELS,) * 3,
                4 | cv2.FLOODFILL_MASK_ONLY | _FILLED << 8)
            box = filled[top + 1:top + 1 + rows, left + 1:left + 1 + columns]
            new = box == _FILLED
            if area_px >= LEAST_AREA_PX:
                pieces[top:top + rows, left:left + columns][new] = pieces.max() + 1
            box[new] = _DONE
    return _joined(pieces)


def _joined(pieces: np.ndarray) -> np.ndarray:
    """Give what belongs to none (0) to the nearest; all to one where there is none."""
    known = pieces > 0
    if not known.any():
        return np.ones_like(pieces)
    return fill_from_nearest(pieces, known)
