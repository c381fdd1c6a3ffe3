"""Where a handle shall be: always as measured at command time, never frame to frame (spec 1.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_HEIGHT = 0.05     # of a lid that is seen from its edge, in its height before


@dataclass(frozen=True, kw_only=True, eq=False)
class Pose:
    """A motion in the picture: turned about centre_px and grown from there, if given; shifted.

    flatness: height over width of the circles in which it turns; see TableView.
    lever: (3,), of a part on a hinge the share of the shift that a point (x, y) takes, as factors
        of x, y and 1: 0 on the hinge, 1 where it is grabbed. None: all takes all of it.
    """

    delta_px: np.ndarray
    angle_rad: float = 0.0
    scale: float = 1.0
    centre_px: np.ndarray | None = None
    flatness: float = 1.0
    lever: np.ndarray | None = None

    def apply(self, points_px: np.ndarray) -> np.ndarray:
        """Move points (..., 2)."""
        if self.lever is not None:
            share = points_px @ self.lever[:2] + self.lever[2]
            return np.asarray(points_px + share[..., None] * self.delta_px)
        if self.centre_px is None:
            return points_px + self.delta_px
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        # Rows are points, hence the transpose of the usual matrix; y down makes it clockwise.
        turn = self.scale * np.array([[cos, sin], [-sin, cos]])
        flat = (1.0, self.flatness)
        return (points_px - self.centre_px) / flat @ turn * flat + (self.centre_px + self.delta_px)

    def back(self) -> Pose:
        """The motion that undoes this one."""
        return Pose(
            delta_px=-self.delta_px,
            angle_rad=-self.angle_rad,
            scale=1.0 / self.scale,
            centre_px=None if self.centre_px is None else self.centre_px + self.delta_px,
            flatness=self.flatness,
            lever=None if self.lever is None else self.lever / levered(self.lever, self.delta_px),
        )

    def scaled(self, fraction: float) -> Pose:
        """This share of the motion: what segment s of S asks for at fraction s / S."""
        return Pose(
            delta_px=self.delta_px * fraction,
            angle_rad=self.angle_rad * fraction,
            scale=1.0 + (self.scale - 1.0) * fraction,
            centre_px=self.centre_px,
            flatness=self.flatness,
            lever=self.lever,
        )


def levered(lever: Sequence[float] | np.ndarray, delta: Sequence[float] | np.ndarray) -> float:
    """By how much what hangs on a hinge is as high as before; seen from its edge: almost 0."""
    height = 1.0 + float(lever[0]) * float(delta[0]) + float(lever[1]) * float(delta[1])
    return height if abs(height) > LEAST_HEIGHT else math.copysign(LEAST_HEIGHT, height)
