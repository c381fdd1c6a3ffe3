"""The scripted teleoperator: what the two hands do next, and which objects slide by themselves.

It knows nothing of MuJoCo: in go the objects' poses, out come the hands' poses, the poses of held
objects and the paths of sliding ones. A deep copy goes on exactly as the original would, which is
how the scene looks ahead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.motion import (
    bezier, minimum_jerk, minimum_jerk_rate, nearest_turn)
from dragstream_ros.simulation.things import ObjectShape

HOVER_M = 0.085
"""Height of the fingertips above the table between tasks."""
OPEN_M = 0.105
LOW_M = 0.012


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One smooth motion of a hand; its goal is worked out when it begins.

    ``offset`` is measured from object ``at_object`` as it stands then, or from the table's origin
    (None: stay above the present place). None elsewhere keeps what is.
    """

    at_object: int | None = None
    offset: np.ndarray | None = None
    z: float | None = None
    yaw: float | None = None
    opening: float | None = None
    secs: float | None = None
    speed_px: float = 22.0
    grasp: int | None = None
    release: bool = False


@dataclass(kw_only=True)
class Hand:
    """Tool centre between the fingertips: ``pose`` is (x, y, z, yaw, opening), metres, radians."""

    pose: np.ndarray
    reach: tuple[float, float]
    """Part of the picture's width in which this hand works."""
    lively: bool
    queue: list[Segment] = field(default_factory=list)
    current: Segment | None = None
    start: np.ndarray | None = None
    goal: np.ndarray | None = None
    elapsed: float = 0.0
    secs: float = 0.0
    held: int | None = None
    hold: np.ndarray | None = None
    """Held object's (x, y, z, yaw) in the hand's frame."""
    target: int | None = None
    """Object that this hand works on, taken from the others."""


@dataclass(kw_only=True)
class Slide:
    """An object that slides and turns by itself along a cubic, then rests."""

    index: int
    control: np.ndarray | None = None
    yaw: tuple[float, float] = (0.0, 0.0)
    elapsed: float = 0.0
    secs: float = 0.0
    rest_secs: float = 0.0


@dataclass(kw_only=True)
class Commands:
    """One tick's wishes. ``slides``: index -> (x, y, yaw, and their rates)."""

    hands: tuple[np.ndarray, ...]
    held: dict[int, np.ndarray]
    slides: dict[int, np.ndarray]


class Teleoperator:
    def __init__(
            self, rng: np.random.Generator, workspace: Workspace, shapes: list[ObjectShape]) -> None:
        self._rng = rng
        self._space = workspace
        self._shapes = shapes
        sliding = rng.uniform() < 0.42
        count = int(rng.integers(1, 3)) if sliding else 0
        picked = rng.choice(len(shapes), size=min(count, len(shapes)), replace=False)
        self.slides = [
            Slide(index=int(index), rest_secs=rng.uniform(0, 0.6)) for index in picked]
        lively = rng.uniform(size=2) < (0.45 if sliding else 0.92)
        self.hands = [
            Hand(pose=self._first_pose(reach), reach=reach, lively=bool(alive))
            for reach, alive in zip(((0.0, 0.58), (0.42, 1.0)), lively)]

    def copy(self) -> Teleoperator:
        """An independent one in the same state of mind."""
        twin = copy.copy(self)
        twin._rng = copy.deepcopy(self._rng)
        twin.slides, twin.hands = copy.deepcopy((self.slides, self.hands))
        return twin

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """``poses`` (n, 4): x, y, z, yaw of the objects now. Advances the script by one tick."""
        for hand in self.hands:
            self._advance_hand(hand, dt_secs, poses)
        slides = {}
        for slide in self.slides:
            slides[slide.index] = self._advance_slide(slide, dt_secs, poses)
        return Commands(
            hands=tuple(hand.pose for hand in self.hands),
            held={hand.held: _apply(hand.pose, hand.hold)
                  for hand in self.hands if hand.held is not None and hand.hold is not None},
            slides=slides)

    # Hands

    def _first_pose(self, reach: tuple[float, float]) -> np.ndarray:
        outer = (0.0, 0.3) if reach[0] == 0.0 else (0.7, 1.0)
        x, y = self._space.random_point(self._rng, left=outer[0], right=outer[1])
        return np.array([
            x, y, self._rng.uniform(0.8, 1.2) * HOVER_M, self._rng.uniform(-0.6, 0.6),
            self._rng.uniform(0.3, 1.0) * OPEN_M])

    def _advance_hand(self, hand: Hand, dt_secs: float, poses: np.ndarray) -> None:
        if hand.current is None:
            if not hand.queue:
                hand.target = None
                hand.queue = self._plan(hand, poses)
            self._begin(hand, hand.queue.pop(0), poses)
        assert hand.current is not None and hand.start is not None and hand.goal is not None
        hand.elapsed += dt_secs
        share = minimum_jerk(hand.elapsed / hand.secs)
        hand.pose = hand.start + share * (hand.goal - hand.start)
        if hand.elapsed < hand.secs:
            return
        if hand.current.release:
            hand.held = hand.hold = None
        if hand.current.grasp is not None:
            self._grasp(hand, hand.current.grasp, poses)
        hand.current = None

    def _begin(self, hand: Hand, segment: Segment, poses: np.ndarray) -> None:
        goal = hand.pose.copy()
        yaw = segment.yaw
        if segment.offset is not None:
            goal[:2] = segment.offset
            if segment.at_object is not None:
                goal[:2] += poses[segment.at_object, :2]
        elif segment.at_object is not None:
            shape, pose = self._shapes[segment.at_object], poses[segment.at_object]
            goal[:2] = pose[:2] + _turn(np.array(shape.grip_offset), pose[3])
            yaw = pose[3] + shape.grip_angle
        if yaw is not None:
            goal[3] = nearest_turn(yaw, 0.0, np.pi)  # the fingers are alike: half a turn is none
        if segment.z is not None:
            goal[2] = segment.z
        if segment.opening is not None:
            goal[4] = segment.opening
        travel_px = float(np.linalg.norm(goal[:3] - hand.pose[:3])) / self._space.metres_per_px
        turn = abs(goal[3] - hand.pose[3])
        hand.secs = segment.secs or max(travel_px / segment.speed_px, turn / 1.6, 0.25)
        hand.current, hand.start, hand.goal, hand.elapsed = segment, hand.pose, goal, 0.0

    def _grasp(self, hand: Hand, index: int, poses: np.ndarray) -> None:
        """Hold the object if it is still between the fingers; else carry on empty-handed."""
        shape, pose = self._shapes[index], poses[index]
        middle = pose[:2] + _turn(np.array(shape.grip_offset), pose[3])
        if np.linalg.norm(middle - hand.pose[:2]) < 0.018:
            hand.held = index
            hand.hold = np.array([
                *_turn(pose[:2] - hand.pose[:2], -hand.pose[3]), -hand.pose[2],
                pose[3] - hand.pose[3]])

    # Plans

    def _plan(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        plans: tuple[tuple[float, Callable[[Hand, np.ndarray], list[Segment]]], ...] = (
            (0.42, self._pick_and_place), (0.27, self._push), (0.11, self._near_miss),
            (0.09, self._wander), (0.06, self._idle))
        if not hand.lively:
            plans = ((0.8, self._idle), (0.2, self._wander))
        weights = np.array([weight for weight, _ in plans])
        chosen = self._rng.choice(len(plans), p=weights / weights.sum())
        segments = plans[chosen][1](hand, poses) or self._wander(hand, poses)
        if self._rng.uniform() < 0.3:
            segments = [*segments, Segment(secs=self._rng.uniform(0.2, 0.8))]
        return segments

    def _speed_px(self) -> float:
        """Average; a minimum-jerk motion peaks at 1.9 times as much."""
        return float(self._rng.uniform(12, 28))

    def _pick_and_place(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        index = self._take_object(hand, poses)
        if index is None:
            return []
        shape = self._shapes[index]
        place = self._free_place(hand, poses, index)
        if place is None:
            return []
        reach = Segment(at_object=index, z=HOVER_M, opening=min(shape.grip_width + 0.03, OPEN_M),
                        speed_px=self._speed_px())
        grip_z = max(shape.height - 0.035, LOW_M)
        carry_z = grip_z + self._rng.uniform(0.055, 0.085)
        turn = self._rng.uniform(-0.9, 0.9)
        return [
            reach, replace(reach, z=grip_z),
            Segment(opening=shape.grip_width, secs=0.3, grasp=index),
            Segment(z=carry_z, speed_px=self._speed_px()),
            Segment(offset=place, yaw=turn, speed_px=self._speed_px()),
            Segment(z=grip_z, speed_px=self._speed_px()),
            Segment(opening=min(shape.grip_width + 0.03, OPEN_M), secs=0.3, release=True),
            Segment(z=HOVER_M, speed_px=self._speed_px())]

    def _push(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        index = self._take_object(hand, poses)
        if index is None:
            return []
        place, gap = poses[index, :2], self._shapes[index].radius + 0.028
        for _ in range(12):
            angle = self._rng.uniform(-np.pi, np.pi)
            along = np.array([np.cos(angle), np.sin(angle)])
            length = self._rng.uniform(0.07, 0.20)
            before, after = place - gap * along, place + length * along
            if (self._space.contains(before) and self._space.contains(after)
                    and self._clear(after, poses, index, margin=0.02)
                    and self._clear(before, poses, index, margin=-0.01)
                    and not self._crowded(hand, after)):
                break
        else:
            return []
        aside = self._rng.uniform(-0.012, 0.012) * np.array([-along[1], along[0]])
        start = Segment(offset=before + aside, z=HOVER_M, yaw=angle + np.pi / 2,
                        opening=self._rng.choice([0.0, 0.02, 0.04]), speed_px=self._speed_px())
        return [
            start, replace(start, z=LOW_M),
            Segment(offset=after - gap * along + aside, speed_px=self._speed_px()),
            Segment(secs=self._rng.uniform(0.1, 0.5)),
            Segment(offset=after - (gap + 0.02) * along + aside, secs=0.3),
            Segment(z=HOVER_M, speed_px=self._speed_px())]

    def _near_miss(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        index = self._take_object(hand, poses)
        if index is None:
            return []
        angle = self._rng.uniform(-np.pi, np.pi)
        aside = (self._shapes[index].radius + 0.04) * np.array([np.cos(angle), np.sin(angle)])
        if not self._clear(poses[index, :2] + aside, poses, index, margin=0.02):
            return []
        over = Segment(at_object=index, offset=aside, z=HOVER_M, yaw=angle + np.pi / 2,
                       opening=self._rng.uniform(0.3, 0.8) * OPEN_M, speed_px=self._speed_px())
        return [
            over, replace(over, z=LOW_M + self._rng.uniform(0.0, 0.03)),
            Segment(opening=0.005, secs=0.4), Segment(z=HOVER_M, speed_px=self._speed_px())]

    def _wander(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        segments = []
        for _ in range(self._rng.integers(1, 3)):
            place = self._space.random_point(self._rng, left=hand.reach[0], right=hand.reach[1])
            if self._crowded(hand, place):
                continue
            segments.append(Segment(
                offset=place,
                z=HOVER_M * self._rng.uniform(0.9, 1.4), yaw=self._rng.uniform(-0.9, 0.9),
                opening=self._rng.uniform(0.0, 1.0) * OPEN_M, speed_px=self._speed_px()))
        return segments or self._idle(hand, poses)

    def _idle(self, hand: Hand, poses: np.ndarray) -> list[Segment]:
        return [Segment(secs=self._rng.uniform(0.5, 2.0))]

    # What is free

    def _take_object(self, hand: Hand, poses: np.ndarray) -> int | None:
        """An object in this hand's reach that nobody else works on."""
        taken = {slide.index for slide in self.slides}
        taken |= {other.target for other in self.hands if other.target is not None}
        width = self._space.camera.size[0]
        free = []
        for index in range(len(self._shapes)):
            point = np.array([*poses[index, :2], 0.0])
            share = self._space.camera.project(point)[0] / width
            low, high = hand.reach[0] - 0.1, hand.reach[1] + 0.1
            if index not in taken and low <= share <= high and not self._crowded(
                    hand, poses[index, :2]):
                free.append(index)
        if not free:
            return None
        hand.target = int(self._rng.choice(free))
        return hand.target

    def _crowded(self, hand: Hand, xy: np.ndarray) -> bool:
        """Whether the other hand is at ``xy`` or on its way there."""
        return any(
            np.linalg.norm(place[:2] - xy) < 0.13
            for other in self.hands if other is not hand
            for place in (other.pose, other.goal) if place is not None)

    def _clear(
            self, xy: np.ndarray, poses: np.ndarray, index: int, *, margin: float) -> bool:
        """Whether object ``index`` could stand at ``xy`` without touching another."""
        return all(
            np.linalg.norm(poses[other, :2] - xy)
            > self._shapes[index].radius + self._shapes[other].radius + margin
            for other in range(len(self._shapes)) if other != index)

    def _free_place(self, hand: Hand, poses: np.ndarray, index: int) -> np.ndarray | None:
        for _ in range(20):
            place = self._space.random_point(self._rng, left=hand.reach[0], right=hand.reach[1])
            if (self._clear(place, poses, index, margin=0.01) and not self._crowded(hand, place)
                    and np.linalg.norm(place - poses[index, :2]) > 0.06):
                return place
        return None

    # Slides

    def _advance_slide(self, slide: Slide, dt_secs: float, poses: np.ndarray) -> np.ndarray:
        """(6,): wished x, y, yaw and their rates."""
        if slide.control is None:
            self._plan_slide(slide, poses)
        assert slide.control is not None
        slide.elapsed += dt_secs
        part = (slide.elapsed - slide.rest_secs) / slide.secs
        share, rate = minimum_jerk(part), minimum_jerk_rate(part) / slide.secs
        here = bezier(slide.control, share)
        tangent = (bezier(slide.control, min(share + 1e-3, 1.0)) - here) / 1e-3
        turn = slide.yaw[1] - slide.yaw[0]
        stuck = np.linalg.norm(poses[slide.index, :2] - here) > 0.05
        if part >= 1 or stuck:
            slide.control = None
        return np.array([
            *here, slide.yaw[0] + share * turn, *(rate * tangent), rate * turn])

    def _plan_slide(self, slide: Slide, poses: np.ndarray) -> None:
        start, yaw = poses[slide.index, :2].copy(), float(poses[slide.index, 3])
        slide.elapsed = 0.0
        slide.rest_secs = float(self._rng.choice([0.0, self._rng.uniform(0.2, 1.0)]))
        if self._rng.uniform() > 0.2:
            for _ in range(15):
                end = self._space.random_point(self._rng)
                across = np.array([start[1] - end[1], end[0] - start[0]])
                bends = self._rng.uniform(-0.5, 0.5, 2)
                control = np.stack([
                    start, start + (end - start) / 3 + bends[0] * across,
                    end + (start - end) / 3 + bends[1] * across, end])
                line = np.stack([bezier(control, share) for share in np.linspace(0, 1, 9)])
                length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
                if 0.05 < length < 0.4 and self._passable(slide.index, line, poses):
                    turn = float(self._rng.choice([0.0, self._rng.uniform(-1.6, 1.6)], p=[0.3, 0.7]))
                    slide.control, slide.yaw = control, (yaw, yaw + turn)
                    speed_px = self._rng.uniform(10, 30)
                    slide.secs = max(
                        length / self._space.metres_per_px / speed_px, abs(turn) / 1.4)
                    return
        turn = float(self._rng.choice([-1, 1]) * self._rng.uniform(0.4, 2.2))
        slide.control, slide.yaw = np.stack([start] * 4), (yaw, yaw + turn)
        slide.secs = abs(turn) / self._rng.uniform(0.5, 1.4)

    def _passable(self, index: int, line: np.ndarray, poses: np.ndarray) -> bool:
        goals = [place for hand in self.hands for place in (hand.pose, hand.goal)
                 if place is not None]
        return all(
            self._space.contains(xy) and self._clear(xy, poses, index, margin=0.0)
            and all(np.linalg.norm(goal[:2] - xy) > self._shapes[index].radius + 0.05
                    for goal in goals if goal[2] < 0.06)
            for xy in line[1:])


def _turn(xy: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([cosine * xy[0] - sine * xy[1], sine * xy[0] + cosine * xy[1]])


def _apply(pose: np.ndarray, hold: np.ndarray) -> np.ndarray:
    """The held object's (x, y, z, yaw) in the world."""
    return np.array([
        *(pose[:2] + _turn(hold[:2], pose[3])), pose[2] + hold[2], pose[3] + hold[3]])
