"""Where things can stand without touching each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.simulation.camera import Workspace


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
