"""The cross-entropy method: draw candidates, keep the best few, draw the next ones around them.

Rubinstein, The Cross-Entropy Method for Combinatorial and Continuous Optimization, 1999; here with
independent normal distributions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class CrossEntropyConfig:
    """How hard to look.

    candidates: all of them, over all rounds. elite_share: of a round's candidates, those that the
    next is drawn around. least_std: below it nothing is gained by looking closer.
    """

    candidates: int = 16
    rounds: int = 2
    elite_share: float = 0.3
    least_std: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What was tried, (n, d), what it cost, (n,), and in which round, (n,) from 0."""

    tried: np.ndarray
    costs: np.ndarray
    rounds: np.ndarray

    @property
    def best(self) -> int:
        """The index of the lowest cost."""
        return int(self.costs.argmin())


def refine(
    cost: Callable[[np.ndarray], np.ndarray], mean: np.ndarray, std: np.ndarray,
    config: CrossEntropyConfig, rng: np.random.Generator,
) -> Search:
    """Look for the lowest cost, starting around mean (d,) with a spread of std (d,).

    cost: of candidates (n, d), a round at a time, (n,). The middle of each round is tried itself.
    """
    sizes = [len(part) for part in np.array_split(np.arange(config.candidates), config.rounds)]
    tried, costs = np.zeros((0, len(mean))), np.zeros(0)
    for size in sizes:
        drawn = mean + std * np.concatenate(
            [np.zeros((1, len(mean))), rng.standard_normal((size - 1, len(mean)))])
        tried, costs = np.concatenate([tried, drawn]), np.concatenate([costs, cost(drawn)])
        # The elite is of this round, or the spread would shrink around an early lucky one. The
        # middle goes on from the best of all: a round of few may miss what an earlier one had.
        count = max(2, round(config.elite_share * size))
        elite = tried[-size:][np.argsort(costs[-size:])[:count]]
        mean = tried[costs.argmin()]
        std = np.maximum(np.sqrt(((elite - mean) ** 2).mean(0)), config.least_std)
    return Search(tried=tried, costs=costs, rounds=np.repeat(np.arange(len(sizes)), sizes))
