"""A stream that is dragged again and again: what is looked at, and the distance of features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dragstream_ros.evaluation.drag_drift import SYSTEMS, DriftConfig, run_drift
from dragstream_ros.evaluation.frechet import frechet_distance
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel


def test_frechet_distance_of_gaussians_is_what_the_formula_says():
    generator = np.random.default_rng(0)
    plain = generator.normal(size=(200_000, 2))
    # Independent axes: sum over axes of (m1 - m2)^2 + (s1 - s2)^2.
    other = plain[::-1] * (2.0, 0.5) + (3.0, -1.0)
    assert frechet_distance(plain, other) == pytest.approx(9 + 1 + 1 + 0.25, rel=0.02)
    assert frechet_distance(other, plain) == pytest.approx(frechet_distance(plain, other))


def test_frechet_distance_sees_how_features_go_together():
    generator = np.random.default_rng(0)
    one, two = generator.normal(size=(2, 200_000))
    together, apart = np.stack([one, one + 0.1 * two], -1), np.stack([one, -one + 0.1 * two], -1)
    # Both have the same means and axes; the squared roots of the covariances differ.
    root = [_root(np.cov(features.T)) for features in (together, apart)]
    middle = _root(root[0] @ np.cov(apart.T) @ root[0])
    expected = np.trace(np.cov(together.T) + np.cov(apart.T) - 2 * middle)
    assert frechet_distance(together, apart) == pytest.approx(expected, rel=1e-6)
    assert expected > 1


def test_frechet_distance_of_a_cloud_from_itself_is_nothing():
    features = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    assert frechet_distance(features, features[::-1]) == pytest.approx(0.0, abs=1e-9)


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values)) @ vectors.T


def test_every_system_is_looked_at_on_its_way():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TabletopWorldModel().eval().requires_grad_(False)
    try:
        found = run_drift(model, DriftConfig(scenes=1, looks=(1, 3)))
    except NoGraphics as reason:
        pytest.skip(str(reason))
    assert set(found) == set(SYSTEMS)
    for looks in found.values():
        assert [look['chunk'] for look in looks] == [1, 3]
        assert all(look['frechet'] > 0 and look['sharpness'] > 0 for look in looks)
