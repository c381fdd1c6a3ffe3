"""What others hide of the things of a picture: where it is, and in which colours.

A thing that is drawn as it is seen has a hole in the shape of the arm that was in front of it.  So
its shape is completed (whole_thing.py), and the colours next to the hole go on in it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.masks.fill_from_nearest import fill_from_nearest
from dragstream_ros.masks.thing_pieces import ThingPieces
from dragstream_ros.world_models.tabletop.backdrop import grown, opened

RIM_PX = 1              # around a thing, where its colours are mixed with what is behind it
LEAST_SEEN_PX = 20      # of a thing, to say how it goes on
LEAST_HIDDEN_PX = 8
# Where things (n, H, W) bool of a picture (H, W, 3) uint8 go on among others (n, H, W) bool.
Complete = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class HiddenPart:
    """Of one thing.

    mask: (H, W) bool, what others hide; by: their numbers. picture: (H, W, 3) uint8 RGB, with the
    thing's own colours there.
    """

    mask: np.ndarray
    by: frozenset[int]
    picture: np.ndarray


def hidden_parts(picture: np.ndarray, pieces: ThingPieces, complete: Complete,
                 ) -> dict[int, HiddenPart]:
    """Of things of (H, W, 3) uint8 RGB, by number.

    Not of arms: how they go on is known only where they leave the picture.
    """
    numbers = [int(number) for number in np.unique(pieces.things[pieces.things > 0])
               if not (pieces.arms == number).any()]
    masks = [pieces.things == number for number in numbers]
    others = [grown((pieces.things > 0) & ~mask, RIM_PX) & ~mask for mask in masks]
    beside = [index for index, (mask, rest) in enumerate(zip(masks, others, strict=True))
              if mask.sum() >= LEAST_SEEN_PX and (grown(mask, RIM_PX) & rest).any()]
    if not beside:
        return {}
    masks, others = ([of[index] for index in beside] for of in (masks, others))
    found = {}
    for index, mask, rest, whole in zip(
            beside, masks, others, complete(picture, np.stack(masks), np.stack(others)),
            strict=True):
        hidden = _joined(opened(whole & rest), mask)
        if hidden.sum() >= LEAST_HIDDEN_PX:
            by = frozenset(np.unique(pieces.things[hidden]).tolist()) - {0}
            found[numbers[index]] = HiddenPart(hidden, by, _coloured(picture, mask, rest, hidden))
    return found


def _joined(hidden: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What of the hidden (H, W) bool hangs together with what is seen."""
    parts = cv2.connectedComponents((hidden | seen).astype(np.uint8), connectivity=4)[1]
    return hidden & np.isin(parts, parts[seen])


def _coloured(picture: np.ndarray, seen: np.ndarray, others: np.ndarray, hidden: np.ndarray,
              ) -> np.ndarray:
    """The picture with a thing's colours where it is hidden, and where others' are mixed in."""
    mixed = seen & grown(others, RIM_PX)
    inside = seen & ~grown(~seen, RIM_PX)
    own = fill_from_nearest(picture, inside if inside.any() else seen)
    return np.where((hidden | mixed)[..., None], own, picture)
