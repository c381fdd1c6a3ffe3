"""How far should guidance step, and how often? Every profile on the same grid of both.

On drags that are not among the published ones, since a profile's rate is chosen by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from dragstream_ros.core.drag_guidance import PROFILES
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.drag_cases import DragCaseConfig, make_drag_cases
from dragstream_ros.evaluation.drag_score import DragScore, DragScorer
from dragstream_ros.evaluation.drag_systems import SYSTEMS, System, predicted
from dragstream_ros.evaluation.metrics import median_with_interval

TUNED_ON = DragCaseConfig(n_per_kind=2, n_acted=1, first_seed=2_000_000)


@dataclass(frozen=True, kw_only=True)
class RateGridConfig:
    """What is tried: a rate is how far, in the latent's units, an iteration moves its elements.

    That is so for each element with the update 'sign', and for their root mean square with
    'normalised'. iterations: per segment. seed: of the stream's noise.
    """

    profiles: tuple[str, ...] = ('fast', 'code', 'paper')
    rates: tuple[float, ...] = (0.02, 0.1, 0.5)
    iterations: tuple[int, ...] = (2, 6)
    seed: int = 0
    cases: DragCaseConfig = TUNED_ON


@dataclass
class _Tried:
    """One setting: its scores, drag by drag, and what each took."""

    profile: str
    rate: float | None
    iterations: int
    system: System
    scores: list[DragScore] = field(default_factory=list)
    secs: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        known = [score.objmc_px for score in self.scores if np.isfinite(score.objmc_px)]
        return {
            'profile': self.profile, 'rate': self.rate, 'iterations': self.iterations,
            'success': sum(score.succeeded for score in self.scores) / len(self.scores),
            'error_px': float(np.median([score.error_px for score in self.scores])),
            'moved': float(np.median([score.moved_share for score in self.scores])),
            'moving_psnr_db': float(np.median([score.moving_psnr_db for score in self.scores])),
            'objmc_px': asdict(median_with_interval(known)) if known else None,
            'lost': sum(score.is_lost for score in self.scores) / len(self.scores),
            'secs': float(np.median(self.secs))}


def run_rate_grid(world_model: WorldModel, config: RateGridConfig,
                  watch: Callable[[DragCase], None] = lambda case: None) -> dict[str, Any]:
    """Predict every drag with every setting; plain data for JSON.

    The first row is undragged. Raises NoGraphics where nothing can be rendered.
    """
    tried = [_Tried('undragged', None, 0, SYSTEMS['undragged'])]
    for profile in config.profiles:
        for rate in config.rates:
            for iterations in config.iterations:
                guidance = replace(
                    PROFILES[profile], rate=rate, iterations_per_segment=iterations)
                tried.append(_Tried(profile, rate, iterations, predicted('guidance', guidance)))
    n_drags = 0
    for case in make_drag_cases(config.cases):
        n_drags += 1
        scorer = DragScorer(case)
        for one in tried:
            begun = time.perf_counter()
            frames = one.system(world_model, case, config.seed)
            one.secs.append(time.perf_counter() - begun)
            one.scores.append(scorer.score(frames))
        watch(case)
    rows = [one.summary() for one in tried]
    return {'drags': n_drags, 'rows': rows, 'best': best_rows(rows[1:])}


def best_rows(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The setting of each profile that brings things nearest to where they should be."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = best.get(row['profile'])
        if known is None or row['error_px'] < known['error_px']:
            best[row['profile']] = row
    return best
