"""From one frame's coordinates to another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

UNIT_WITHIN = 1e-2


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """rotation: (3, 3), then shift: (3,) in metres."""

    rotation: np.ndarray
    shift_m: np.ndarray

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> RigidTransform:
        """Read x y z qx qy qz qw, the order of tf2's static_transform_publisher.

        :raises ValueError: these are not seven finite numbers with a unit quaternion
        """
        values = np.asarray(numbers, np.float64)
        is_pose = values.shape == (7,) and np.isfinite(values).all()
        if not is_pose or abs(np.linalg.norm(values[3:]) - 1.0) > UNIT_WITHIN:
            raise ValueError(
                f'{list(numbers)} is no pose; give x y z in metres and a unit quaternion qx qy qz '
                'qw.')
        axis, cos = values[3:6], values[6]
        sin = float(np.linalg.norm(axis))
        angle = 2.0 * np.arctan2(sin, cos)
        rotation, _ = cv2.Rodrigues(axis * (angle / sin) if sin > 0.0 else np.zeros(3))
        return cls(rotation, values[:3])

    def apply(self, points_m: np.ndarray) -> np.ndarray:
        """Points (..., 3) in the other frame's coordinates."""
        return points_m @ self.rotation.T + self.shift_m

    def inverse(self) -> RigidTransform:
        """The way back."""
        return RigidTransform(self.rotation.T, -self.rotation.T @ self.shift_m)
