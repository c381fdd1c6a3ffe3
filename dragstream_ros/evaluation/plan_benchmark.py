"""Planning with predictions on held-out scenes: are things brought where a goal image has them?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.metrics import median_with_interval, share_with_interval
from dragstream_ros.evaluation.plan_cases import PlanCase, PlanCaseConfig, make_plan_cases
from dragstream_ros.evaluation.plan_systems import PASSES, SYSTEMS, random_of
from dragstream_ros.lanes import lanes_for

REACHED_PX = 4.0
YARDSTICKS = ('random', 'simulator')
RANDOM_FROM = 'conditioned_'  # whose first candidates 'random' chooses from


@dataclass(frozen=True, kw_only=True)
class PlanBenchmarkConfig:
    """What is measured; the seed is that of candidates and of the stream's noise.

    passes: through all scenes, the systems of each.
    """

    passes: tuple[tuple[str, ...], ...] = PASSES
    seed: int = 0
    cases: PlanCaseConfig = field(default_factory=PlanCaseConfig)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanResult:
    """One scene; by system: distance at the end, CPU time to decide, and what can be looked at.

    start, goal: (H, W, 3) uint8 RGB; ended: the picture after the drag; foreseen: what the best
    candidate was predicted to end in.
    """

    name: str
    kind: str
    start: np.ndarray
    goal: np.ndarray
    distance_px: dict[str, float] = field(default_factory=dict)
    cpu_secs: dict[str, float] = field(default_factory=dict)
    ended: dict[str, np.ndarray] = field(default_factory=dict)
    foreseen: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, case: PlanCase) -> PlanResult:
        """Nothing was done yet."""
        return cls(name=case.name, kind=case.kind, start=case.past[-1], goal=case.goal_image,
                   distance_px={'nothing': case.way_px})


def run_plan_benchmark(
    world_model: WorldModel, config: PlanBenchmarkConfig,
    watch: Callable[[PlanResult], None] = lambda result: None,
) -> dict[str, Any]:
    """Decide and carry out in every scene; ``watch`` sees each result whenever it has grown.

    Returns plain data for JSON; when interrupted, of what is done. Raises NoGraphics where nothing
    can be rendered.
    """
    results: dict[str, PlanResult] = {}
    try:
        for systems in config.passes:
            for case in make_plan_cases(config.cases):
                result = results.get(case.name) or PlanResult.of(case)
                _decide(world_model, case, systems, config.seed, result)
                results[case.name] = result
                watch(result)
    except KeyboardInterrupt:
        if not results:
            raise
    return summarise(list(results.values()))


def summarise(results: Sequence[PlanResult]) -> dict[str, Any]:
    """Plain data: every scene, and each system over grippers, objects and all."""
    groups = {
        'all': results,
        'grippers': [result for result in results if result.kind == 'gripper'],
        'objects': [result for result in results if result.kind == 'object']}
    names = dict.fromkeys(name for result in results for name in result.distance_px)
    return {
        'summary': {
            group: {name: found for name in names if (found := _summarise_system(members, name))}
            for group, members in groups.items()},
        'scenes': [
            {'name': result.name, 'distance_px': result.distance_px, 'cpu_secs': result.cpu_secs}
            for result in results]}


def _decide(world_model: WorldModel, case: PlanCase, systems: Sequence[str], seed: int,
            result: PlanResult) -> None:
    lanes, rng = lanes_for(world_model), np.random.default_rng([seed, case.seed])
    for name in systems:
        begun = time.process_time()
        decision = SYSTEMS[name](world_model, lanes, case, seed)
        result.cpu_secs[name] = time.process_time() - begun
        chosen = {name: decision.command}
        if decision.plan is not None:
            result.foreseen[name] = decision.plan.best.future.frames[-1]
            if name.startswith(RANDOM_FROM):
                chosen[f'random_{len(decision.plan.tried)}'] = random_of(decision.plan, rng)
        for label, command in chosen.items():
            result.ended[label], end_px = case.carry_out(command)
            result.distance_px[label] = float(np.linalg.norm(end_px - case.goal_px))


def _summarise_system(results: Sequence[PlanResult], name: str) -> dict[str, Any]:
    """Of the scenes where it was tried; beside others, of those where both were."""
    results = [result for result in results if name in result.distance_px]
    if not results:
        return {}
    distances = [result.distance_px[name] for result in results]
    reached = sum(distance <= REACHED_PX for distance in distances)
    secs = [result.cpu_secs[name] for result in results if name in result.cpu_secs]
    way, _, candidates = name.partition('_')
    return {
        'n': len(distances),
        'success': asdict(share_with_interval(reached, len(distances))),
        'distance_px': asdict(median_with_interval(distances)),
        'median_cpu_secs': float(np.median(secs)) if secs else None,
        'further_than_px': {
            other: _further(results, name, f'{other}_{candidates}')
            for other in YARDSTICKS if way != other}}


def _further(results: Sequence[PlanResult], name: str, other: str) -> dict[str, float] | None:
    further = [result.distance_px[name] - result.distance_px[other] for result in results
               if other in result.distance_px]
    return asdict(median_with_interval(further)) if further else None
