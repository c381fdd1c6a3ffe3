"""Planning with predictions on held-out scenes: are things brought where a goal image has them?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.metrics import median_with_interval, share_with_interval
from dragstream_ros.evaluation.plan_cases import PlanCase, PlanCaseConfig, make_plan_cases
from dragstream_ros.evaluation.plan_load import PlanLoadConfig, run_plan_load
from dragstream_ros.evaluation.plan_memory import measure_branches
from dragstream_ros.evaluation.plan_systems import SYSTEMS, random_of
from dragstream_ros.planning.lanes import lanes_for

REACHED_PX = 4.0
RANDOM_FROM = 'conditioned_'  # whose first candidates 'random' chooses from

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PlanBenchmarkConfig:
    """What is measured; the seed is that of candidates and of the stream's noise.

    branches: how many are held at once, to weigh them.
    """

    systems: tuple[str, ...] = tuple(SYSTEMS)
    seed: int = 0
    cases: PlanCaseConfig = field(default_factory=PlanCaseConfig)
    load: PlanLoadConfig = field(default_factory=PlanLoadConfig)
    branches: int = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanResult:
    """One scene by system: distance at the end, seconds to decide, and what can be looked at.

    start, goal: (H, W, 3) uint8 RGB; ended: the picture after the drag; foreseen: what the best
    candidate was predicted to end in.
    """

    name: str
    kind: str
    way_px: float
    distance_px: dict[str, float]
    secs: dict[str, float]
    start: np.ndarray | None = None
    goal: np.ndarray | None = None
    ended: dict[str, np.ndarray] = field(default_factory=dict)
    foreseen: dict[str, np.ndarray] = field(default_factory=dict)


def run_plan_benchmark(
    world_model: WorldModel, config: PlanBenchmarkConfig,
    watch: Callable[[PlanResult], None] = lambda result: None,
) -> dict[str, Any]:
    """Decide and carry out in every scene; ``watch`` sees each result as it comes.

    Returns plain data for JSON. Raises NoGraphics where nothing can be rendered.
    """
    results = []
    for case in make_plan_cases(config.cases):
        result = _run_case(world_model, case, config)
        watch(result)
        results.append(PlanResult(**{
            name: getattr(result, name)
            for name in ('name', 'kind', 'way_px', 'distance_px', 'secs')}))
    return {
        **summarise(results), 'branches': measure_branches(world_model, n_branches=config.branches),
        'load': run_plan_load(world_model, config.load)}


def summarise(results: Sequence[PlanResult]) -> dict[str, Any]:
    """Plain data: every scene, and each system over grippers, objects and all."""
    groups = {
        'all': results,
        'grippers': [result for result in results if result.kind == 'gripper'],
        'objects': [result for result in results if result.kind == 'object']}
    return {
        'summary': {
            group: {name: _summarise_system(members, name) for name in members[0].distance_px}
            for group, members in groups.items() if members},
        'scenes': [
            {'name': result.name, 'way_px': result.way_px, 'distance_px': result.distance_px,
             'secs': result.secs} for result in results]}


def _run_case(
    world_model: WorldModel, case: PlanCase, config: PlanBenchmarkConfig
) -> PlanResult:
    lanes, rng = lanes_for(world_model), np.random.default_rng([config.seed, case.seed])
    result = PlanResult(
        name=case.name, kind=case.kind, way_px=case.way_px, distance_px={}, secs={},
        start=case.past[-1], goal=case.goal_image)
    for name in config.systems:
        begun = time.perf_counter()
        decision = SYSTEMS[name](world_model, lanes, case, config.seed)
        result.secs[name] = time.perf_counter() - begun
        chosen = {name: decision.command}
        if decision.plan is not None:
            result.foreseen[name] = decision.plan.best.future.frames[-1]
            if name.startswith(RANDOM_FROM):
                chosen[f'random_{len(decision.plan.tried)}'] = random_of(decision.plan, rng)
        for label, command in chosen.items():
            result.ended[label], end_px = case.carry_out(command)
            result.distance_px[label] = float(np.linalg.norm(end_px - case.goal_px))
    result.ended['nothing'] = case.past[-1]
    result.distance_px['nothing'] = case.way_px
    _log.info('%s: %s', case.name, {k: round(v, 1) for k, v in result.distance_px.items()})
    return result


def _summarise_system(results: Sequence[PlanResult], name: str) -> dict[str, Any]:
    distances = [result.distance_px[name] for result in results]
    reached = sum(distance <= REACHED_PX for distance in distances)
    secs = [result.secs[name] for result in results if name in result.secs]
    summary: dict[str, Any] = {
        'n': len(distances),
        'success': asdict(share_with_interval(reached, len(distances))),
        'distance_px': asdict(median_with_interval(distances)),
        'median_secs': float(np.median(secs)) if secs else None}
    if 'straight' in results[0].distance_px:
        summary['more_than_straight_px'] = asdict(median_with_interval(
            [result.distance_px[name] - result.distance_px['straight'] for result in results]))
    return summary
