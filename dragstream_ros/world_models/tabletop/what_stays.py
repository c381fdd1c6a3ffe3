"""What stays where it is while something beside it is dragged.

The model has mostly seen things move that were carried whole, so it lets what is near a drag go
along.  Two things do not: an arm that the dragged thing passes below, unless it holds it; and the
rest of a thing of which a part is dragged, as a box whose lid is lifted.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.core.held import Held
from dragstream_ros.core.region import dilate
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture

GRIP = 2.5          # px of an arm that are so near to what it carries, for each px of its size
NEAR_PX = 2
MOST_OF_IT = 0.7    # share of a thing: who drags that means all of it


@dataclass(frozen=True, eq=False)
class WhatStays:
    """In the newest frame, (H, W) bool: arms, above what is dragged; rest, below it.

    left: what of that frame shows what is dragged.
    """

    arms: np.ndarray
    rest: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, seen: SeenPicture, held: Held | None) -> WhatStays:
        nothing = np.zeros(seen.gone.shape, bool)
        if held is None:
            return cls(nothing, nothing, nothing)
        arms, left = _passed_arms(seen, held), held.left().numpy()
        return cls(arms, _rest(seen, held) & ~left, left & ~arms)

    @property
    def still(self) -> np.ndarray:
        """Both, (H, W) bool."""
        return self.arms | self.rest


def _passed_arms(seen: SeenPicture, held: Held) -> np.ndarray:
    arms, before = seen.shows(seen.pieces.arms), seen.showed(seen.pieces.arms)
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
    near = dilate(torch.from_numpy(thing), NEAR_PX).numpy()
    return int((arm & near).sum()) > GRIP * float(np.sqrt(thing.sum()))


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
