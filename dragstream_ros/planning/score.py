"""How good a future is: what a planner compares candidates by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.planning.future import Future
from dragstream_ros.planning.goal_distance import NO_GOAL, PlanningGoal

SHORTEST_PX = 4.0  # errors of shorter drags are compared with this length


@dataclass(frozen=True, kw_only=True)
class Score:
    """Of one future; shares are 0 (bad) to 1 (good), distances nan where they were not asked for.

    drag_obeyed: how much of its way each handle came, the mean of all; 0 where it was lost, 1
    without a handle. background_kept: of the pixels where nothing held comes by, how many look as
    they did. confidence: of the last frame. The distances of the last frame from the goal are
    explained in goal_distance.py.
    """

    drag_obeyed: float
    background_kept: float
    confidence: float
    point_distance_px: float = math.nan
    feature_distance: float = math.nan
    pixel_distance: float = math.nan

    @property
    def cost(self) -> float:
        """What a planner makes small: the best distance there is; without a goal, 1 - all shares.

        Points say the most; pixels have misled less than features (docs/planning.md).
        """
        for distance in (self.point_distance_px, self.pixel_distance, self.feature_distance):
            if not math.isnan(distance):
                return distance
        return 1.0 - self.drag_obeyed * self.background_kept * self.confidence


def score_future(future: Future, goal: PlanningGoal = NO_GOAL) -> Score:
    """Score one future; goal: what is wanted in its last frame."""
    background = ~future.swept
    return Score(
        drag_obeyed=_drag_obeyed(future),
        background_kept=float(1.0 - future.moved[background].mean()) if background.any() else 1.0,
        confidence=float(future.confidence[-1]),
        **goal.distances(future))


def best_of(scores: Sequence[Score]) -> int:
    """The index of the lowest cost, the first of equals."""
    return int(np.argmin([score.cost for score in scores]))


def _drag_obeyed(future: Future) -> float:
    obeyed = []
    for asked, followed, found in zip(future.asked_px, future.followed_px, future.found):
        way_px = max(float(np.linalg.norm(np.ptp(asked, axis=0))), SHORTEST_PX)
        error_px = float(np.linalg.norm(followed[-1] - asked[-1]))
        obeyed.append(max(0.0, 1.0 - error_px / way_px) if found[-1] else 0.0)
    return float(np.mean(obeyed)) if obeyed else 1.0
