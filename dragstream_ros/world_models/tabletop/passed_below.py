"""Arms that a dragged thing passes below: they stay where they are, and hide it.

What the model has seen move was mostly carried, so it lets any arm near a drag go along.  But an
arm that touches little of what is grabbed does not carry it.
"""
from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.core.held import Held
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture

GRIP = 2.5          # px of an arm that are so near to what it carries, for each px of its size
NEAR_PX = 2


def passed_below(seen: SeenPicture, held: Held) -> np.ndarray:
    """What the newest frame shows of such arms, (H, W) bool."""
    arms, before = seen.arms(), seen.arms_when_grabbed()
    passed = np.zeros(arms.shape, bool)
    if not arms.any():
        return passed
    masks = held.masks.numpy()
    for mask, swept in zip(masks, held.swept().numpy(), strict=True):
        for arm in set(np.unique(arms[swept])) - {0}:
            is_dragged = 2 * (masks & (before == arm)).sum((1, 2)) > masks.sum((1, 2))
            if not is_dragged.any() and not _carries(before == arm, mask & (before == 0)):
                passed |= arms == arm
    return passed


def _carries(arm: np.ndarray, thing: np.ndarray) -> bool:
    side = 2 * NEAR_PX + 1
    near = cv2.dilate(thing.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return int((arm & near).sum()) > GRIP * float(np.sqrt(thing.sum()))
