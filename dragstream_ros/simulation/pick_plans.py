"""Plans that carry an object: to a free place, onto another object, over to the other hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dragstream_ros.simulation.hands import Hand, Segment
from dragstream_ros.simulation.plan_space import HOVER_M, LOW_M, OPEN_M, PlanSpace
from dragstream_ros.simulation.stacking import fits_on, top_of

STEADY_SHARE = 0.35
"""Of a platform's radius: so far off its middle an object is set down at most."""


def pick_and_place(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    return _put_anywhere(space, hand, poses, space.take_object(hand, poses))


def take_over(space: PlanSpace, hand: Hand, poses: np.ndarray, index: int) -> list[Segment]:
    """What the other hand puts down for this one: wait until it has and is gone, then take it."""
    if space.other(hand).target == index or space.crowded(hand, poses[index, :2]):
        return [Segment(secs=0.2)]
    hand.offered = None
    if not space.is_free(index, poses) or not space.reaches(hand, poses[index]):
        return []
    hand.target = index
    return _put_anywhere(space, hand, poses, index)


def hand_over(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    """Put an object where both hands reach, and make room."""
    index, other = space.take_object(hand, poses), space.other(hand)
    if index is None or not other.lively:
        return []
    left, right = (max(hand.reach[0], other.reach[0]), min(hand.reach[1], other.reach[1]))
    place = space.free_place(hand, poses, index, left=left, right=right)
    aside = 0.0 if hand.reach[0] < other.reach[0] else 0.75
    home = space.workspace.random_point(space.rng, left=aside, right=aside + 0.25)
    if place is None:
        return []
    other.offered = index
    return [*_carry(space, poses, index, Segment(offset=place)),
            Segment(offset=home, speed_px=space.speed_px())]


def stack(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    """Set an object on another one."""
    shapes = space.shapes

    def beneath(index: int) -> list[int]:
        return [other for other, shape in enumerate(shapes)
                if other != index and fits_on(shapes[index], shape) and poses[other, 2] < LOW_M
                and space.is_free(other, poses) and space.reaches(hand, poses[other])
                and not space.crowded(hand, poses[other, :2])]

    index = space.take_object(hand, poses, fits=lambda index: bool(beneath(index)))
    if index is None:
        return []
    below = int(space.rng.choice(beneath(index)))
    angle, off = space.rng.uniform(-np.pi, np.pi), STEADY_SHARE * space.rng.uniform()
    offset = off * shapes[below].platform * np.array([np.cos(angle), np.sin(angle)])
    return _carry(space, poses, index, Segment(at_object=below, offset=offset),
                  height=top_of(below, poses, shapes))


def _put_anywhere(
        space: PlanSpace, hand: Hand, poses: np.ndarray, index: int | None) -> list[Segment]:
    place = None if index is None else space.free_place(hand, poses, index)
    if index is None or place is None:
        return []
    return _carry(space, poses, index, Segment(offset=place))


def _carry(
        space: PlanSpace, poses: np.ndarray, index: int, goal: Segment, *,
        height: float = 0.0) -> list[Segment]:
    """Pick up object ``index`` and put it down at ``goal``, so high above the table."""
    shape, rng, hover = space.shapes[index], space.rng, space.hover_m(poses)
    wide = min(shape.grip_width + 0.03, OPEN_M)
    over = Segment(at_object=index, z=hover, opening=wide, speed_px=space.speed_px())
    grip = max(shape.height - 0.035, LOW_M)
    lift = max(rng.uniform(0.055, 0.085) + hover - HOVER_M, height + 0.015)
    return [
        over, replace(over, z=grip + float(poses[index, 2])),
        Segment(opening=shape.grip_width, secs=0.3, grasp=index),
        Segment(z=grip + lift, speed_px=space.speed_px()),
        replace(goal, yaw=rng.uniform(-0.9, 0.9), speed_px=space.speed_px()),
        Segment(z=grip + height, speed_px=space.speed_px()),
        Segment(opening=wide, secs=0.3, release=True),
        Segment(z=hover + height, speed_px=space.speed_px())]
