"""What stays where it is while something beside it is dragged.

The model has mostly seen things move that were carried whole, so it lets what is near a drag go
along.  Three things do not: an arm that the dragged thing passes below, or one that rests, unless
it holds that; and the rest of a thing of which a part is dragged, as a box whose lid is lifted.
In a scene that is strange to the model nothing goes along: its flow would bend and tear it.  To one
that was fitted to a robot no thing is known, but it sees what rests.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.held import RIM_PX, Held
from dragstream_ros.core.lid import Lid
from dragstream_ros.world_models.tabletop.backdrop import grown, opened
from dragstream_ros.world_models.tabletop.rigid_pieces import LARGEST_SHARE
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, mostly

# Px of an arm that are so near to what it carries, for each px of its size: one that moves, or not.
GRIP, RESTING_GRIP = 2.5, 4.5
NEAR_PX = 2
MOST_OF_IT = 0.7    # share of a thing: who drags that means all of it
ALL_BUT_ALL = 0.9
LEAST_AT_REST = 0.2     # of a picture: if it is less, the camera moves


@dataclass(frozen=True, eq=False)
class WhatStays:
    """In the newest frame, (H, W) bool: what stays above, and below, what is dragged.

    left: what of that frame shows what is dragged. boxes: what stays below with its rim and its
    shadow, since but a lid of it is dragged.
    """

    above: np.ndarray
    below: np.ndarray
    left: np.ndarray
    boxes: np.ndarray

    @classmethod
    def of(cls, seen: SeenPicture, held: Held | None) -> WhatStays:
        nothing = np.zeros(seen.gone.shape, bool)
        if held is None:
            return cls(nothing, ~nothing if seen.is_strange else _resting_arms(seen), nothing,
                       nothing)
        above, below, boxes = _rests_of_things(seen, held)
        swept = held.swept().numpy()
        above |= _arms(seen, held, swept)
        left = _left(seen, held) & ~above
        below = (below | boxes | _untouched(seen, swept) | seen.is_strange) & ~left & ~above
        return cls(above, below, left, boxes & below)

    @property
    def still(self) -> np.ndarray:
        """Both, (H, W) bool."""
        return self.above | self.below


def what_rests(seen: SeenPicture, left: np.ndarray) -> np.ndarray:
    """What of the newest frame rests where no thing is known, (H, W) bool, but for what is left.

    Of one colour all does or none, but for the background.
    """
    if seen.backdrop is not None or seen.is_strange or seen.rests.mean() < LEAST_AT_REST:
        return np.zeros(left.shape, bool)
    pieces, rests = seen.shows(seen.pieces.labels), seen.rests & ~left
    count = int(pieces.max()) + 1
    is_small = np.bincount(pieces.ravel(), minlength=count) < LARGEST_SHARE * pieces.size
    return np.where(is_small[pieces], mostly(pieces, rests, count)[pieces], rests) & ~left


def _left(seen: SeenPicture, held: Held) -> np.ndarray:
    if not held.of_last:
        return held.left().numpy()
    return grown(seen.now(_held_px(held)), RIM_PX)


def _held_px(held: Held) -> np.ndarray:
    """What of its picture is held, (H, W) bool."""
    return np.asarray(held.masks.any(0))


def _arms(seen: SeenPicture, held: Held, swept: np.ndarray) -> np.ndarray:
    arms, before = seen.shows(seen.pieces.arms), seen.showed(seen.pieces.arms)
    masks = held.masks.numpy()
    stay = np.zeros(arms.shape, bool)
    for arm in set(np.unique(arms)) - {0}:
        its = arms == arm
        if not (does_rest(its, seen.rests) or (its & swept).any()):
            continue
        is_dragged = 2 * (masks & (before == arm)).sum((1, 2)) > masks.sum((1, 2))
        if not is_dragged.any() and not any(
                carries(before == arm, mask & (before == 0), does_rest(its, seen.rests))
                for mask in masks):
            stay |= its
    return stay


def _resting_arms(seen: SeenPicture) -> np.ndarray:
    arms, stay = seen.shows(seen.pieces.arms), np.zeros(seen.gone.shape, bool)
    for arm in set(np.unique(arms)) - {0}:
        if does_rest(arms == arm, seen.rests):
            stay |= arms == arm
    return stay


def does_rest(thing: np.ndarray, rests: np.ndarray) -> bool:
    """Does all but all of it (H, W) bool rest?"""
    return bool(rests[thing].mean() >= ALL_BUT_ALL)


def carries(arm: np.ndarray, thing: np.ndarray, arm_rests: bool) -> bool:
    """Does an arm (H, W) bool hold a thing, (H, W) bool? Then much of it is near to that."""
    near_px = (arm & grown(thing, NEAR_PX)).sum()
    return bool(near_px > (RESTING_GRIP if arm_rests else GRIP) * np.sqrt(thing.sum()))


def _untouched(seen: SeenPicture, swept: np.ndarray) -> np.ndarray:
    things = seen.shows(np.where(seen.pieces.arms > 0, 0, seen.pieces.things))
    near = grown(swept, NEAR_PX)
    stay = np.zeros(things.shape, bool)
    for thing in set(np.unique(things)) - {0}:
        its = things == thing
        if does_rest(its, seen.rests) and not (its & near).any():
            stay |= its
    return stay


def _rests_of_things(
        seen: SeenPicture, held: Held) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all things of which a part is dragged, what is not: above that, below, and of lids."""
    things, before = seen.pieces.things, seen.showed(seen.pieces.things)
    dragged = _held_px(held)
    taken = seen.taken(dragged)
    above, below, boxes = (np.zeros(things.shape, bool) for _ in range(3))
    for mask, hidden, body in zip(
            held.masks.numpy(), held.hidden.numpy(), held.bodies, strict=True):
        thing = part_of(before, mask, dragged) if body.arm is None else 0
        if not thing:
            continue
        rest = (things == thing) & ~taken
        beside = rest & ~grown(taken, RIM_PX)
        if isinstance(body, Lid):
            boxes |= seen.shows(beside)
        elif hidden.any():      # the top hides a link, and its sides are hidden by it
            above |= seen.shows(body.sides.top(seen.picture, rest, taken)[0])
            below |= seen.shows(beside)
        else:
            below |= seen.shows(rest_of(things, thing, taken))
    return above, below, boxes


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


def rest_of(things: np.ndarray, thing: int, dragged: np.ndarray) -> np.ndarray:
    """What of a thing is not dragged, (H, W) bool; without what is so thin that it is a rim."""
    return opened((things == thing) & ~grown(dragged, RIM_PX))
