"""The region an operator means by touching one point: a race of two fronts, without any weights.

One front starts at the point, the other at the rim of a window around it. Each pays for every
change of colour it crosses, and a pixel belongs to the front that reaches it cheaper. Colours
inside an object may differ as long as its outline is the greater change, and a neighbour that
touches it is reached from the rim first. What the race leaves out of a thing of several colours is
added afterwards (complete_region.py). Nothing is random, and pictures of any size take a few
milliseconds, because the race is run on a window of at most 64x64.

Flood fill stops at the first shaded face, GrabCut and "unlike the surroundings" swallow touching
neighbours or lose white on white; docs/decisions/region_segmenter.md has the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from dragstream_ros.masks.complete_region import complete_region

WINDOW_SHARE = 0.2  # half the window's side, in the picture's shorter side
WORKING_SIZE_PX = 64
BLUR_PX = 0.7  # of the shrunken window; sensor noise is no outline
STEP_POWER = 1.25  # above 1: one strong edge costs more than many weak ones
COST_PER_PIXEL = 0.5  # keeps fronts from running far through flat colour
SEED_SHARE = 0.05  # radius of the touched spot, in the window's side
SAME_COLOUR = 12.0  # Lab distance
WEAKEST_OUTLINE = 3.0  # mean Lab step across the outline, below which there is none
HALFWAY = 0.5  # of the way from the rim, what the touched spot must reach to count
MOST_SWEEPS = 40
MOST_LARGER = 2.0  # what is around a further point, than what is around the first


def grow_region(
    image: np.ndarray, *points_px: np.ndarray, fallback_radius_px: float = 6.0
) -> np.ndarray:
    """The region (H, W) bool around a point of an (H, W, 3) uint8 RGB picture.

    points_px: each (x, y) inside the picture. What is around a further one belongs to the region,
    too, if it stands out, touches what is around the first, and is not as large as an arm in front
    of it: a thing may have several colours. Where nothing stands out at the first (bare table), the
    region is the disc of fallback_radius_px there. Never empty; it reaches at most 0.2 of the
    picture's shorter side from a point to each side, so of an arm it is the end that was touched.
    """
    point_px, *further_px = points_px
    region = _grown(image, point_px)
    if region is None:
        return _disc(image.shape[:2], point_px, fallback_radius_px)
    return joined(region, (_grown(image, further) for further in further_px))


def joined(region: np.ndarray, further: Iterable[np.ndarray | None]) -> np.ndarray:
    """A region (H, W) bool with those around further points that touch it and are not too large."""
    for found in further:
        if (found is not None and found.sum() <= MOST_LARGER * region.sum()
                and (_with_rim(region) & found).any()):
            region = region | found
    return region


def _grown(image: np.ndarray, point_px: np.ndarray) -> np.ndarray | None:
    """The region (H, W) bool around one point, None where nothing stands out."""
    height, width = image.shape[:2]
    reach = max(4, round(WINDOW_SHARE * min(height, width)))
    x, y = (int(np.clip(round(float(v)), 0, n - 1)) for v, n in zip(point_px, (width, height)))
    left, top = max(x - reach, 0), max(y - reach, 0)
    window = image[top : y + reach + 1, left : x + reach + 1]
    inner = np.array([[top > 0, y + reach < height - 1], [left > 0, x + reach < width - 1]])
    found = _race(window, (x - left, y - top), inner)
    if found is None:
        return None
    region = np.zeros((height, width), bool)
    region[top : y + reach + 1, left : x + reach + 1] = found
    return region


def _with_rim(region: np.ndarray) -> np.ndarray:
    return cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _race(window: np.ndarray, at: tuple[int, int], inner: np.ndarray) -> np.ndarray | None:
    """The object (h, w) bool at pixel `at` of the window, or None where nothing stands out.

    inner: whether the (top, bottom), (left, right) rims lie inside the picture. A rim on the
    picture's edge is no background: arms come in there.
    """
    h, w = window.shape[:2]
    shrink = min(1.0, WORKING_SIZE_PX / max(h, w))
    size = (max(round(w * shrink), 1), max(round(h * shrink), 1))
    small = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
    point = ((np.array(at) + 0.5) * size / (w, h)) - 0.5
    colours = lab(small)

    steps_x = np.linalg.norm(np.diff(colours, axis=1), axis=-1)
    steps_y = np.linalg.norm(np.diff(colours, axis=0), axis=-1)
    costs = steps_x**STEP_POWER + COST_PER_PIXEL, steps_y**STEP_POWER + COST_PER_PIXEL
    rim = _rim(size[::-1], inner)
    touched = _disc(size[::-1], point, max(SEED_SHARE * size[1], 1.2))
    # A touch on an outline means the thing, not the table beside it: what is far from the rim.
    remoteness = spread(rim, *costs)
    touched &= remoteness >= HALFWAY * remoteness[touched].max()
    alike = np.linalg.norm(colours - np.median(colours[touched], axis=0), axis=-1) < SAME_COLOUR
    if (rim & alike).sum() < 0.5 * rim.sum():
        rim &= ~alike  # the object itself goes on beyond the window
    won = spread(touched, *costs) < spread(rim, *costs)

    across = np.concatenate([steps_x[won[:, 1:] != won[:, :-1]], steps_y[won[1:] != won[:-1]]])
    if across.size == 0 or across.mean() < WEAKEST_OUTLINE:
        return None
    won = complete_region(small, won)
    return cv2.resize(won.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR) > 0.5


def spread(sources: np.ndarray, cost_x: np.ndarray, cost_y: np.ndarray) -> np.ndarray:
    """The cheapest way (h, w) to each pixel from any source, stepping to the four neighbours.

    cost_x (h, w - 1), cost_y (h - 1, w): of a step between neighbours. A whole row is walked at
    once: with c the cumulated cost, going right reaches pixel j at min over i <= j of d_i - c_i,
    plus c_j. Rows and columns in both directions are repeated until nothing gets cheaper.
    """
    along_x = np.pad(np.cumsum(cost_x, axis=1), ((0, 0), (1, 0)))
    along_y = np.pad(np.cumsum(cost_y, axis=0), ((1, 0), (0, 0)))
    # Finite, so that subtracting a cumulated cost leaves it far above every real one.
    price = np.where(sources, 0.0, 1e9)
    for _ in range(MOST_SWEEPS):
        before = price
        for axis, along in ((1, along_x), (0, along_y)):
            price = np.minimum.accumulate(price - along, axis=axis) + along
            backwards = np.flip(price + along, axis)
            price = np.flip(np.minimum.accumulate(backwards, axis=axis), axis) - along
        if (before - price).max() < 0.1:
            break
    return price


def lab(rgb: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2Lab)
    return cv2.GaussianBlur(lab, (0, 0), BLUR_PX)


def _rim(shape: tuple[int, int], inner: np.ndarray) -> np.ndarray:
    rim = np.zeros(shape, bool)
    (top, bottom), (left, right) = inner if inner.any() else ~inner
    rim[:2] |= top
    rim[-2:] |= bottom
    rim[:, :2] |= left
    rim[:, -2:] |= right
    return rim


def _disc(shape: tuple[int, int], centre: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= max(radius**2, 0.5)
