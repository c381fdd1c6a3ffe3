"""Smooth motions as pure functions of time."""

from __future__ import annotations

import numpy as np


def minimum_jerk(part: float) -> float:
    """Travelled share 0..1 at the share of time 0..1, at rest at both ends."""
    part = min(max(part, 0.0), 1.0)
    return part ** 3 * (10 - 15 * part + 6 * part ** 2)


def minimum_jerk_rate(part: float) -> float:
    """Derivative of :func:`minimum_jerk`."""
    part = min(max(part, 0.0), 1.0)
    return 30 * part ** 2 * (1 - part) ** 2


def bezier(control: np.ndarray, share: float) -> np.ndarray:
    """Point (2,) of the cubic with control points (4, 2)."""
    rest = 1 - share
    weights = np.array([rest ** 3, 3 * rest ** 2 * share, 3 * rest * share ** 2, share ** 3])
    return weights @ control


def nearest_turn(angle: float, reference: float, period: float = 2 * np.pi) -> float:
    """The angle equal to ``angle`` modulo ``period`` that is nearest to ``reference``."""
    return angle + period * round((reference - angle) / period)
