"""Held-out simulated drags: does what is dragged go where it should, and what does guidance add?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.drag_cases import CLASSES, DragCaseConfig, make_drag_cases
from dragstream_ros.evaluation.drag_drift import DriftConfig, run_drift
from dragstream_ros.evaluation.drag_score import DragScore, DragScorer
from dragstream_ros.evaluation.drag_systems import DEFAULT_SYSTEMS, SYSTEMS
from dragstream_ros.evaluation.metrics import (
    mean_with_interval,
    median_with_interval,
    share_with_interval,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DragBenchmarkConfig:
    """What is measured; the seed is that of the stream's noise."""

    systems: tuple[str, ...] = DEFAULT_SYSTEMS
    seed: int = 0
    cases: DragCaseConfig = field(default_factory=lambda: DragCaseConfig(n_acted=25))
    drift: DriftConfig = field(default_factory=DriftConfig)


@dataclass(frozen=True, kw_only=True, eq=False)
class DragResult:
    """One drag: its scores by system, the pictures that were scored, and what they took.

    Beside the systems there are three yardsticks: 'truth', what really happened, which the measure
    must call a success; 'copy_last', the last frame held, which it must not; 'reconstruction', the
    truth through the model's autoencoder, the best that the model can show.
    """

    case: DragCase
    scores: dict[str, DragScore]
    frames: dict[str, np.ndarray]
    secs: dict[str, float]
    locator_error_px: float


# What systems are held against guidance by, drag by drag.
COMPARED = ('succeeded', 'error_px', 'objmc_px', 'moving_psnr_db', 'background_psnr_db')
YARDSTICKS = ('truth', 'reconstruction', 'copy_last')


def run_drag_benchmark(
        world_model: WorldModel, config: DragBenchmarkConfig,
        watch: Callable[[DragResult], None] = lambda result: None) -> dict[str, Any]:
    """Predict and score every drag; ``watch`` sees each result as it comes.

    Returns plain data for JSON. Raises NoGraphics where nothing can be rendered.
    """
    unknown = set(config.systems) - SYSTEMS.keys()
    assert not unknown, f'unknown systems {unknown}'
    results = []
    for case in make_drag_cases(config.cases):
        result = _run_case(world_model, case, config)
        watch(result)
        results.append(_without_pictures(result))
    return {**summarise(results), 'drift': run_drift(world_model, config.drift)}


def summarise(results: Sequence[DragResult]) -> dict[str, Any]:
    """Plain data: every drag, and each system over all, over each class, and over translations by
    what was dragged."""
    groups = {'all': list(results)}
    groups |= {name: [result for result in results if result.case.drag_class == name]
               for name in CLASSES}
    groups |= {f'translate {kind}s': [result for result in groups['translate']
                                      if result.case.kind == kind]
               for kind in ('gripper', 'object')}
    summary: dict[str, Any] = {
        group: {
            'systems': {
                name: {**_summarise_system([result.scores[name] for result in members]),
                       'median_secs': _median_secs(members, name)}
                for name in members[0].scores},
            'gain_over_undragged': _gains(members),
            'minus_guidance': _minus_guidance(members),
            'locator_error_px': _locator_error(members)}
        for group, members in groups.items() if members}
    return {'summary': summary, 'drags': [_drag_as_data(result) for result in results]}


def _run_case(
        world_model: WorldModel, case: DragCase, config: DragBenchmarkConfig) -> DragResult:
    scorer = DragScorer(case)
    frames = {
        'truth': case.future,
        'reconstruction': world_model.decode(world_model.encode(case.future)),
        'copy_last': np.repeat(case.past[-1:], len(case.future), axis=0)}
    secs = {}
    for name in config.systems:
        begun = time.perf_counter()
        frames[name] = SYSTEMS[name](world_model, case, config.seed)
        secs[name] = time.perf_counter() - begun
    scores = {name: scorer.score(pictures) for name, pictures in frames.items()}
    _log.info('%s: %s', case.name, {name: score.succeeded for name, score in scores.items()})
    return DragResult(
        case=case, scores=scores, frames=frames, secs=secs,
        locator_error_px=scorer.locator_error_px())


def _summarise_system(scores: Sequence[DragScore]) -> dict[str, Any]:
    def median(values: Iterable[float]) -> float | None:
        known = [value for value in values if np.isfinite(value)]
        return float(np.median(known)) if known else None

    return {
        'n': len(scores),
        'success': asdict(share_with_interval(sum(s.succeeded for s in scores), len(scores))),
        'arrived': sum(s.arrived for s in scores) / len(scores),
        'left_source': sum(s.left_source for s in scores) / len(scores),
        'kept_area': sum(s.kept_area for s in scores) / len(scores),
        'median_error_px': median(s.error_px for s in scores),
        'median_error_share': median(s.error_px / s.length_px for s in scores),
        'median_moved_share': median(s.moved_share for s in scores),
        'median_left_share': median(s.left_share for s in scores),
        'median_area_ratio': median(s.area_ratio for s in scores),
        'median_psnr_db': median(s.psnr_db for s in scores),
        'median_moving_psnr_db': median(s.moving_psnr_db for s in scores),
        'median_background_psnr_db': median(s.background_psnr_db for s in scores),
        'median_flow_warp': median(s.flow_warp for s in scores),
        'median_objmc_px': median(s.objmc_px for s in scores),
        'lost_share': sum(s.is_lost for s in scores) / len(scores),
        'mean_dai': [float(np.mean(column)) for column in zip(*(s.dai for s in scores))]}


def _locator_error(results: Sequence[DragResult]) -> dict[str, float] | None:
    """None of edits, which have no way."""
    known = [result.locator_error_px for result in results if np.isfinite(result.locator_error_px)]
    return asdict(median_with_interval(known)) if known else None


def _median_secs(results: Sequence[DragResult], name: str) -> float | None:
    """Of a second's prediction; None for what was not predicted."""
    taken = [result.secs[name] for result in results if name in result.secs]
    return float(np.median(taken)) if taken else None


def _gains(results: Sequence[DragResult]) -> dict[str, Any]:
    """Paired, drag by drag: how much further along the drag than undragged, in lengths."""
    names = [name for name in results[0].scores if name not in (*YARDSTICKS, 'undragged')]
    if 'undragged' not in results[0].scores:
        return {}
    return {
        name: asdict(median_with_interval([
            result.scores[name].moved_share - result.scores['undragged'].moved_share
            for result in results]))
        for name in names}


def _minus_guidance(results: Sequence[DragResult]) -> dict[str, Any]:
    """Each system less guidance, drag by drag: the mean of success, medians of the rest."""
    if 'guidance' not in results[0].scores:
        return {}
    return {
        name: {measure: _difference(results, name, measure) for measure in COMPARED}
        for name in results[0].scores if name not in (*YARDSTICKS, 'guidance')}


def _difference(results: Sequence[DragResult], name: str, measure: str) -> dict[str, float] | None:
    """None where no drag has both."""
    differences = np.array([
        float(getattr(result.scores[name], measure))
        - float(getattr(result.scores['guidance'], measure)) for result in results])
    known = differences[np.isfinite(differences)]
    estimate = mean_with_interval if measure == 'succeeded' else median_with_interval
    return asdict(estimate(list(known))) if len(known) else None


def _drag_as_data(result: DragResult) -> dict[str, Any]:
    case = result.case
    return {
        'class': case.drag_class, 'seed': case.seed, 'start_index': case.start_index,
        'thing': case.thing, 'kind': case.kind, 'length_px': case.length_px,
        'path_px': case.path_px.round(2).tolist(),
        'centre_px': None if case.centre_px is None else case.centre_px.round(2).tolist(),
        'partner': None if case.partner is None else {
            'thing': case.partner.thing, 'path_px': case.partner.path_px.round(2).tolist()},
        'locator_error_px': _or_none(result.locator_error_px),
        'scores': {name: {**{key: _or_none(value) for key, value in asdict(score).items()},
                          'succeeded': score.succeeded}
                   for name, score in result.scores.items()}}


def _or_none(value: Any) -> Any:
    """JSON knows no nan."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _without_pictures(result: DragResult) -> DragResult:
    return DragResult(case=result.case, scores=result.scores, frames={}, secs=result.secs,
                      locator_error_px=result.locator_error_px)
