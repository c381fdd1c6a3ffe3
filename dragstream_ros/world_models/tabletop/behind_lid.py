"""What comes to light behind a lid that swings: its box, and if it lay on that, the inside.

The box goes on behind the lid, level with its hinge.  Inside, its walls go down as far as its
sides, to a dark floor.
"""
from __future__ import annotations

import numpy as np

from dragstream_ros.core.hinge import Hinge
from dragstream_ros.masks.fill_from_nearest import fill_from_nearest
from dragstream_ros.world_models.tabletop.backdrop import convex, grown

WALLS = 0.6         # levels of walls inside, in those of the box's top
DARK = 0.25         # levels of the floor, in those of the box's top
AROUND_PX = 4       # the lid: so far from it nothing is left that is seen of the box
BRIGHTEST = 75      # percentile of the light of what is seen of a box: its top has as much


def behind_lid(frame: np.ndarray, lid: np.ndarray, box: np.ndarray, hinge: Hinge,
               ) -> tuple[np.ndarray, np.ndarray]:
    """Where the box is behind a lid (H, W) bool, (H, W) bool, and a frame that shows it there.

    box: (H, W) bool, what is seen of it in a frame (H, W, 3) uint8 RGB.
    """
    opening = hinge.opening((lid.shape[1], lid.shape[0]))
    behind = convex(box | opening) & grown(lid, AROUND_PX)
    shown = fill_from_nearest(frame, box)
    light = frame.astype(np.float32).sum(-1)
    is_top = box & (light >= np.percentile(light[box], BRIGHTEST))
    top = np.median(frame[is_top], 0)
    if hinge.is_open:
        shown[behind & ~opening] = top
    else:
        # Its outer sides are as high as what is seen of them below the lid.
        below = box & (np.cumsum(lid, 0) > 0)
        high_px = int(np.median(below.sum(0)[lid.any(0)]))
        floor = opening.copy()
        floor[high_px:] &= opening[:len(opening) - high_px]
        floor[:high_px] = False
        inside = opening & ~grown(~opening, 1)
        shown[inside] = top * WALLS
        shown[inside & floor] = top * DARK
    return behind, shown
