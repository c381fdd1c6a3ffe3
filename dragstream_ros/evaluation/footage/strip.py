"""The pictures of a start in one: a column a system, a row a moment.

A page plays it by showing one row after the other, so it can also be stopped and stepped through,
which animated pictures cannot.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

TALLEST_PX = 16000      # of WebP: 16383
WIDEST_PANEL_PX = 256
QUALITY = 82


def draw_strip(systems: Sequence[Sequence[np.ndarray | None] | np.ndarray | None]) -> bytes:
    """WebP of (T, H, W, 3) uint8 RGB pictures a system; grey where there is none."""
    count = max(len(pictures) for pictures in systems if pictures is not None)
    known = next(picture for pictures in systems if pictures is not None
                 for picture in pictures if picture is not None)
    height, width = known.shape[:2]
    scale = min(1.0, WIDEST_PANEL_PX / width, TALLEST_PX / (count * height))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    missing = np.full((size[1], size[0], 3), 128, np.uint8)
    rows = [
        np.hstack([
            missing if pictures is None or (picture := pictures[index]) is None
            else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            for pictures in systems])
        for index in range(count)]
    bgr = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    return cv2.imencode('.webp', bgr, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
