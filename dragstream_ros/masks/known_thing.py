"""The thing at a point of a picture, if it is one that was learnt and the network is sure of it."""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.core.mask_pixels import beside, pixel_at

LEAST_SHARE = 0.0007    # of the picture, for a thing
AROUND_SHARE = 0.03     # of the shorter side: how far around a thing the network must be sure, too
LEAST_LIKELY = -3.0     # logit of a pixel: what shows a little of the thing is held, too
LEAST_SURE = 0.955      # mean certainty in it and around; docs/decisions/region_segmenter.md


def known_thing(likely: np.ndarray, point_px: np.ndarray) -> np.ndarray | None:
    """The thing (H, W) bool that a point (x, y) is on, None where it is none that was learnt.

    likely: (H, W) float32, how likely each pixel is of it: logits, see ThingFinder.likelihood.
    """
    found = _part_at(likely > LEAST_LIKELY, point_px)
    return None if found is None or not is_sure(likely, found) else found


def is_sure(likely: np.ndarray, found: np.ndarray) -> bool:
    """Of a thing (H, W) bool that was found, and of what is around it, the network is sure."""
    side = 1 + 2 * max(1, round(AROUND_SHARE * min(found.shape)))
    around = cv2.dilate(found.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return bool((1 / (1 + np.exp(-np.abs(likely[around])))).mean() >= LEAST_SURE)


def _part_at(mask: np.ndarray, point_px: np.ndarray) -> np.ndarray | None:
    """The connected part of a mask (H, W) bool at a point, or beside it; None if too small."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    y, x = pixel_at(mask.shape, point_px)
    part = parts[y, x] or beside(parts, point_px).max()
    found = np.asarray(parts == part)
    return found if part and found.mean() >= LEAST_SHARE else None
