"""A smooth path through the few points an operator clicked."""

from __future__ import annotations

import numpy as np


def smooth_path(control_points_px: np.ndarray, n_points: int) -> np.ndarray:
    """A smooth path (n_points, 2), evenly spaced, from clicked control points (n, 2).

    Clamped uniform B-spline of degree min(3, n - 1): it starts and ends on the first and last
    click and rounds the corners between (spec 1.6).
    """
    control = np.asarray(control_points_px, np.float64)
    if len(control) == 1:
        return np.repeat(control, n_points, axis=0)
    # 64 samples between neighbouring clicks put the polyline's length within 0.1 % of the curve's.
    curve = clamped_b_spline(control, np.linspace(0.0, 1.0, 64 * len(control)))
    lengths = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0.0, travelled[-1], n_points)
    return np.stack([np.interp(at, travelled, axis) for axis in curve.T], axis=1)


def clamped_b_spline(control: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The curve of control points (n, 2) at parameters `at` in 0..1: (len(at), 2).

    Uniform inner knots, degree min(3, n - 1), de Boor's algorithm for all parameters together.
    """
    n, degree = len(control), min(3, len(control) - 1)
    inner = np.linspace(0.0, 1.0, n - degree + 1)
    knots = np.concatenate([np.zeros(degree), inner, np.ones(degree)])
    span = np.clip(np.searchsorted(knots, at, side='right') - 1, degree, n - 1)
    points = control[span[:, None] - degree + np.arange(degree + 1)]
    for level in range(1, degree + 1):
        low = span[:, None] - degree + np.arange(level, degree + 1)
        left, right = knots[low], knots[low + degree + 1 - level]
        share = ((at[:, None] - left) / (right - left))[..., None]
        points = (1.0 - share) * points[:, :-1] + share * points[:, 1:]
    return points[:, 0]
