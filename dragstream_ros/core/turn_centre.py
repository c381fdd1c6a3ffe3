"""About which point of the picture a thing turns: one as high above the table as what is grabbed.

A camera that looks down at a slant sees the axis of a turn as an upright line.  Who drags the edge
of a box around its middle points at a place of that line which is higher or lower than the edge,
and the edge does not go around that place.
"""

from __future__ import annotations

import numpy as np

UNSURE = 0.043      # picture heights: a path that changes its height by less tells nothing
HIGHEST = 0.08      # picture heights: from the centre that is said, at most
NEAREST = 0.5       # of the way from there to the path


def turn_centre(path_px: np.ndarray, said_px: np.ndarray, flatness: float, height_px: int,
                ) -> np.ndarray:
    """Move a centre (2,) up or down so that a path (N, 2) stays as far from it as it can.

    flatness: height over width of the circles that things on the table go around in. Least squares
    of the squared distances on the table, with little trust in a path that hardly rises or falls.
    """
    arms = (path_px - said_px) / (1.0, flatness)
    squares = (arms ** 2).sum(1)
    farther, lower = squares - squares[0], arms[:, 1] - arms[0, 1]
    lift = (farther * lower).mean() / (
        2 * (lower ** 2).mean() + (UNSURE * height_px) ** 2)
    most = min(HIGHEST * height_px, NEAREST * float(np.sqrt(squares.min())))
    return np.asarray(said_px + (0.0, flatness * np.clip(lift, -most, most)))
