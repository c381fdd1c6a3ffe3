"""Where a lid hangs, and what of a picture that tells: how it looks as it swings up.

A lid is flat, and goes on circles about its hinge, upright ones.  So far from the camera that they
look like ellipses, each of its points takes a share of the shift of the one that is grabbed, as
large as its own distance from the hinge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.sides import top_of

THICK_SHARE = 0.12      # of how far it reaches
RAISED = np.radians(np.arange(-30, 151))    # as a lid is, from closed: a part of that is one way


@dataclass(frozen=True, kw_only=True, eq=False)
class Hinge:
    """foot_px: (2,), the point (x, y) of it about which the grabbed point goes; radius_px: how far
    away that is.

    along_px, level_px, up_px: (2,), how a picture shows a step of one px along the hinge, one from
    there to where the lid would lie closed, and one upwards. width_px: from where to where the lid
    reaches in steps along it; reach_px: how far in steps away from it. is_open: it does not lie.
    """

    foot_px: np.ndarray
    along_px: np.ndarray
    level_px: np.ndarray
    up_px: np.ndarray
    radius_px: float
    width_px: tuple[float, float]
    reach_px: float
    is_open: bool

    def lever(self, grabbed_px: np.ndarray) -> np.ndarray:
        """See Pose; a hinge through the point that is grabbed holds all of it."""
        (x, y), (along_x, along_y) = self.foot_px, self.along_px
        lever = np.array([along_y, -along_x, along_x * y - along_y * x])
        at_grabbed = float(lever[:2] @ grabbed_px + lever[2])
        return np.asarray(lever / at_grabbed) if abs(at_grabbed) > 1e-6 else np.zeros(3)

    @property
    def thick_px(self) -> float:
        """How thick a lid is, mostly, in steps."""
        return THICK_SHARE * self.reach_px

    def face(self, lid: np.ndarray) -> np.ndarray:
        """A lid (H, W) bool without its edge: below the upper face, where it lies."""
        edge_px = 0 if self.is_open else round(float(np.linalg.norm(self.up_px)) * self.thick_px)
        face = top_of(lid, edge_px)
        return face if face.any() else lid

    def angle(self, point_px: np.ndarray) -> float:
        """How far it is raised when the grabbed point is seen there, rad; 0: it lies closed."""
        seen = self.foot_px + self.radius_px * (np.outer(np.cos(RAISED), self.level_px)
                                                + np.outer(np.sin(RAISED), self.up_px))
        return float(RAISED[((seen - point_px) ** 2).sum(1).argmin()])

    def outwards(self, angle: float) -> np.ndarray:
        """How a picture shows a step (2,) out of the upper face of a lid that is raised so far."""
        return np.asarray(np.cos(angle) * self.up_px - np.sin(angle) * self.level_px)

    def shows_outside(self, point_px: np.ndarray) -> bool:
        """Is the upper face seen, when the grabbed point is there? As it is when it lies closed."""
        closed, now = (self.along_px[0] * out[1] - self.along_px[1] * out[0]
                       for out in (self.level_px, point_px - self.foot_px))
        return bool(closed * now > 0)

    def corners(self, point_px: np.ndarray) -> np.ndarray:
        """Of the face that was seen first, when the grabbed point is there: (4, 2) px, in turn."""
        reach = (point_px - self.foot_px) * (self.reach_px / self.radius_px)
        first, last = (self.foot_px + along * self.along_px for along in self.width_px)
        return np.stack([first, last, last + reach, first + reach])

    def opening(self, size: tuple[int, int]) -> np.ndarray:
        """What it closes, (H, W) bool of a picture (width, height)."""
        places = np.stack(np.meshgrid(*map(np.arange, size)), -1) - self.foot_px
        axes = np.stack([self.along_px, self.level_px], 1)
        along, away = np.moveaxis(places @ np.linalg.pinv(axes).T, -1, 0)
        is_beside = (along >= self.width_px[0]) & (along <= self.width_px[1])
        return np.asarray(is_beside & (away >= 0) & (away <= self.reach_px))
