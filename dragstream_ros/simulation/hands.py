"""A hand of the scripted teleoperator: it works off a queue of smooth motions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dragstream_ros.simulation.motion import (
    minimum_jerk,
    minimum_jerk_rate,
    pose_from,
    pose_in,
    turned,
)
from dragstream_ros.simulation.object_shape import ObjectShape

GRASP_WITHIN_M = 0.018
FASTEST_TURN = 1.6
SWING_RATE = 1.0
SHORTEST_SECS = 0.25


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One smooth motion of a hand; its goal is worked out when it begins.

    ``offset`` is measured from object ``at_object`` as it stands then, or from the table's origin;
    ``at_object`` alone means the place to grip it; with ``at_tip``, the tip of its limb. ``swing``:
    the angle to which the hand takes the limb along, by its tip. None means: as it is.
    """

    at_object: int | None = None
    offset: np.ndarray | None = None
    at_tip: bool = False
    swing: float | None = None
    z: float | None = None
    yaw: float | None = None
    opening: float | None = None
    secs: float | None = None
    speed_px: float = 22.0
    """Average, in reference pixels per second; a minimum-jerk motion peaks at 1.9 times that."""
    grasp: int | None = None
    release: bool = False


@dataclass(kw_only=True)
class Hand:
    """The hand's ``pose`` is (x, y, z, yaw, opening) of the point between its fingertips."""

    pose: np.ndarray
    reach: tuple[float, float]
    """Part of the picture's width in which this hand works."""
    lively: bool
    queue: list[Segment] = field(default_factory=list)
    target: int | None = None
    """Object that this hand works on, taken from the other hand."""
    offered: int | None = None
    """Object that the other hand has put down for this one."""
    held: int | None = None
    hold: np.ndarray | None = None
    """The held object's pose in the hand's frame."""
    goal: np.ndarray | None = None
    swings: int = -1
    """Object whose limb the hand takes along, while ``bending`` tells how."""
    bending: np.ndarray | None = None
    """(2,): angle of that object's hinge and its rate."""
    _swing: tuple[float, float] = (0.0, 0.0)
    _current: Segment | None = None
    _start: np.ndarray | None = None
    _elapsed: float = 0.0
    _secs: float = 0.0

    @property
    def idle(self) -> bool:
        return self._current is None and not self.queue

    def held_pose(self) -> np.ndarray | None:
        return None if self.hold is None else pose_from(self.pose, self.hold)

    def advance(
            self, dt_secs: float, poses: np.ndarray, shapes: Sequence[ObjectShape],
            metres_per_px: float) -> None:
        """Go on with the queue, which must not be empty when the last motion has ended."""
        if self._current is None:
            self._begin(self.queue.pop(0), poses, shapes, metres_per_px)
        assert self._current is not None and self._start is not None and self.goal is not None
        self._elapsed += dt_secs
        share = minimum_jerk(self._elapsed / self._secs)
        self.pose = self._start + share * (self.goal - self._start)
        if self.bending is not None:
            self._take_along(shapes, poses)
        if self._elapsed < self._secs:
            return
        self.bending = None
        if self._current.release:
            self.held = self.hold = self.target = None
        if self._current.grasp is not None:
            self._grasp(self._current.grasp, poses, shapes)
        self._current = None

    def _begin(
            self, segment: Segment, poses: np.ndarray, shapes: Sequence[ObjectShape],
            metres_per_px: float) -> None:
        goal, yaw = self.pose.copy(), segment.yaw
        if segment.at_object is not None and segment.at_tip:
            goal[:3] = _tip(shapes, poses, segment.at_object, poses[segment.at_object, 4])
            yaw = poses[segment.at_object, 3]
        elif segment.offset is not None:
            goal[:2] = segment.offset
            if segment.at_object is not None:
                goal[:2] += poses[segment.at_object, :2]
        elif segment.at_object is not None:
            goal[:2] = _grip_place(shapes[segment.at_object], poses[segment.at_object])
            yaw = poses[segment.at_object, 3] + shapes[segment.at_object].grip_angle
        if yaw is not None:  # both fingers are alike: half a turn changes nothing
            goal[3] = yaw - np.pi * round(yaw / np.pi)
        if segment.z is not None:
            goal[2] = segment.z
        if segment.opening is not None:
            goal[4] = segment.opening
        travel_px = float(np.linalg.norm(goal[:3] - self.pose[:3])) / metres_per_px
        turn = abs(goal[3] - self.pose[3])
        self._secs = segment.secs or max(
            travel_px / segment.speed_px, turn / FASTEST_TURN, SHORTEST_SECS)
        self._current, self._start, self.goal, self._elapsed = segment, self.pose, goal, 0.0
        if segment.swing is not None and segment.at_object is not None:
            self._begin_swing(segment.at_object, segment.swing, poses, goal)

    def _begin_swing(self, index: int, angle: float, poses: np.ndarray, tip: np.ndarray) -> None:
        """Take the limb along if its tip is still between the fingers; else let it be."""
        if np.linalg.norm(tip[:3] - self.pose[:3]) > GRASP_WITHIN_M:
            return
        self.swings, self._swing = index, (float(poses[index, 4]), angle)
        self.bending = np.array([self._swing[0], 0.0])
        self._secs = max(abs(angle - self._swing[0]) / SWING_RATE, SHORTEST_SECS)

    def _take_along(self, shapes: Sequence[ObjectShape], poses: np.ndarray) -> None:
        part, (start, end) = self._elapsed / self._secs, self._swing
        self.bending = np.array([
            start + minimum_jerk(part) * (end - start),
            minimum_jerk_rate(part) / self._secs * (end - start)])
        self.pose[:3] = _tip(shapes, poses, self.swings, self.bending[0])

    def _grasp(self, index: int, poses: np.ndarray, shapes: Sequence[ObjectShape]) -> None:
        """Hold the object if it is still between the fingers; else carry on empty-handed."""
        place = _grip_place(shapes[index], poses[index])
        if np.linalg.norm(place - self.pose[:2]) < GRASP_WITHIN_M:
            self.held, self.hold = index, pose_in(self.pose, poses[index])


def _grip_place(shape: ObjectShape, pose: np.ndarray) -> np.ndarray:
    return pose[:2] + turned(np.array(shape.grip_offset), pose[3])


def _tip(
        shapes: Sequence[ObjectShape], poses: np.ndarray, index: int, angle: float) -> np.ndarray:
    limb = shapes[index].limb
    assert limb is not None
    return limb.in_world(np.array([limb.tip]), poses[index], angle)[0]
