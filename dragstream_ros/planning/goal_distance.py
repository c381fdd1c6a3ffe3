"""How far a future's last frame is from what is wanted, in three ways.

points: mean distance in px of the query points from where they should be. The best where somebody
    knows the places. features: of the world model's own latents, root mean square in their units
    (about one standard deviation); it looks past noise and blur. pixels: root mean square in levels
    (0 to 255); needs no model.

Things that are small in the picture, or that overlap nothing yet, change the last two very little
until they are nearly there. So both are the mean of several sizes, down to coarse ones in which
near is already alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from dragstream_ros.planning.future import Future

# A picture (H, W, 3) uint8 RGB to its latent (C, h, w).
Encode = Callable[[np.ndarray], np.ndarray]

PIXEL_BLURS_PX = (1.0, 4.0, 10.0)
FEATURE_BLURS_CELLS = (0.0, 1.0, 2.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanningGoal:
    """What the last frame should show; pixels are the predicted frames' own.

    image: (H, W, 3) uint8 RGB. points_px: (q, 2), of the query points. encode: for features.
    """

    image: np.ndarray | None = None
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
            found['pixel_distance'] = pixel_distance(future.frames[-1], self.image)
            if self.encode is not None:
                found['feature_distance'] = feature_distance(
                    self.encode(future.frames[-1]), self._latent)
        return found

    @cached_property
    def _latent(self) -> np.ndarray:
        assert self.image is not None and self.encode is not None
        return self.encode(self.image)


NO_GOAL = PlanningGoal()


def encoder_of(world_model: Any) -> Encode:
    """The features of single pictures by a core.world_model.WorldModel."""
    def encode(picture: np.ndarray) -> np.ndarray:
        latent: np.ndarray = world_model.encode(picture[None])[-1].cpu().numpy()
        return latent

    return encode


def pixel_distance(picture: np.ndarray, goal: np.ndarray) -> float:
    """Root mean square difference in levels of (H, W, 3) uint8 pictures, at several sizes."""
    return _blurred_distance(picture.astype(np.float32) - goal, PIXEL_BLURS_PX)


def feature_distance(latent: np.ndarray, goal: np.ndarray) -> float:
    """Root mean square difference of latents (C, h, w), at several sizes."""
    return _blurred_distance(
        np.ascontiguousarray((latent - goal).transpose(1, 2, 0)), FEATURE_BLURS_CELLS)


def _blurred_distance(difference: np.ndarray, sigmas: tuple[float, ...]) -> float:
    """The mean over blurs of the root mean square of (H, W, C)."""
    height, width = difference.shape[:2]
    sizes = []
    for sigma in sigmas:
        blurred = difference if sigma == 0.0 else np.stack([
            cv2.GaussianBlur(plane, (0, 0), sigma) for plane in np.moveaxis(difference, -1, 0)])
        sizes.append(float(np.sqrt((blurred ** 2).sum() / (height * width))))
    return float(np.mean(sizes))
