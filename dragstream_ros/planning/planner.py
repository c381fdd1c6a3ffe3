"""Ask for futures, get the best one: candidates from ideas, predicted, scored, refined."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.planning.candidates import Idea, drags
from dragstream_ros.planning.cross_entropy import CrossEntropyConfig, refine
from dragstream_ros.planning.future import Future
from dragstream_ros.planning.goal_distance import PlanningGoal
from dragstream_ros.planning.score import Score, score_future

# From candidates, all given on the newest frame, to the future of each.
Futures = Callable[[Sequence[DragCommand]], Sequence[Future]]


@dataclass(frozen=True, kw_only=True)
class PlannerConfig:
    """duration_secs: of the drags. seed: of what is drawn."""

    search: CrossEntropyConfig = CrossEntropyConfig()
    duration_secs: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """A candidate and what came of it; round: 0 for those drawn before anything was known."""

    command: DragCommand
    future: Future
    score: Score
    round: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The best candidate, and all that were tried, in that order."""

    best: Tried
    tried: Sequence[Tried]
    secs: float


class Planner:
    """Finds the drag whose future is nearest to a goal.

    futures: how to predict, such as stream_futures.StreamFutures; the simulator works as well.
    image_size: (width, height) of the pictures, whose pixels all points are in.
    """

    def __init__(
        self, futures: Futures, *, image_size: tuple[int, int],
        config: PlannerConfig = PlannerConfig(),
    ) -> None:
        self._futures = futures
        self._image_size = image_size
        self._config = config

    def plan(self, ideas: Sequence[Idea], goal: PlanningGoal) -> Plan:
        """Try each idea once, if there are several, and refine the best of them.

        With a goal image, a thing is brought where that differs from what is now.
        """
        started, tried = time.perf_counter(), []
        search = self._config.search
        idea = ideas[0]
        if len(ideas) > 1:
            ideas = ideas[:max(1, search.candidates // 2)]
            for each in ideas:
                tried += self._try(each, each.target_px[None], goal, round_index=0)
            idea = ideas[int(np.argmin([item.score.cost for item in tried]))]
            search = replace(search, candidates=search.candidates - len(ideas))

        rounds = iter(range(search.rounds))

        def cost(targets_px: np.ndarray) -> np.ndarray:
            found = self._try(idea, targets_px, goal, round_index=next(rounds))
            tried.extend(found)
            return np.array([item.score.cost for item in found])

        refine(cost, idea.target_px, np.full(2, idea.spread_px), search,
               np.random.default_rng(self._config.seed), may_be=goal.differs_at)
        best = min(tried, key=lambda item: item.score.cost)
        return Plan(best=best, tried=tried, secs=time.perf_counter() - started)

    def _try(
        self, idea: Idea, targets_px: np.ndarray, goal: PlanningGoal, *, round_index: int
    ) -> list[Tried]:
        commands = drags(idea, targets_px, image_size=self._image_size,
                         duration_secs=self._config.duration_secs)
        return [
            Tried(command=command, future=future, score=score_future(future, goal),
                  round=round_index)
            for command, future in zip(commands, self._futures(commands), strict=True)]
