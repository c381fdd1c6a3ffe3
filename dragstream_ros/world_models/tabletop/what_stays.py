"""What stays where it is while something beside it is dragged.

The model has mostly seen things move that were carried whole, so it lets what is near a drag go
along.  Three things do not: an arm that the dragged thing passes below, or one that rests, unless
it holds that; and the rest of a thing of which a part is dragged, as a box whose lid is lifted.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.core.held import RIM_PX, Held
from dragstream_ros.core.region import dilate
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture

# Px of an arm that are so near to what it carries, for each px of its size: one that moves, or not.
GRIP, RESTING_GRIP = 2.5, 4.5
NEAR_PX = 2
MOST_OF_IT = 0.7    # share of a thing: who drags that means all of it
ALL_BUT_ALL = 0.9   # of an arm that has not changed: it rests


@dataclass(frozen=True, eq=False)
class WhatStays:
    """In the newest frame, (H, W) bool: arms, above what is dragged; rest, below it.

    left: what of that frame shows what is dragged.
    """

    arms: np.ndarray
    rest: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, seen: SeenPicture, held: Held | None, rests: np.ndarray) -> WhatStays:
        """rests: (H, W) bool, what of the newest frame is as it was in the frame before."""
        nothing = np.zeros(seen.gone.shape, bool)
        if held is None:
            return cls(nothing, nothing, nothing)
        arms, left = _arms(seen, held, rests), _left(seen, held)
        rest = (_rest(seen, held) | _untouched(seen, held, rests)) & ~left & ~arms
        return cls(arms, rest, left & ~arms)

    @property
    def still(self) -> np.ndarray:
        """Both, (H, W) bool."""
        return self.arms | self.rest


def _left(seen: SeenPicture, held: Held) -> np.ndarray:
    if not held.of_last:
        return held.left().numpy()
    return dilate(torch.from_numpy(seen.now(np.asarray(held.masks.any(0)))), RIM_PX).numpy()


def _arms(seen: SeenPicture, held: Held, rests: np.ndarray) -> np.ndarray:
    arms, before = seen.shows(seen.pieces.arms), seen.showed(seen.pieces.arms)
    masks, swept = held.masks.numpy(), held.swept().numpy()
    stay = np.zeros(arms.shape, bool)
    for arm in set(np.unique(arms)) - {0}:
        its = arms == arm
        does_rest = rests[its].mean() >= ALL_BUT_ALL
        if not does_rest and not (its & swept).any():
            continue
        is_dragged = 2 * (masks & (before == arm)).sum((1, 2)) > masks.sum((1, 2))
        grip = RESTING_GRIP if does_rest else GRIP
        carries = any(_touch(before == arm, mask & (before == 0)) > grip for mask in masks)
        if not is_dragged.any() and not carries:
            stay |= its
    return stay


def _touch(arm: np.ndarray, thing: np.ndarray) -> float:
    """Px of an arm (H, W) bool that are near to a thing, (H, W) bool, for each px of its size."""
    near = dilate(torch.from_numpy(thing), NEAR_PX).numpy()
    return float((arm & near).sum() / max(np.sqrt(thing.sum()), 1.0))


def _untouched(seen: SeenPicture, held: Held, rests: np.ndarray) -> np.ndarray:
    things = seen.shows(np.where(seen.pieces.arms > 0, 0, seen.pieces.things))
    near = dilate(held.swept(), NEAR_PX).numpy()
    stay = np.zeros(things.shape, bool)
    for thing in set(np.unique(things)) - {0}:
        its = things == thing
        if rests[its].mean() >= ALL_BUT_ALL and not (its & near).any():
            stay |= its
    return stay


def _rest(seen: SeenPicture, held: Held) -> np.ndarray:
    """Of all things of which a part is dragged, what is not."""
    things, before = seen.shows(seen.pieces.things), seen.showed(seen.pieces.things)
    dragged = np.asarray(held.masks.numpy().any(0))
    rest = np.zeros(things.shape, bool)
    for mask, body in zip(held.masks.numpy(), held.bodies, strict=True):
        if body.arm is None:
            rest |= things == part_of(before, mask, dragged)
    return rest & (things > 0)


def part_of(things: np.ndarray, mask: np.ndarray, dragged: np.ndarray) -> int:
    """The thing of which a mask (H, W) bool is a part only; 0: of none.

    things: (H, W) int32, see ThingPieces; dragged: (H, W) bool, all that is.
    """
    counts = np.bincount(things[mask], minlength=2)
    thing = int(counts[1:].argmax()) + 1
    whole = things == thing
    is_part = (2 * counts[thing] > mask.sum()
               and (dragged & whole).sum() < MOST_OF_IT * whole.sum())
    return thing if is_part else 0
