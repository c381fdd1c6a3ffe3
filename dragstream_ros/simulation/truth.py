"""Ground truth of a picture: which things are in it, and where their points and pixels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Thing:
    """``kind`` is gripper | object | static; the static thing is the table."""

    name: str
    kind: str
    colour_rgb: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Where everything is in the picture that ``render`` gives at the same time.

    ``points_px`` (P, 2) float32; ``point_visible`` (P,) bool: inside the picture with its own
    thing drawn there; ``point_thing`` (P,) int index into ``things``; ``mask`` (H, W) uint8, 0 for
    background and i + 1 for ``things[i]`` (the table is background, an arm belongs to its gripper).
    """

    time_secs: float
    points_px: np.ndarray
    point_visible: np.ndarray
    point_thing: np.ndarray
    mask: np.ndarray
    things: list[Thing]


def visible_points(
        points_px: np.ndarray, point_thing: np.ndarray, mask: np.ndarray, *,
        background: int) -> np.ndarray:
    """(P,) bool: inside the picture, with its thing on one of the 3 x 3 pixels around it.

    ``background`` is the index of the thing that the mask shows as 0.
    """
    height, width = mask.shape
    near = np.round(points_px).astype(int)
    own = np.where(point_thing == background, 0, point_thing + 1)
    shown = np.zeros(len(points_px), bool)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            x = np.clip(near[:, 0] + dx, 0, width - 1)
            y = np.clip(near[:, 1] + dy, 0, height - 1)
            shown |= mask[y, x] == own
    inside = ((points_px >= -0.5) & (points_px < (width - 0.5, height - 0.5))).all(axis=1)
    return inside & shown
