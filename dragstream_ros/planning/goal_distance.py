"""How far a future's last frame is from what is wanted, in three ways.

points: mean distance in px of the query points from where they should be. The best where somebody
    knows the places. features: of the world model's own latents, root mean square in their units
    (about one standard deviation). pixels: root mean square in levels (0 to 255); needs no model.

The last two look where the goal differs from the start, and where what is dragged comes by: a world
model also dreams up things elsewhere, which background_kept is for. Both are blurred, or else a
thing that is near its goal, but does not cover it yet, would be no better than one far away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from dragstream_ros.evaluation.metrics import moving_pixels
from dragstream_ros.planning.future import Future

# A picture (H, W, 3) uint8 RGB to its latent (C, h, w).
Encode = Callable[[np.ndarray], np.ndarray]

BLURS = (0.03, 0.06)  # standard deviations, in shares of the picture's width
MARGIN = 0.03  # around what is to change, likewise


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanningGoal:
    """What the last frame should show; pixels are the predicted frames' own.

    image: (H, W, 3) uint8 RGB, and start, the frame that is predicted from; both or neither.
    points_px: (q, 2), of the query points. encode: for features.
    """

    image: np.ndarray | None = None
    start: np.ndarray | None = None
    points_px: np.ndarray | None = None
    encode: Encode | None = None

    def distances(self, future: Future) -> dict[str, float]:
        """Those that can be told, by the names of Score's fields."""
        found = {}
        if self.points_px is not None:
            reached = future.followed_px[future.n_handles:, -1]
            found['point_distance_px'] = float(
                np.linalg.norm(reached - self.points_px, axis=-1).mean())
        if self.image is not None:
            picture, where = future.frames[-1], self.changes | future.swept
            scale = float(np.sqrt(self.changes.size / self.changes.sum()))
            found['pixel_distance'] = scale * blurred_distance(picture, self.image, where)
            if self.encode is not None:
                found['feature_distance'] = scale * blurred_distance(
                    self.encode(picture).transpose(1, 2, 0), self._latent, where)
        return found

    def differs_at(self, points_px: np.ndarray) -> np.ndarray:
        """Which of (n, 2) are where start and goal image differ: (n,) bool, all without images."""
        if self.image is None:
            return np.ones(len(points_px), bool)
        height, width = self.changes.shape
        x, y = np.rint(points_px).astype(int).clip(0, (width - 1, height - 1)).T
        return np.asarray(self.changes[y, x])

    @cached_property
    def changes(self) -> np.ndarray:
        """Where (H, W) bool start and goal image differ, and a little around."""
        assert self.image is not None and self.start is not None
        return places_to_change(self.start, self.image)

    @cached_property
    def _latent(self) -> np.ndarray:
        assert self.image is not None and self.encode is not None
        return self.encode(self.image).transpose(1, 2, 0)


NO_GOAL = PlanningGoal()


def encoder_of(world_model: Any) -> Encode:
    """The features of single pictures by a core.world_model.WorldModel."""
    def encode(picture: np.ndarray) -> np.ndarray:
        latent: np.ndarray = world_model.encode(picture[None])[-1].cpu().numpy()
        return latent

    return encode


def places_to_change(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Where (H, W) bool two pictures (H, W, 3) uint8 RGB differ, and a margin; all, if nowhere."""
    differs = moving_pixels(goal[None], start)[0].astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))  # not edges
    margin_px = round(MARGIN * start.shape[1])
    changes: np.ndarray = cv2.dilate(differs, np.ones((2 * margin_px + 1,) * 2, np.uint8)) > 0
    return changes if changes.any() else np.ones_like(changes)


def blurred_distance(values: np.ndarray, goal: np.ndarray, where: np.ndarray) -> float:
    """Root mean square difference of (h, w, C), blurred, counted only where (H, W) bool says so.

    The mean is over the whole picture: to differ in more places is worse.
    """
    difference = values.astype(np.float32) - goal
    height, width = difference.shape[:2]
    weight = cv2.resize(where.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    planes = np.moveaxis(difference, -1, 0)
    squares = [
        np.mean([cv2.GaussianBlur(plane, (0, 0), blur * width) ** 2 for plane in planes], axis=0)
        for blur in BLURS]
    return float(np.mean([np.sqrt((square * weight).mean()) for square in squares]))
