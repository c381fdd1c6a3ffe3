"""Smooth motions and planar poses as pure functions. Poses are (x, y, z, yaw): metres, radians."""

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


def turned(xy: np.ndarray, angle: float) -> np.ndarray:
    """``xy`` (2,) turned counter-clockwise seen from above."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([cosine * xy[0] - sine * xy[1], sine * xy[0] + cosine * xy[1]])


def pose_in(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """World ``pose`` as seen from ``frame``; undone by :func:`pose_from`."""
    return np.array([
        *turned(pose[:2] - frame[:2], -frame[3]), pose[2] - frame[2], pose[3] - frame[3]])


def pose_from(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """World pose of what stands at ``pose`` as seen from ``frame``."""
    return np.array([
        *(frame[:2] + turned(pose[:2], frame[3])), frame[2] + pose[2], frame[3] + pose[3]])
