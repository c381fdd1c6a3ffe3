"""Where the hinge of a lid is, by how it looks and by the path of a point of it.

A lid is flat, with two edges along its hinge and two across.  Its hinge lies level, along its rim,
and all of it goes on upright circles about that.  So of all level lines along the rim it is the one
about which the path is a circle, and beside which the outline is a rectangle.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dragstream_ros.core.hinge import Hinge
from dragstream_ros.core.table_view import TableView

TURNS = 60                  # directions on the table that are tried
STRAYS_PX, BARE = 0.5, 0.1  # how much a path off a circle, and what lacks of a rectangle, count
MOST_REACH, REACHES = 2.0, 0.3  # of what is grabbed of a lid: what is beyond counts by its share
DEEPEST, DEPTHS = 0.2, 0.1      # below the hinge, in radii: a lid goes up
WORST = 6.0                 # of all that together: then there is no such hinge
OPEN_RAD = 0.6              # a lid that lies looks a little raised, since it is thick
STRIPS = 10                 # across a lid: how far it reaches is that of most of them
UP = np.array([0.0, 0.0, 1.0])


def find_hinge(path_px: np.ndarray, lid: np.ndarray,
               view: TableView) -> tuple[Hinge, float] | None:
    """Of a lid (H, W) bool of which a point goes along a path (N, 2), N at least 2; or None.

    And what speaks against it, up to WORST.
    """
    size = (lid.shape[1], lid.shape[0])
    rim_px = cv2.convexHull(cv2.findNonZero(lid.astype(np.uint8)))[:, 0]
    rim, path = view.rays(rim_px, size), view.rays(path_px, size)
    tried = [_Tried.of(path, rim, along, to_hinge)
             for along in _directions() for to_hinge in _beside(rim, path[0], along)]
    likely = [one for one in tried if one is not None and one.cost <= WORST]
    if not likely:
        return None
    found = min(likely, key=lambda one: one.cost)
    hinge = found.hinge(lid, view)
    return found.hinge(hinge.face(lid), view), found.cost


def _directions() -> np.ndarray:
    turns = np.arange(TURNS) * np.pi / TURNS
    return np.stack([np.cos(turns), np.sin(turns), np.zeros(TURNS)], -1)


def _beside(rim: np.ndarray, grabbed: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The two ways (2, 3) from the eye, across a direction, that pass a rim (N, 3) on a side."""
    sight = grabbed - grabbed @ along * along
    sight /= np.linalg.norm(sight)
    side = np.cross(along, sight)
    heights = np.arctan2(rim @ side, rim @ sight)
    return np.stack([np.cos(height) * sight + np.sin(height) * side
                     for height in (heights.min(), heights.max())])


@dataclass(frozen=True, eq=False)
class _Tried:
    """A line that may be the hinge, in places as of TableView.rays, (3,) each.

    middle: where the circle of the grabbed point has its centre; along, outwards: the line's
    direction, and that to the grabbed point, radius away. angles: (N,) rad, of the path; 0 is
    level. cost: what speaks against it.
    """

    middle: np.ndarray
    along: np.ndarray
    outwards: np.ndarray
    radius: float
    angles: np.ndarray
    cost: float

    @classmethod
    def of(cls, path: np.ndarray, rim: np.ndarray, along: np.ndarray,
           to_hinge: np.ndarray) -> _Tried | None:
        """The line with that direction somewhere on that way from the eye; None: behind it.

        path: (N, 3) and rim: (M, 3), of the outline, rays.
        """
        places = path * (path[0] @ along / _off_zero(path @ along))[:, None]
        before = path[0] @ along * along
        # The hinge is as far from all places: that is linear in how far away it is.
        slopes = 2 * (places[1:] - places[0]) @ to_hinge
        steps = ((places[1:] - before) ** 2).sum(1) - ((places[0] - before) ** 2).sum()
        away = slopes @ steps / max(slopes @ slopes, 1e-9)
        if away <= 0:
            return None
        middle = before + away * to_hinge
        arms = places - middle
        radii = np.maximum(np.linalg.norm(arms, axis=1), 1e-6)
        angles = np.unwrap(np.arctan2(arms[:, 2], arms @ np.cross(UP, along)))
        angles += 2 * np.pi * (angles[0] < -np.pi / 2)
        tried = cls(middle, along, arms[0] / radii[0], float(radii[0]), angles, 0.0)
        width, reach = tried.on_lid(rim)
        filled = (cv2.contourArea(np.stack([width, reach], -1).astype(np.float32))
                  / max(np.ptp(width) * np.ptp(reach), 1e-9))
        cost = (np.abs(radii - radii[0]).max() / STRAYS_PX + (1 - filled) / BARE
                + max(reach.max() / radii[0] - MOST_REACH, 0) / REACHES
                + max(-np.sin(angles).min() - DEEPEST, 0) / DEPTHS)
        return replace(tried, cost=float(cost))

    def on_lid(self, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps (N,) along the hinge and away from it, to where rays (N, 3) meet the lid."""
        normal = np.cross(self.along, self.outwards)
        places = rays * (self.middle @ normal / _off_zero(rays @ normal))[:, None] - self.middle
        return places @ self.along, places @ self.outwards

    def hinge(self, lid: np.ndarray, view: TableView) -> Hinge:
        """Of a lid (H, W) bool."""
        size = (lid.shape[1], lid.shape[0])
        width, reach = self.on_lid(view.rays(np.stack(np.nonzero(lid)[::-1], -1), size))
        strips = np.digitize(width, np.linspace(width.min(), width.max(), STRIPS + 1)[1:-1])
        # It lies closed to that side from which the path keeps its distance.
        is_back = self.angles.min() + self.angles.max() > np.pi
        level = np.cross(UP, self.along) * (-1 if is_back else 1)
        foot_px, *steps_px = view.pixels(
            self.middle + np.stack([0 * UP, self.along, level, UP]), size)
        along_px, level_px, up_px = (step_px - foot_px for step_px in steps_px)
        raised = np.pi - self.angles[0] if is_back else self.angles[0]
        return Hinge(
            foot_px=foot_px, along_px=along_px, level_px=level_px, up_px=up_px,
            radius_px=self.radius, width_px=(float(width.min()), float(width.max())),
            # A knob on its rim is none of it.
            reach_px=float(np.median([reach[strips == strip].max() for strip in set(strips)])),
            is_open=bool(raised > OPEN_RAD))


def _off_zero(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) < 1e-6, 1e-6, values)
