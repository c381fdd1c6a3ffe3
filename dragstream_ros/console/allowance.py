"""How often something may happen: a bucket that fills again with time; reads no clock."""

from __future__ import annotations


class Allowance:
    """`burst` times at once, and `rate_hz` times a second in the long run."""

    def __init__(self, rate_hz: float, *, burst: int) -> None:
        """Start with a full bucket."""
        self._rate_hz = rate_hz
        self._burst = burst
        self._left = float(burst)
        self._then_secs: float | None = None

    def take(self, now_secs: float) -> bool:
        """Whether it may happen once more now; if so, it counts."""
        if self._then_secs is not None:
            self._left += max(now_secs - self._then_secs, 0.0) * self._rate_hz
            self._left = min(self._left, float(self._burst))
        self._then_secs = now_secs
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
