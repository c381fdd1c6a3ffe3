"""How the palm of a hand lies: as the block, of known size, that covers its pixels best."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

WAYS = 36               # it may lie, of half a turn
# That its axis may be from where it is expected, px: first, and from there; and its size.
FIRST_ASIDE_PX = tuple(product((-4, 0, 4), (-2, 2)))
ASIDE_PX = tuple(product((-2, 0, 2), (-2, 0, 2)))
SCALES = (0.8, 0.9, 1.0)
CORNERS = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) / 2


@dataclass(frozen=True, eq=False)
class PalmFit:
    """alike: intersection over union of a block and a palm; way: it lies, one of WAYS.

    axis_px: (2,), the middle of its top; corners_px: (4, 2), of that, from the axis, the first two
    at one end; thick_px: how far below the top its lower face is seen.
    """

    alike: float
    way: int
    axis_px: np.ndarray
    corners_px: np.ndarray
    thick_px: float


def fit_palm(palm: np.ndarray, unclear: np.ndarray, axis_px: np.ndarray,
             size_px: tuple[float, float], thick_px: float, flatness: float) -> PalmFit:
    """The block that fits a palm (H, W) bool best.

    unclear: (H, W) bool, where it may be as well. axis_px: where its middle is expected; size_px:
    its length and depth; flatness: of a circle on it.
    """
    around = _window(palm, round(max(size_px)))
    palm, unclear = palm[around], unclear[around]
    first_px = np.array([around[1].start, around[0].start])

    def tried(way: int, scale: float, axis_px: np.ndarray) -> PalmFit:
        angle = np.pi * way / WAYS
        cos, sin = np.cos(angle), np.sin(angle)
        corners = scale * CORNERS * size_px @ np.array([(cos, sin), (-sin, cos)]) * (1.0, flatness)
        top, down = axis_px + corners - first_px, (0.0, scale * thick_px)
        outline = cv2.convexHull(np.rint(np.concatenate([top, top + down])).astype(np.int32))
        block = cv2.fillConvexPoly(np.zeros(palm.shape, np.uint8), outline, 1) > 0
        block &= ~unclear
        alike = float((block & palm).sum() / max((block | palm).sum(), 1))
        return PalmFit(alike, way, axis_px, corners, scale * thick_px)

    first = _best(tried(way, SCALES[1], axis_px + aside)
                  for way, aside in product(range(0, WAYS, 2), FIRST_ASIDE_PX))
    return _best(tried(first.way + turn, scale, first.axis_px + aside)
                 for turn, scale, aside in product((-1, 0, 1), SCALES, ASIDE_PX))


def _best(fits: Iterable[PalmFit]) -> PalmFit:
    return max(fits, key=lambda fit: fit.alike)


def _window(palm: np.ndarray, rim_px: int) -> tuple[slice, slice]:
    """Rows and columns in which a palm (H, W) bool lies, and so much around it."""
    rows, columns = (np.flatnonzero(palm.any(axis)) for axis in (1, 0))
    return (slice(max(int(rows[0]) - rim_px, 0), int(rows[-1]) + rim_px + 1),
            slice(max(int(columns[0]) - rim_px, 0), int(columns[-1]) + rim_px + 1))
