"""Plans that leave the object where it can be touched: pushes, near misses, lids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dragstream_ros.simulation.hands import Hand, Segment
from dragstream_ros.simulation.jointed_things import KNOB_M
from dragstream_ros.simulation.motion import turned
from dragstream_ros.simulation.placement import is_clear
from dragstream_ros.simulation.plan_space import LOW_M, OPEN_M, PlanSpace

FINGER_M = 0.028
"""From the middle of a hand that is about to push to what it pushes."""


def push(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    """Shove an object along a line through its middle."""
    index, rng = space.take_object(hand, poses), space.rng
    if index is None or poses[index, 2] > LOW_M:
        return []
    place, gap = poses[index, :2], space.radii[index] + FINGER_M
    for _ in range(12):
        angle = rng.uniform(-np.pi, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        length = rng.uniform(0.07, 0.20)
        before, after = place - gap * along, place + length * along
        if (space.workspace.contains(before) and space.workspace.contains(after)
                and is_clear(after, poses, space.radii, index, margin=0.02)
                and is_clear(before, poses, space.radii, index, margin=-0.01)
                and not space.crowded(hand, after)):
            break
    else:
        return []
    aside = rng.uniform(-0.012, 0.012) * np.array([-along[1], along[0]])
    return _shove(space, poses, before + aside, after - gap * along + aside)


def push_an_end(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    """Turn an object by shoving one of its ends sideways, or bend one that bends."""
    shapes, rng = space.shapes, space.rng
    index = space.take_object(
        hand, poses, fits=lambda index: shapes[index].lever is not None and poses[index, 2] < LOW_M)
    lever = None if index is None else shapes[index].lever
    if index is None or lever is None:
        return []
    reach, half_width = lever
    for end, side in rng.permutation([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        # Of two bars the second one reaches forwards, the first one backwards.
        yaw = poses[index, 3] + (poses[index, 4] if end > 0 else 0.0)
        start = -side * (half_width + FINGER_M)
        before, after = (
            poses[index, :2] + turned(np.array([end * reach, across]), yaw)
            for across in (start, start + side * (FINGER_M + rng.uniform(0.02, 0.05))))
        if (space.has_room(before, poses, index) and space.has_room(after, poses, index)
                and not space.crowded(hand, after)):
            return _shove(space, poses, before, after)
    return []


def near_miss(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    """Close the fingers right beside an object."""
    index, rng = space.take_object(hand, poses), space.rng
    if index is None:
        return []
    angle = rng.uniform(-np.pi, np.pi)
    aside = (space.radii[index] + 0.04) * np.array([np.cos(angle), np.sin(angle)])
    if not is_clear(poses[index, :2] + aside, poses, space.radii, index, margin=0.02):
        return []
    hover = space.hover_m(poses)
    over = Segment(
        at_object=index, offset=aside, z=hover, yaw=angle + np.pi / 2,
        opening=rng.uniform(0.3, 0.8) * OPEN_M, speed_px=space.speed_px())
    return [
        over, replace(over, z=LOW_M + rng.uniform(0.0, 0.03)),
        Segment(opening=0.005, secs=0.4), Segment(z=hover, speed_px=space.speed_px())]


def swing_lid(space: PlanSpace, hand: Hand, poses: np.ndarray) -> list[Segment]:
    """Open a lid by its knob, or close it."""
    lids = {index: shape.limb for index, shape in enumerate(space.shapes)
            if shape.limb is not None and shape.limb.is_lid}
    index = space.take_object(hand, poses, fits=lids.__contains__)
    if index is None:
        return []
    hover, pinch = space.hover_m(poses) + 0.04, 2 * KNOB_M
    over = Segment(at_object=index, at_tip=True, opening=pinch + 0.025, speed_px=space.speed_px())
    return [
        replace(over, z=hover), over, Segment(opening=pinch, secs=0.3),
        Segment(at_object=index, at_tip=True,
                swing=lids[index].next_angle(space.rng, float(poses[index, 4]))),
        Segment(opening=pinch + 0.025, secs=0.25),
        Segment(z=hover, speed_px=space.speed_px())]


def _shove(
        space: PlanSpace, poses: np.ndarray, before: np.ndarray, after: np.ndarray,
) -> list[Segment]:
    """Down at ``before``, straight on to ``after``, a bit back and up; (2,) metres."""
    along = (after - before) / np.linalg.norm(after - before)
    hover, rng = space.hover_m(poses), space.rng
    start = Segment(
        offset=before, z=hover, yaw=np.arctan2(along[1], along[0]) + np.pi / 2,
        opening=rng.choice([0.0, 0.02, 0.04]), speed_px=space.speed_px())
    return [
        start, replace(start, z=LOW_M), Segment(offset=after, speed_px=space.speed_px()),
        Segment(secs=rng.uniform(0.1, 0.5)), Segment(offset=after - 0.02 * along, secs=0.3),
        Segment(z=hover, speed_px=space.speed_px())]
