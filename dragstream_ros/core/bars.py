"""The black bars above and below a wide camera's picture, or beside a tall one's.

The camera sees nothing there, and its picture ends before them: what reaches in from outside does
so over their edge.  They are found in the picture itself, since films bring bars of their own.
"""

from __future__ import annotations

import numpy as np

Content = tuple[slice, slice]


def content_of(picture: np.ndarray) -> Content:
    """Rows and columns of what is between the bars of a picture (H, W, 3) uint8 RGB, or all."""
    lit = np.asarray(picture.any(-1))
    return _between(np.asarray(lit.any(1))), _between(np.asarray(lit.any(0)))


def over_bars(map_: np.ndarray, content: Content) -> np.ndarray:
    """A map (H, W, ...) of which the content goes on over the bars, as it is at their edges."""
    around = [(part.start, size - part.stop) for part, size in zip(content, map_.shape)]
    return np.pad(map_[content], around + [(0, 0)] * (map_.ndim - 2), mode='edge')


def bars_of(picture: np.ndarray) -> np.ndarray:
    """Where the bars are, (H, W) bool."""
    bars = np.ones(picture.shape[:2], bool)
    bars[content_of(picture)] = False
    return bars


def _between(lit: np.ndarray) -> slice:
    """Of lines, (n,) bool, those between as many that are black on both sides; else all."""
    there = np.flatnonzero(lit)
    if not len(there) or abs(there[0] - (len(lit) - 1 - there[-1])) > 1:
        return slice(0, len(lit))
    return slice(int(there[0]), int(there[-1]) + 1)
