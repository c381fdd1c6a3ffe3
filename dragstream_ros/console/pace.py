"""How often pictures are sent; reads no clock.

While nobody drags, nor has a hand on any page, they are sent less often: the processor is the
predictor's.
"""

from __future__ import annotations

from collections.abc import Hashable

from dragstream_ros.console.allowance import Allowance

ATTENTIVE_SECS = 10.0  # from the last sign of an operator
RESTING_CAMERA_HZ, RESTING_PREDICTIONS_HZ = 6.0, 2.5


class Pace:
    """Says of each picture whether it is sent. Starts at rest."""

    def __init__(self, camera_rate_hz: float) -> None:
        """camera_rate_hz: no more camera pictures a second are sent, with an operator at work."""
        self._camera_rate_hz = camera_rate_hz
        self._camera_due_secs = 0.0
        self._rests_from_secs = 0.0
        self._anchor: Hashable = None
        self._is_anchor_sent = True
        self._predictions = Allowance(RESTING_PREDICTIONS_HZ, burst=1)

    def attend(self, now_secs: float) -> None:
        """An operator is at work."""
        self._rests_from_secs = now_secs + ATTENTIVE_SECS

    def takes_camera(self, now_secs: float) -> bool:
        """Whether a camera picture is sent; if so, the next one is due a while later."""
        if now_secs < self._camera_due_secs:
            return False
        rate_hz = self._camera_rate_hz
        if self._rests(now_secs):
            rate_hz = min(rate_hz, RESTING_CAMERA_HZ)
        # From when it was due, not from when it came: else a camera that is little faster than the
        # rate would give half of it.
        self._camera_due_secs = max(self._camera_due_secs + 1 / rate_hz, now_secs)
        return True

    def secs_to_camera(self, now_secs: float) -> float:
        """For how long no camera picture is due."""
        return max(self._camera_due_secs - now_secs, 0.0)

    def takes_prediction(self, anchor: Hashable, now_secs: float) -> bool:
        """Whether a chunk is sent; anchor: of which prediction. All of one are, or none."""
        if anchor != self._anchor:
            self._anchor = anchor
            self._is_anchor_sent = (
                not self._rests(now_secs) or self._predictions.take(now_secs))
        return self._is_anchor_sent

    def _rests(self, now_secs: float) -> bool:
        return now_secs >= self._rests_from_secs
