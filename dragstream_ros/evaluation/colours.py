"""Colours as people tell them apart, and the pixels of a mask that show them pure.

Colours are CIE Lab and their differences distances in it, of which about 2 is just visible.
"""

from __future__ import annotations

import cv2
import numpy as np

ALIKE = 25.0            # nearer than this, two colours may be shades of one
# Different for certain. A difference counts no more than this, so that a highlight in the wrong
# place does not outweigh a shape in the right one; and what is further from all that can be
# expected is nothing that we know.
DIFFERENT = 40.0


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Colours (..., W, 3) float32 of uint8 RGB pictures (..., W, 3)."""
    pixels = rgb.reshape(-1, rgb.shape[-2], 3).astype(np.float32) / 255
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).reshape(rgb.shape)


def nearest(colours: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Distance (n,) of each colour (n, 3) from the nearest of a palette (m, 3)."""
    square = (colours ** 2).sum(-1)[:, None] + (palette ** 2).sum(-1) - 2 * colours @ palette.T
    return np.sqrt(np.maximum(square.min(1), 0.0))


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask (H, W) bool with so many pixels around it."""
    side = 2 * pixels + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def core(mask: np.ndarray) -> np.ndarray:
    """The mask without its edge, or all of it where it is nothing but edge."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return inner if inner.any() else mask
