"""What else is of the touched thing: its faces in another light, its stripes, its other half.

A region that was grown from a point ends where the colour changes most, and on a thing with faces
and patterns that is within it. Pieces of one colour beside it are added by three signs. A face has
the region's paint in another light. What has another paint lies along the region with much of its
outline and leaves it convex, which a neighbour that merely touches seldom does. And a shadow is the
table, only darker.
"""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.masks.colour_pieces import colour_pieces

SAME_PAINT = 0.15       # sine of the angle between two colours, as light
LEAST_SIDE = 0.1        # of a piece's outline that is shared with the region: of the same paint
LEAST_OTHER_SIDE = 0.35     # and of another
MOST_LOST = 0.1         # of convexity, area over that of the hull: by a piece of the same paint
MOST_OTHER_LOST = 0.02  # and of another
COVERED = 0.5           # a piece that is covered so far belongs to the region
CONTESTED = 0.1         # and of one from here on the region has what it could get
MOST_PIECES = 4
GAMMA = 2.2             # of pictures; shade scales light, not levels


def complete_region(picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the region (h, w) bool of (h, w, 3) uint8 RGB with all pieces that belong to it.

    What reaches the rim of the picture is never added: it goes on elsewhere, as tables and arms do.
    """
    labels = colour_pieces(picture)
    count = int(labels.max()) + 1
    light = _mean_light(picture, labels, count)
    rim = np.ones(labels.shape, bool)
    rim[1:-1, 1:-1] = False
    outside = np.bincount(labels[rim], minlength=count) > 0
    shares = _shares(labels, region, count)
    of_paint = _alike(light, light[shares >= COVERED])
    free = ~outside & (shares < CONTESTED)
    for _ in range(MOST_PIECES):
        beside, convexity = _outline(labels, region, count), _convexity(region)
        longest, added = 0.0, None
        for piece in np.flatnonzero(free & (beside > 0)).tolist():
            mask = labels == piece
            outline = _outline(labels, mask, count)
            side = beside[piece] / max(outline.sum(), 1)
            is_face = of_paint[piece]
            lost = convexity - _convexity(region | mask)
            if (side > longest
                    and side >= (LEAST_SIDE if is_face else LEAST_OTHER_SIDE)
                    and lost <= (MOST_LOST if is_face else MOST_OTHER_LOST)
                    and not _is_shadow(light, piece, outline * outside)):
                longest, added = side, piece
        if added is None:
            break
        free[added] = False
        region = region | (labels == added)
    return region


def _mean_light(picture: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean colour of each piece as light, (count, 3) in 0..1."""
    size_px = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    channels = np.moveaxis((picture / 255.0) ** GAMMA, -1, 0)
    return np.stack([np.bincount(labels.ravel(), channel.ravel(), count) / size_px
                     for channel in channels], -1)


def _shares(labels: np.ndarray, region: np.ndarray, count: int) -> np.ndarray:
    """How much of each piece the region covers, (count,) in 0..1."""
    size_px = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    return np.asarray(np.bincount(labels[region], minlength=count) / size_px)


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


def _alike(light: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which colours (n, 3) are one paint with any of the others (m, 3), more or less lit: (n,)."""
    across = np.linalg.norm(np.cross(light[:, None], others), axis=-1)
    lengths = np.outer(np.linalg.norm(light, axis=-1), np.linalg.norm(others, axis=-1))
    return np.asarray((across < SAME_PAINT * np.maximum(lengths, 1e-6)).any(-1))


def _is_shadow(light: np.ndarray, piece: int, outside: np.ndarray) -> bool:
    """Is a piece what goes on beside it, only darker? outside: (count,) sides shared with such."""
    if not outside.any():
        return False
    table = light[outside.argmax()]
    is_darker = bool(light[piece] @ table < table @ table)
    return is_darker and bool(_alike(light[piece][None], table[None])[0])
