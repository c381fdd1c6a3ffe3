"""Candidate drags: a thing is grabbed and taken somewhere, as a hand would."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.evaluation.metrics import moving_pixels
from dragstream_ros.simulation.motion import minimum_jerk

N_WAYPOINTS = 11
LEAST_AREA_PX = 24  # of what differs from the goal: less is noise, or an edge
JOINS_WITHIN_PX = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Idea:
    """What could be done: grab this point (2,), take it about there (2,), give or take spread_px.

    Nothing known of the direction: the target is the grabbed point itself, and the spread large.
    holds_px: (k, 2), points of things that are known to rest, such as the robot's other hand.
    """

    grab_px: np.ndarray
    target_px: np.ndarray
    spread_px: float = 8.0
    holds_px: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


def smooth_drag(
    grab_px: np.ndarray, target_px: np.ndarray, *, image_size: tuple[int, int],
    duration_secs: float = 1.0, drag_id: str = 'plan', stamp_ns: int = 0,
) -> DragCommand:
    """A drag along a straight line that starts and ends at rest (minimum jerk)."""
    part = np.linspace(0.0, 1.0, N_WAYPOINTS)
    share = np.array([minimum_jerk(moment) for moment in part])
    grab_px, target_px = (np.asarray(point, np.float64) for point in (grab_px, target_px))
    return DragCommand(
        drag_id=drag_id, operator_id='planner', mode=DragMode.ANIMATE, image_size=image_size,
        stamp_ns=stamp_ns, duration_secs=duration_secs,
        handles=(DragHandle(
            path_px=grab_px + share[:, None] * (target_px - grab_px),
            times_secs=duration_secs * part),))


def ideas_over_scene(picture: np.ndarray, goal: np.ndarray, *, most: int = 12) -> list[Idea]:
    """Ideas from where a picture (H, W, 3) uint8 RGB differs from its goal, the largest first.

    Something has to go from one of these places to another. Where there is one only, a thing has
    moved by less than its size: it is grabbed there, and the direction is open.
    """
    differs = moving_pixels(goal[None], picture)[0].astype(np.uint8)
    joined = cv2.morphologyEx(
        differs, cv2.MORPH_CLOSE, np.ones((2 * JOINS_WITHIN_PX + 1,) * 2, np.uint8))
    count, _, stats, centres = cv2.connectedComponentsWithStats(joined)
    areas = stats[1:, cv2.CC_STAT_AREA]
    places = [centres[1 + index] for index in np.argsort(-areas) if areas[index] >= LEAST_AREA_PX]
    ideas = [
        Idea(grab_px=place, target_px=place, spread_px=12.0) for place in places[:most // 2]]
    pairs = [(start, end) for last in range(len(places)) for other in range(last)
             for start, end in ((places[last], places[other]), (places[other], places[last]))]
    return [*(Idea(grab_px=start, target_px=end) for start, end in pairs), *ideas][:most]


def drags(
    idea: Idea, targets_px: np.ndarray, *, image_size: tuple[int, int], duration_secs: float = 1.0
) -> list[DragCommand]:
    """The idea with each of the targets (n, 2), kept inside the picture."""
    holds = tuple(DragHandle(path_px=np.asarray(point, float)[None]) for point in idea.holds_px)
    found = []
    for index, target_px in enumerate(np.clip(targets_px, 0.0, np.array(image_size) - 1.0)):
        drag = smooth_drag(idea.grab_px, target_px, image_size=image_size,
                           duration_secs=duration_secs, drag_id=f'plan_{index}')
        found.append(replace(drag, handles=(*drag.handles, *holds)))
    return found
