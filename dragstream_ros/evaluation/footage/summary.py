"""Many starts in a few numbers: means over starts, with intervals, and gains start by start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dragstream_ros.evaluation.footage.score import MEASURES

SYSTEMS = ('dragged', 'undragged', 'constant_flow', 'copy_last', 'autoencoder')
N_RESAMPLES = 1000
DIGITS = 4
Case = dict[str, Any]


def summarise(cases: Sequence[Case]) -> dict[str, Any]:
    """Plain data: of all starts, and of those where something was dragged."""
    dragged = [case for case in cases if case['handles']]
    return {
        'all_starts': _summarise(cases, SYSTEMS[1:]),
        'dragged_starts': _summarise(dragged, SYSTEMS)}


def _summarise(cases: Sequence[Case], systems: Sequence[str]) -> dict[str, Any]:
    """By system and measure: over the whole horizon, and at each of its steps.

    gains: of the first system over the others, paired.
    """
    if not cases:
        return {'n': 0}
    scores = {
        system: {measure.name: _table(cases, system, measure.name) for measure in MEASURES}
        for system in systems}
    first, *others = systems
    return {
        'n': len(cases),
        'systems': {
            system: {name: _over_time(table) for name, table in tables.items()
                     if np.isfinite(table).any()}
            for system, tables in scores.items()},
        'gains': {
            system: {name: mean_with_interval(_means(scores[first][name] - table))[0]
                     for name, table in scores[system].items()
                     if np.isfinite(scores[first][name] - table).any()}
            for system in others}}


def mean_with_interval(values: np.ndarray) -> list[dict[str, float | None]]:
    """Mean and bootstrap 95 % interval of each column of (n, K); nan are left out.

    No interval of fewer than three values.
    """
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    weights = np.random.default_rng(0).multinomial(
        len(values), np.full(len(values), 1 / len(values)), N_RESAMPLES).astype(np.float64)
    with np.errstate(invalid='ignore'):
        filled = np.where(known, values, 0.0)
        means = filled.sum(axis=0) / counts
        resampled = (weights @ filled) / (weights @ known)
    return [
        _estimate(mean, resampled[:, column], count)
        for column, (mean, count) in enumerate(zip(means, counts))]


def _over_time(table: np.ndarray) -> dict[str, Any]:
    return {'horizon': mean_with_interval(_means(table))[0], 'steps': mean_with_interval(table)}


def _table(cases: Sequence[Case], system: str, measure: str) -> np.ndarray:
    """(starts, steps), nan where there is no value."""
    n_steps = len(cases[0]['scores']['undragged']['psnr_db'])
    nothing = [None] * n_steps
    return np.array([case['scores'].get(system, {}).get(measure, nothing) for case in cases],
                    np.float64)


def _means(table: np.ndarray) -> np.ndarray:
    """(starts, 1): over the steps that have a value."""
    known = np.isfinite(table)
    counts = known.sum(axis=1, keepdims=True)
    with np.errstate(invalid='ignore'):
        return np.asarray(np.where(known, table, 0.0).sum(axis=1, keepdims=True) / counts)


def _estimate(mean: float, resampled: np.ndarray, count: int) -> dict[str, float | None]:
    sample = resampled[np.isfinite(resampled)]
    low, high = np.percentile(sample, [2.5, 97.5]) if count >= 3 else (None, None)
    return {'n': int(count), 'mean': _rounded(mean), 'low': _rounded(low), 'high': _rounded(high)}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), DIGITS)
