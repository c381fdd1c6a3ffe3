"""A drag by two clicks, for tools that tell of presses only: grab here, let go there.

rqt_image_view publishes such clicks in pixels, RViz2's Publish Point in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.masks.track_points import track_points
from dragstream_ros.tools.stroke import Stroke, View, on_image

FOLLOWED_SECS = 1.5  # the predictor follows what was grabbed in an image up to 2 s old


@dataclass(frozen=True, kw_only=True)
class TwoClicksConfig:
    """timeout_secs: a first click is forgotten then. undo_px: a second one this near undoes it."""

    timeout_secs: float = 10.0
    undo_px: float = 6.0


class TwoClicks:
    """Waits for the first click, then for the second."""

    def __init__(self, config: TwoClicksConfig = TwoClicksConfig()) -> None:
        """Start with nothing grabbed."""
        self._config = config
        self._view: View | None = None  # with which something was grabbed
        self._grab_px = np.zeros(2)
        self._grabbed_secs = 0.0

    @property
    def holds(self) -> bool:
        """Something is grabbed; the next click says where it shall go."""
        return self._view is not None

    def click(self, position_px: np.ndarray, view: View, now_secs: float) -> Stroke | None:
        """Take a click on the newest image; the second of two makes a stroke.

        :raises DragStreamError: the click is outside, or what was grabbed is not found any more
        """
        position_px = on_image(position_px, view.size)
        grabbed, self._view = self._view, None
        is_in_time = now_secs - self._grabbed_secs < self._config.timeout_secs
        if grabbed is None or not is_in_time or grabbed.size != view.size:
            self._view, self._grab_px, self._grabbed_secs = view, position_px, now_secs
            return None
        if np.linalg.norm(position_px - self._grab_px) <= self._config.undo_px:
            return None
        if 0 <= view.stamp_ns - grabbed.stamp_ns < FOLLOWED_SECS * 1e9:
            return Stroke(view=grabbed, path_px=np.stack([self._grab_px, position_px]))
        (grab_px,), (found,) = track_points(grabbed.pixels, view.pixels, self._grab_px[None])
        if not found:
            raise DragStreamError(
                ErrorCode.DRAG_LOST,
                'What was grabbed has changed too much since the first click; please click both '
                f'points within {FOLLOWED_SECS:g} s, or grab something with more texture.')
        return Stroke(view=view, path_px=np.stack([grab_px, position_px]))
