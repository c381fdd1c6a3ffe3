"""What an operator would drag, if the next second of the teleoperator's plan is what they want."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ON_THE_SPOT = 0.3
"""Below this share of the smallest travel that counts, a thing's centre stays where it is."""
SMALLEST_TURN_RAD = 0.15


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One thing's way, seen at one of its visible points.

    ``path_px`` (N, 2) float64 from where the point is now; ``times_secs`` (N,) from 0.0;
    ``centre_px`` (2,) for a turn on the spot, else None.
    """

    thing: int
    point: int
    path_px: np.ndarray
    times_secs: np.ndarray
    centre_px: np.ndarray | None

    @property
    def travel_px(self) -> float:
        return _travel(self.path_px)


def find_intents(
        offsets_secs: np.ndarray, points_px: np.ndarray, *, point_visible: np.ndarray,
        point_thing: np.ndarray, min_travel_px: float) -> list[Intent]:
    """What moves by ``min_travel_px`` or more, at most one way per thing, the longest first.

    ``offsets_secs`` (N,) and ``points_px`` (N, P, 2) are what ``look_ahead`` gives; the first point
    of a thing is its centre.
    """
    found = []
    for thing in np.unique(point_thing):
        own = np.flatnonzero(point_thing == thing)
        seen = own[point_visible[own]]
        if not len(seen):
            continue
        centre_px = points_px[0, own[0]].astype(np.float64)
        stays = _travel(points_px[:, own[0]]) < ON_THE_SPOT * min_travel_px
        point = max(seen, key=lambda each: _travel(points_px[:, each])) if stays else seen[0]
        # Where some points off the centre stay as well, a part turns about its own hinge.
        turns = stays and not any(
            _travel(points_px[:, each]) < ON_THE_SPOT * _travel(points_px[:, point])
            for each in own[2:])
        intent = Intent(
            thing=int(thing), point=int(point), path_px=points_px[:, point].astype(np.float64),
            times_secs=np.asarray(offsets_secs, np.float64),
            centre_px=centre_px if turns else None)
        if turns and abs(_turn(intent.path_px - centre_px)) < SMALLEST_TURN_RAD:
            continue  # fingers that open or close
        if intent.travel_px >= min_travel_px:
            found.append(intent)
    return sorted(found, key=lambda intent: -intent.travel_px)


def _travel(path_px: np.ndarray) -> float:
    """The farthest that a path (N, 2) gets from its start."""
    return float(np.linalg.norm(path_px - path_px[0], axis=1).max())


def _turn(arms_px: np.ndarray) -> float:
    """Signed angle in radians from the first to the last of (N, 2) arms."""
    first, last = arms_px[0], arms_px[-1]
    return float(np.arctan2(first[0] * last[1] - first[1] * last[0], first @ last))
