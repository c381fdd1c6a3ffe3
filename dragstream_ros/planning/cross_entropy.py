"""The cross-entropy method: draw candidates, keep the best few, draw the next ones around them.

Rubinstein, The Cross-Entropy Method for Combinatorial and Continuous Optimization, 1999; here with
independent normal distributions, drawn evenly: with a dozen candidates, clumps and holes matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DRAWN_FOR_ONE = 32  # of which one at least is hopefully worth a try


@dataclass(frozen=True, kw_only=True)
class CrossEntropyConfig:
    """How hard to look.

    candidates: all of them, over all rounds. first_share: of them, those of the first round, which
    has to find the place; the others share the rest. elite_share: of a round's candidates, those
    that the next is drawn around. least_std: below it nothing is gained by looking closer.
    """

    candidates: int = 16
    rounds: int = 3
    first_share: float = 0.6
    elite_share: float = 0.3
    least_std: float = 1.0

    def sizes(self) -> list[int]:
        """How many candidates each round has."""
        if self.rounds == 1:
            return [self.candidates]
        first = round(self.first_share * self.candidates)
        rest = np.array_split(np.arange(self.candidates - first), self.rounds - 1)
        return [first, *(len(part) for part in rest if len(part))]


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
    may_be: Callable[[np.ndarray], np.ndarray] = lambda drawn: np.ones(len(drawn), bool),
) -> Search:
    """Look for the lowest cost, starting around mean (d,) with a spread of std (d,).

    cost: of candidates (n, d), a round at a time, (n,). The first candidate is the mean itself.
    may_be: which of (n, d) are worth a try, (n,) bool; the others only where there are no more.
    """
    sizes = config.sizes()
    tried, costs = np.zeros((0, len(mean))), np.zeros(0)
    for index, size in enumerate(sizes):
        drawn = mean + std * evenly_normal(DRAWN_FOR_ONE * size, len(mean), rng)
        drawn = drawn[np.argsort(~may_be(drawn), kind='stable')[:size]]
        if index == 0:
            drawn[0] = mean
        tried, costs = np.concatenate([tried, drawn]), np.concatenate([costs, cost(drawn)])
        # The elite is of this round, or the spread would shrink around an early lucky one. The
        # middle goes on from the best of all: a round of few may miss what an earlier one had.
        count = max(2, round(config.elite_share * size))
        elite = tried[-size:][np.argsort(costs[-size:])[:count]]
        mean = tried[costs.argmin()]
        std = np.maximum(np.sqrt(((elite - mean) ** 2).mean(0)), config.least_std)
    return Search(tried=tried, costs=costs, rounds=np.repeat(np.arange(len(sizes)), sizes))


def evenly_normal(count: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """(count, dimensions) of a standard normal distribution, evenly spread over it.

    An additive recurrence with powers of the generalised golden ratio (Roberts, 2018), which keeps
    its points apart, from a random start.
    """
    ratio = 2.0
    for _ in range(32):  # the root of x ** (d + 1) = x + 1
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1.0)
    places = (rng.uniform(size=dimensions) + np.arange(count)[:, None] * steps) % 1.0
    quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])
    return np.asarray(quantile(np.clip(places, 1e-3, 1.0 - 1e-3)))
