"""Where things can stand without touching each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.simulation.camera import Workspace
from dragstream_ros.simulation.object_shape import ObjectShape
from dragstream_ros.simulation.stacking import fits_on, top_of

HEAPED_SHARE = 0.15
"""Of the scenes where one thing can lie on another."""


def is_clear(
        xy: np.ndarray, places: np.ndarray, radii: Sequence[float], index: int, *,
        margin: float) -> bool:
    """Whether thing ``index`` could stand at ``xy`` (2,) while the others stand at ``places``.

    ``places`` (n, 2 or more): x and y first; everything in metres.
    """
    return all(
        np.linalg.norm(place[:2] - xy) > radii[index] + radii[other] + margin
        for other, place in enumerate(places) if other != index)


def scatter(
        rng: np.random.Generator, workspace: Workspace, radii: Sequence[float]) -> np.ndarray:
    """(n, 3) x, y, yaw of things that do not touch; fewer than asked where there is no room."""
    places: list[np.ndarray] = []
    for index in range(len(radii)):
        for _ in range(60):
            xy = workspace.random_point(rng)
            if is_clear(xy, np.array(places), radii, index, margin=0.012):
                places.append(np.array([*xy, rng.uniform(-np.pi, np.pi)]))
                break
        else:
            break
    return np.stack(places)


def heap(
        rng: np.random.Generator, places: np.ndarray, shapes: Sequence[ObjectShape]) -> np.ndarray:
    """(n, 4) x, y, z, yaw: as (n, 3) ``places``, with one thing set on another one in some scenes.
    """
    poses = np.insert(places, 2, 0.0, axis=1)
    pairs = [(upper, lower) for upper, one in enumerate(shapes)
             for lower, other in enumerate(shapes) if upper != lower and fits_on(one, other)]
    if pairs and rng.uniform() < HEAPED_SHARE:
        upper, lower = pairs[rng.integers(len(pairs))]
        poses[upper, :2] = poses[lower, :2] + rng.uniform(-0.25, 0.25, 2) * shapes[lower].platform
        poses[upper, 2] = top_of(lower, poses, shapes)
    return poses
