"""Judges the camera's stamps: in order, back in time, or silent for too long; reads no clock."""

from __future__ import annotations

import enum
import math

JUMP_SECS = 0.5  # stamps this far back are another round of a bag, less is disorder
DISTRUST_SECS = 1.0  # after the clock was set back, for images of the round before


class Order(enum.Enum):
    """How a stamp follows the newest one so far."""

    NEWER = enum.auto()
    OUT_OF_ORDER = enum.auto()
    JUMPED_BACK = enum.auto()


class CameraWatch:
    """What is known of the camera since the last fresh start; now_secs is the node's clock."""

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self._heard_secs = 0.0
        self._is_silence_told = False
        self._distrust_until_secs = -math.inf

    def start_over(self, now_secs: float) -> None:
        """Expect the first image."""
        self._newest_ns = None
        self._heard_secs = now_secs
        self._is_silence_told = False

    def see(self, stamp_ns: int, now_secs: float) -> Order:
        """Take note of an image, unless it is out of order."""
        if now_secs < self._distrust_until_secs and _is_ahead(stamp_ns, now_secs):
            return Order.OUT_OF_ORDER
        before = self._newest_ns
        if before is not None and stamp_ns <= before:
            if before - stamp_ns <= JUMP_SECS * 1e9:
                return Order.OUT_OF_ORDER
            return Order.JUMPED_BACK
        self._newest_ns = stamp_ns
        self._heard_secs = now_secs
        self._is_silence_told = False
        return Order.NEWER

    def clock_was_set_back(self, now_secs: float) -> bool:
        """Take note of that; False if the images have jumped already, as far as is known."""
        self._distrust_until_secs = now_secs + DISTRUST_SECS
        return self._newest_ns is not None and _is_ahead(self._newest_ns, now_secs)

    def new_silence_secs(self, now_secs: float, *, timeout_secs: float) -> float | None:
        """How long there was no image, once per silence that is longer than the time-out."""
        silent_secs = now_secs - self._heard_secs
        if silent_secs <= timeout_secs or self._is_silence_told:
            return None
        self._is_silence_told = True
        return silent_secs


def _is_ahead(stamp_ns: int, now_secs: float) -> bool:
    """The stamp is of a time that the clock has yet to reach."""
    return stamp_ns / 1e9 > now_secs + JUMP_SECS
