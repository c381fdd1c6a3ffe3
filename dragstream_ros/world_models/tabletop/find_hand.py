"""What the hand of an arm is made of: a palm across the end of a forearm, and fingers below it.

All of an arm that is not its forearm is the hand. Of that, what has the colour that is next to the
forearm, in whatever light, is the palm; the rest, below it, are fingers. How large a palm is, and
where its axis, is known in widths of the forearm; it lies as it fits best.
"""
from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from dragstream_ros.core.table_view import TableView
from dragstream_ros.core.wrist import Wrist
from dragstream_ros.world_models.tabletop.backdrop import grown, opened
from dragstream_ros.world_models.tabletop.fit_palm import PalmFit, fit_palm
from dragstream_ros.world_models.tabletop.forearm_band import ForearmBand

# In widths of the forearm: from the middle of its round end to the axis of the hand at the palm's
# top, along it and upright; length, depth and height of the palm; so far around its end is a joint.
AXIS_ALONG, AXIS_BELOW = 0.12, 0.85
PALM = 2.5, 0.9, 0.67
JOINT = 0.8
FINGER_SHARES = 0.3, 0.9     # of the way from the axis to the palm's end: there a finger hangs
NEXT_PX = 2             # there is a soft edge between a palm and its fingers
BESIDE_PX = 3           # the forearm, where all of the hand is palm
OFF, OFF_LEVELS = 0.12, (12.0, 30.0)    # share, and levels: how far a colour may be from another
LEAST_FIT = 0.4         # intersection over union
LEAST_PALM_PX, LEAST_FINGER_PX, MOST_FINGERS = 12, 6, 2


class Lit(NamedTuple):
    """By how much the same colour may be darker and brighter than this quantile of a part is."""

    quantile: float
    darkest: float
    brightest: float


FOREARM = Lit(0.5, 0.5, 1.8)
PALMS = Lit(0.7, 0.6, 1.7), Lit(0.7, 0.5, 1.15)     # while it is but a rim, and then of all of it


def find_hand(picture: np.ndarray, arm: np.ndarray, grabbed_px: np.ndarray,
              view: TableView) -> Wrist | None:
    """Of an arm (H, W) bool in (H, W, 3) uint8 RGB; None where no hand is to be told from it.

    grabbed_px: (2,), a point (x, y) of the hand, or near to it.
    """
    band = ForearmBand.of(arm, grabbed_px)
    if band is None:
        return None
    light = picture.mean(-1)
    level, _ = cv2.threshold(light[arm].astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    # A ring may be all that is seen of the forearm at the rim, and it may be of a middling grey: so
    # the bright and the dark of the arm are tried, and all that has the colour of either.
    halves = [arm & (light > level), arm & (light <= level)]
    found = [_hand_below(picture, arm, is_alike, band, view) for is_alike in (
        *halves, *(arm & _has_colour(picture, half, FOREARM) for half in halves))]
    fit, wrist = max(found, key=lambda pair: pair[0])
    return wrist if fit >= LEAST_FIT else None


def _hand_below(picture: np.ndarray, arm: np.ndarray, is_alike: np.ndarray, band: ForearmBand,
                view: TableView) -> tuple[float, Wrist | None]:
    """The hand of an arm (H, W) bool, and how well its palm fits.

    is_alike: (H, W) bool, what of the arm looks like its forearm.
    """
    end = band.end(arm, is_alike)
    round_end = band.away(end - band.width / 2) <= JOINT * band.width
    forearm = arm & (band.inside(end) | round_end & is_alike)
    hand = arm & ~forearm
    palm = _palm(picture, hand, hand & grown(forearm, BESIDE_PX))
    if palm.sum() < LEAST_PALM_PX:
        return 0.0, None
    if is_alike[palm].mean() > 0.5 > is_alike[forearm].mean():      # it is the other way round
        return 0.0, None
    axis_px = band.point(end - band.width * (0.5 - AXIS_ALONG))
    flatness = view.flatness(axis_px[1] / len(arm))
    upright = float(np.sqrt(1 - flatness ** 2))     # how high a step upwards looks
    axis_px += (0.0, AXIS_BELOW * upright * band.width)
    length, depth, height = np.array(PALM) * band.width
    fingers, palm = _fingers(hand & ~palm, palm)
    fit = fit_palm(palm, arm & ~np.any([palm, *fingers], 0), axis_px, (length, depth),
                   height * upright, flatness)
    return fit.alike, Wrist(
        axis_px=fit.axis_px, forearm=forearm, palm=palm, fingers=fingers,
        places_px=_places(fingers, fit, flatness), corners_px=fit.corners_px,
        thick_px=fit.thick_px)


def _palm(picture: np.ndarray, hand: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """What of a hand has the colour that it has beside its forearm, (H, W) bool all."""
    palm = beside
    for lit in PALMS:
        palm = hand & _has_colour(picture, palm, lit)
    return _without_specks(palm, LEAST_PALM_PX)


def _has_colour(picture: np.ndarray, part: np.ndarray, lit: Lit) -> np.ndarray:
    """What has the colour of a part, in whatever light, (H, W) bool both."""
    if not part.any():
        return part
    levels = picture.astype(np.float32)
    light = levels[part].mean(-1)
    colour = np.median(levels[part][light >= np.quantile(light, lit.quantile)], 0) + 1e-3
    off_levels = np.clip(OFF * np.linalg.norm(colour), *OFF_LEVELS)
    shade = ((levels @ colour) / (colour @ colour)).clip(lit.darkest, lit.brightest)
    return np.linalg.norm(levels - shade[..., None] * colour, axis=-1) < off_levels


def _fingers(rest: np.ndarray, palm: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """What of the rest of a hand hangs from the palm, the largest first; and the palm, whole.

    What lies on the palm is the palm, in a glare. All (H, W) bool.
    """
    count, parts, stats, _ = cv2.connectedComponentsWithStats(
        opened(rest).astype(np.uint8), connectivity=4)
    fingers, palm = [], palm.copy()
    for part in sorted(range(1, count), key=lambda part: -stats[part, cv2.CC_STAT_AREA]):
        its = parts == part
        if stats[part, cv2.CC_STAT_AREA] < LEAST_FINGER_PX:
            continue
        if (its[:-NEXT_PX] & palm[NEXT_PX:]).sum() > (its[NEXT_PX:] & palm[:-NEXT_PX]).sum():
            palm |= its
        else:
            fingers.append(its)
    return tuple(fingers[:MOST_FINGERS]), palm


def _places(fingers: tuple[np.ndarray, ...], palm: PalmFit, flatness: float,
            ) -> tuple[np.ndarray, ...]:
    """Where along the palm they hang from it, from the axis: as far on both sides."""
    axis_px = palm.axis_px + (0.0, palm.thick_px)       # at its lower face
    along = palm.corners_px[:2].mean(0)                 # to its end
    level = along / (1.0, flatness)
    shares = []
    for mask in fingers:
        top = int(np.flatnonzero(mask.any(1))[0])
        middle = float(np.flatnonzero(mask[top:top + 2].any(0)).mean())
        from_axis = (np.array([middle, top]) - axis_px) / (1.0, flatness)
        shares.append(float(from_axis @ level / (level @ level)))
    if len(shares) == 2:
        half = (shares[0] - shares[1]) / 2
        shares = [half, -half]
    nearest, farthest = FINGER_SHARES
    return tuple(np.copysign(np.clip(abs(share), nearest, farthest), share) * along
                 for share in shares)


def _without_specks(mask: np.ndarray, least_px: int) -> np.ndarray:
    parts = cv2.connectedComponents(mask.astype(np.uint8))[1]
    sizes = np.bincount(parts.ravel())
    return mask & (sizes >= least_px)[parts]
