"""Several handles on one thing: it moves as one, shifted and turned as they ask for together.

Who grabs a thing at both ends turns it; who holds one of them still turns it about that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STILL_PX = 0.5      # what is not asked to go so far is held still


@dataclass(frozen=True, eq=False)
class Grip:
    """Where the handles are asked to be, each for itself.

    times_secs: (T,) after the command, from 0 on, increasing; points_px: (T, n, 2), (x, y),
        straight in between.
    turns: it may be turned; what reaches into the picture from outside is only shifted.
    """

    times_secs: np.ndarray
    points_px: np.ndarray
    turns: bool = True

    @cached_property
    def centre_px(self) -> np.ndarray:
        """About which it is turned, (2,): the mean of the handle points at command time.

        Of those that are held still, if there are any.
        """
        return np.asarray(self.points_px[0, self._leading].mean(0))

    def shift_px(self, t_secs: float) -> np.ndarray:
        """How far that has gone, (2,)."""
        return np.asarray(self._points_at(t_secs)[self._leading].mean(0) - self.centre_px)

    def angle_rad(self, t_secs: float, flatness: float) -> float:
        """How far it is turned by then, clockwise; more than once round, if the paths say so.

        The rigid motion with the least squared distances from what is asked for (Umeyama 1991), on
        a plane on which circles look flat by ``flatness``.
        """
        if not self.turns:
            return 0.0
        so_far = np.array([
            *self.points_px[self.times_secs < t_secs], self._points_at(t_secs)])
        centres = so_far[:, self._leading].mean(1, keepdims=True)
        x, y = ((self.points_px[0] - self.centre_px) / (1.0, flatness)).T
        now_x, now_y = np.moveaxis((so_far - centres) / (1.0, flatness), -1, 0)
        angles = np.arctan2((x * now_y - y * now_x).sum(1), (x * now_x + y * now_y).sum(1))
        return float(np.unwrap(angles)[-1])

    def most_turned_rad(self, flatness: float) -> float:
        """The largest angle on the way, whichever way round."""
        return max(abs(self.angle_rad(float(t), flatness)) for t in self.times_secs)

    @cached_property
    def _leading(self) -> np.ndarray:
        """Which handles (n,) bool say where it goes: all, or those about which it turns."""
        from_start = np.linalg.norm(self.points_px - self.points_px[0], axis=-1).max(0)
        still = from_start < STILL_PX
        if still.all() or not still.any():
            return np.ones_like(still)
        return still if self.turns else ~still

    def _points_at(self, t_secs: float) -> np.ndarray:
        """(n, 2)."""
        flat = self.points_px.reshape(len(self.points_px), -1)
        points = [np.interp(t_secs, self.times_secs, axis) for axis in flat.T]
        return np.reshape(points, self.points_px.shape[1:])
