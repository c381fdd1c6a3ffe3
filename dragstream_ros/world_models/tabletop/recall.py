"""What is grabbed in a predicted frame, as it was really seen, where it is by now.

A predicted thing is frayed: a chunk may have lost its rim, or an arm passed through it.  Grabbed as
the frame shows it, it would lose a bit more with every drag.  So it is looked for in the picture
that was really seen, and put into the frame whole.
"""
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dragstream_ros.core.held import Grow
from dragstream_ros.world_models.tabletop.rigid_pieces import Piece
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid

LEAST_SEEN_PX, LEAST_SHARE = 12, 0.25   # of a thing in the frame, to know where it is
NEAR_PX = 1.5           # from where the others say that it should be, a pixel agrees
STEEPEST_TURN = 0.2     # rad; what has turned further shows other sides than were seen


def recalled(seen: SeenPicture, frame: np.ndarray, points_px: list[np.ndarray], grow: Grow,
             ) -> tuple[np.ndarray, np.ndarray, SeenPicture] | None:
    """The frame (H, W, 3) uint8 RGB with the thing at points (x, y) of it as it was seen.

    With the mask (H, W) bool of that, and what was seen, as of this frame; None where the thing is
    not known to have been seen.
    """
    height, width = frame.shape[:2]
    x, y = np.rint(np.stack(points_px)).astype(int).T.clip(0, [[width - 1], [height - 1]])
    origins = seen.origin[:, y, x].T
    if np.isnan(origins).any():
        return None
    thing = grow(seen.picture, *origins)
    picture, unseen = seen.picture, np.zeros(thing.shape, bool)
    number = int(np.bincount(seen.pieces.things[thing]).argmax())
    is_whole = 2 * (thing & (seen.pieces.things == number)).sum() > (
        seen.pieces.things == number).sum()
    if is_whole and number in seen.hidden:
        picture, unseen = seen.hidden[number].picture, seen.hidden[number].mask & ~thing
    shown = seen.shows(thing)
    motion = _motion(grid(shown.shape)[:, shown], seen.origin[:, shown], thing.sum())
    if motion is None:
        return None
    everywhere = Piece((slice(height), slice(width)), np.ones((height, width)), motion)
    cover, guessed = (everywhere.cut(of.astype(np.float32)) for of in (thing | unseen, unseen))
    # What an arm hides of it now is left to the next time that it is grabbed.
    cover *= (seen.shows(seen.pieces.arms) == 0) | shown
    colours = everywhere.cut(picture)
    whole = frame + cover[..., None] * (colours.astype(np.float32) - frame)
    mask = cover > 0.5
    pixels = np.concatenate([grid(mask.shape), np.ones((1, height, width), np.float32)])
    origin = np.where(mask, np.tensordot(motion.astype(np.float32), pixels, 1), seen.origin)
    origin[:, mask & (guessed > 0.5)] = np.nan
    return np.rint(whole).astype(np.uint8), mask, replace(seen, origin=origin)


def _motion(here: np.ndarray, there: np.ndarray, thing_px: int) -> np.ndarray | None:
    """(2, 3) from pixels (2, n) of the frame to where they were seen; None if that is not clear."""
    if here.shape[1] < max(LEAST_SEEN_PX, LEAST_SHARE * thing_px):
        return None
    motion, agrees = cv2.estimateAffinePartial2D(
        here.T, there.T, method=cv2.RANSAC, ransacReprojThreshold=NEAR_PX)
    if motion is None or agrees.mean() < 0.5 or (
            abs(np.arctan2(motion[1, 0], motion[0, 0])) > STEEPEST_TURN):
        return None
    return np.asarray(motion)
