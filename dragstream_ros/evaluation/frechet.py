"""Frechet distance between two clouds of features, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Of features (n, D) and (m, D): |m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^1/2).

    Dowson and Landau 1982. 0 where mean and covariance are the same; in squared feature units.
    """
    means = [features.astype(np.float64).mean(axis=0) for features in (one, other)]
    spreads = [np.atleast_2d(np.cov(features.astype(np.float64), rowvar=False))
               for features in (one, other)]
    # S1 S2 has the eigenvalues of a positive matrix; rounding leaves a trifle below zero, or
    # beside the real axis.
    eigenvalues = np.linalg.eigvals(spreads[0] @ spreads[1]).real.clip(min=0.0)
    shared = np.sqrt(eigenvalues).sum()
    apart = ((means[0] - means[1]) ** 2).sum()
    return float(max(apart + np.trace(spreads[0]) + np.trace(spreads[1]) - 2 * shared, 0.0))
