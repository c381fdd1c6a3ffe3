"""Where the hand of an arm turns on its forearm, and what it is made of.

A hand hangs below the end of its forearm: the palm, a block, lies across, and fingers hang from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.mask_pixels import is_on

TIPS_DOWN = 2.7     # heights of the palm from its top


@dataclass(frozen=True, kw_only=True, eq=False)
class Wrist:
    """axis_px: (2,), where the upright axis of the hand goes through the top of its palm, (x, y).

    forearm, palm: (H, W) bool, what the picture shows of them.
    fingers: (H, W) bool each, and places_px: (2,) each, from the axis, where they hang from, in the
        plane of the palm's top.
    corners_px: (4, 2), of the palm's top, one after the other, from the axis; thick_px: how far
        below that its lower face is seen, and its fingers begin.
    carried: what it holds, (H, W) bool each.
    """

    axis_px: np.ndarray
    forearm: np.ndarray
    palm: np.ndarray
    fingers: tuple[np.ndarray, ...]
    places_px: tuple[np.ndarray, ...]
    corners_px: np.ndarray
    thick_px: float
    carried: tuple[np.ndarray, ...] = ()

    @property
    def hand(self) -> np.ndarray:
        """What turns of what the picture shows, (H, W) bool, with what it holds."""
        return np.asarray(np.any([self.palm, *self.fingers, *self.carried], 0))

    @property
    def between_px(self) -> np.ndarray:
        """Where the fingertips meet, (2,)."""
        return np.asarray(self.axis_px + (0.0, TIPS_DOWN * self.thick_px))

    def lift_px(self, point_px: np.ndarray) -> np.ndarray:
        """From a point (2,) of the hand to where it would be in that plane."""
        return self.axis_px + self._place_px(point_px) - point_px

    def _place_px(self, point_px: np.ndarray) -> np.ndarray:
        """Where it is there, from the axis: if it is of a finger, as that is."""
        for mask, place in zip(self.fingers, self.places_px, strict=True):
            if is_on(mask, point_px):
                return place
        return point_px - self.axis_px
