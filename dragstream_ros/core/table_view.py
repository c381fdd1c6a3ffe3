"""How a camera sees the plane that things lie on, and what that makes of a drag.

What comes nearer grows, and a circle on the plane looks like an ellipse: the flatter, the lower the
camera and the farther away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle
from dragstream_ros.core.turn_centre import turn_centre

STEEPEST_DEG = 85.0     # of a tilt: beyond, it is as good as straight down
FLATTEST = 0.1      # height over width of a circle: beyond, at the horizon, nothing can be turned


@dataclass(frozen=True, kw_only=True)
class TableView:
    """horizon: where the plane ends, in picture heights from the top; negative: above the picture.

    tilt_deg: how far down the camera looks, 90 is straight down; None: not known, and circles on
    the plane are taken for circles in the picture.
    """

    horizon: float
    tilt_deg: float | None = None

    @classmethod
    def of(cls, horizon: Any, tilt_deg: Any) -> TableView | None:
        """Check what a model's configuration says; None if it says nothing. Raises ValueError."""
        for name, value in (('horizon', horizon), ('tilt_deg', tilt_deg)):
            if value is not None and not (type(value) in (int, float) and math.isfinite(value)):
                raise ValueError(f'{name} is {value!r}, and must be a number or null')
        if tilt_deg is None:
            return None if horizon is None else cls(horizon=horizon)
        if horizon is None or horizon >= 0.5 or not 0 < tilt_deg <= 90:
            raise ValueError(
                f'horizon is {horizon!r} and tilt_deg {tilt_deg!r}: a camera that looks down by 0 '
                'to 90 degrees has its horizon above the middle of the picture, at less than 0.5')
        return cls(horizon=horizon, tilt_deg=tilt_deg)

    def flatness(self, y: float) -> float:
        """Height over width of a small circle on the plane, y picture heights from the top."""
        if self.tilt_deg is None:
            return 1.0
        in_the_middle = math.sin(math.radians(self.tilt_deg))
        below_horizon = (y - self.horizon) / (0.5 - self.horizon)
        return min(max(in_the_middle * below_horizon, FLATTEST), 1.0)

    def rays(self, points_px: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """From the camera to what is at points (..., 2) of a picture (width, height): (..., 3).

        To the right, forwards and up, over a level plane; in px of the focal length. Where the tilt
        is not known, straight down.
        """
        right, below = np.moveaxis(points_px - np.array(size) / 2 + 0.5, -1, 0)
        cos, sin, focal_px = self._camera(size[1])
        return np.stack([
            right, focal_px * cos - below * sin, -focal_px * sin - below * cos], -1)

    def pixels(self, places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Where in a picture the places (..., 3), as of rays, are seen: points (..., 2)."""
        right, forwards, up = np.moveaxis(places, -1, 0)
        cos, sin, focal_px = self._camera(size[1])
        away = forwards * cos - up * sin
        seen = np.stack([right, -forwards * sin - up * cos], -1) * (focal_px / away)[..., None]
        return np.asarray(seen + np.array(size) / 2 - 0.5)

    def _camera(self, height_px: int) -> tuple[float, float, float]:
        """Cosine and sine of the tilt, and the focal length, px."""
        below_px = (0.5 - self.horizon) * height_px
        if self.tilt_deg is None or self.tilt_deg > STEEPEST_DEG:
            return 0.0, 1.0, below_px
        tilt = math.radians(self.tilt_deg)
        return math.cos(tilt), math.sin(tilt), below_px / math.tan(tilt)


def seen_in(view: TableView | None, command: DragCommand) -> DragCommand:
    """The command on a picture of which the view is known, or is not."""
    if view is None:
        return command
    return replace(command, handles=tuple(
        _seen_in(view, handle, command.image_size[1]) for handle in command.handles))


def _seen_in(view: TableView, handle: DragHandle, height_px: int) -> DragHandle:
    centre_px = handle.turned_about_px
    flatness = 1.0 if centre_px is None else view.flatness((float(centre_px[1]) + 0.5) / height_px)
    by_itself = handle.grasp.grip is None and handle.grasp.wrist is None
    if centre_px is not None and by_itself and view.tilt_deg is not None:
        handle = replace(handle, centre_px=turn_centre(
            handle.path_px, centre_px, flatness, height_px))
    return handle.grasped(horizon_px=view.horizon * height_px - 0.5, flatness=flatness)
