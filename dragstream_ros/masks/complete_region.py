"""What else is of the touched thing: its other faces, its stripes, its half of another colour.

A region that was grown from a point ends where the colour changes most, and on a thing of two
colours that is within it. Its pieces are told from what is around by three signs: they lie side by
side along much of their outline, and together they are about as convex as each by itself, which
what merely touches is seldom; and a shadow is the table, only darker.
"""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.masks.colour_pieces import colour_pieces

SIDE_BY_SIDE = 0.2      # of a piece's outline, at least
LEAST_CONVEXER = -0.05  # change of the region's area over that of its convex hull
SHADE_LIKENESS = 0.15   # distance from a darker table, in the table's brightness
COVERED = 0.5           # a piece that is covered so far belongs to the region already
MOST_PIECES = 4
GAMMA = 2.2             # of pictures; shade scales light, not levels


def complete_region(picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the region (h, w) bool of (h, w, 3) uint8 RGB with all pieces that belong to it.

    What reaches the rim of the picture is never added: it goes on elsewhere, as tables and arms do.
    """
    labels = colour_pieces(picture)
    count = int(labels.max()) + 1
    rim = np.ones(labels.shape, bool)
    rim[1:-1, 1:-1] = False
    outside = np.bincount(labels[rim], minlength=count) > 0
    free = ~outside & (_shares(labels, region, count) < COVERED)
    for _ in range(MOST_PIECES):
        beside = _outline(labels, region, count)
        convexity = _convexity(region)
        found = None
        for piece in np.flatnonzero(free & (beside > 0)):
            mask = labels == piece
            outline = _outline(labels, mask, count)
            share = beside[piece] / max(outline.sum(), 1)
            if (share >= max(SIDE_BY_SIDE, found[0] if found else 0.0)
                    and _convexity(region | mask) - convexity >= LEAST_CONVEXER
                    and not _is_shadow(picture, labels, mask, outline * outside)):
                found = share, piece, mask
        if found is None:
            break
        free[found[1]] = False
        region = region | found[2]
    return region


def _shares(labels: np.ndarray, region: np.ndarray, count: int) -> np.ndarray:
    """How much of each piece the region covers, (count,) in 0..1; 1 of a number without pixels."""
    size_px = np.bincount(labels.ravel(), minlength=count)
    covered_px = np.bincount(labels[region], minlength=count)
    return np.asarray((covered_px + (size_px == 0)) / np.maximum(size_px, 1))


def _outline(labels: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """How many sides of pixels a mask (h, w) bool shares with each piece beside it, (count,)."""
    sides = np.zeros(count, np.int64)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        for inside, beyond in ((a, b), (b, a)):
            sides += np.bincount(labels[beyond][mask[inside] & ~mask[beyond]], minlength=count)
    return sides


def _convexity(mask: np.ndarray) -> float:
    """Area over the area of the convex hull, 1 where it is convex."""
    hull = cv2.convexHull(cv2.findNonZero(mask.astype(np.uint8)))
    filled = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1)
    return float(mask.sum() / filled.sum())


def _is_shadow(picture: np.ndarray, labels: np.ndarray, mask: np.ndarray,
               outside: np.ndarray) -> bool:
    """Is it what goes on beside it, only darker? outside: (count,) sides shared with such."""
    if not outside.any():
        return False
    own, table = (((picture[where] / 255.0) ** GAMMA).mean(0)
                  for where in (mask, labels == outside.argmax()))
    brightness = float(own @ table / max(table @ table, 1e-6))
    unlike = np.linalg.norm(own - brightness * table) / max(np.linalg.norm(table), 1e-3)
    return brightness < 1 and bool(unlike < SHADE_LIKENESS)
