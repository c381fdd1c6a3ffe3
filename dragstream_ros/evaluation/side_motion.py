"""Does a drag disturb what nobody dragged? How far still objects are displaced in a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.colours import ALIKE, DIFFERENT, core, grown, to_lab
from dragstream_ros.evaluation.drag_case import STILL_PX
from dragstream_ros.evaluation.drag_cases import DragCaseConfig, make_drag_cases
from dragstream_ros.evaluation.drag_systems import SYSTEMS
from dragstream_ros.evaluation.metrics import median_with_interval
from dragstream_ros.evaluation.paint_over import paint_over
from dragstream_ros.evaluation.thing_locator import vertex

SEARCH_PX = 8
OUTLINE_PX = 2          # around an object: one of a single colour shows its place by its outline


@dataclass(frozen=True, kw_only=True)
class SideMotionConfig:
    """Which drags, predicted by which of the drag benchmark's systems.

    least_area_px: of a still object, to be seen at both ends of the drag.
    """

    systems: tuple[str, ...] = ('undragged', 'conditioned', 'guidance')
    seed: int = 0
    cases: DragCaseConfig = field(default_factory=lambda: DragCaseConfig(n_per_kind=6))
    least_area_px: int = 60


@dataclass(frozen=True, kw_only=True)
class Displaced:
    """A still object in a picture: how far from its place it is, and whether it is there at all."""

    shift_px: float
    is_lost: bool


def run_side_motion(world_model: WorldModel, config: SideMotionConfig) -> dict[str, Any]:
    """Predict the drags and look for the still objects at their end; plain data for JSON.

    Two yardsticks: 'truth' must show no motion, and 'painted_over' no object.
    """
    found: dict[str, list[Displaced]] = {}
    for case in make_drag_cases(config.cases):
        still = [mask for mask in case.still_objects if mask.sum() >= config.least_area_px]
        if not still:
            continue
        pictures = {
            'truth': case.future[-1],
            'painted_over': paint_over(case.past[-1], np.any(still, axis=0)),
            'reconstruction': world_model.decode(world_model.encode(case.past[-1:]))[0]}
        for name in config.systems:
            pictures[name] = SYSTEMS[name](world_model, case, config.seed)[-1]
        for name, picture in pictures.items():
            found.setdefault(name, []).extend(
                find_displaced(picture, case.past[-1], mask, case.start_table & case.end_table)
                for mask in still)
    return {name: summarise_displaced(objects) for name, objects in found.items()}


def find_displaced(
        picture: np.ndarray, start: np.ndarray, mask: np.ndarray,
        table: np.ndarray) -> Displaced:
    """Slide a still object over a picture (H, W, 3) uint8 RGB to where it fits best.

    start: (H, W, 3), the true picture, with the object at mask (H, W) bool; table: (H, W) bool,
    where nothing may be in the way.
    """
    rows, columns = np.nonzero(mask | (grown(mask, OUTLINE_PX) & table))
    colours = to_lab(start)[rows, columns]
    seen = np.pad(to_lab(picture), ((SEARCH_PX,) * 2, (SEARCH_PX,) * 2, (0, 0)), mode='edge')
    steps = np.arange(2 * SEARCH_PX + 1)
    shown = seen[steps[:, None, None] + rows, steps[:, None] + columns]
    wrong = ((shown - colours) ** 2).sum(-1)
    costs = np.minimum(wrong, DIFFERENT ** 2).mean(-1)
    i, j = np.unravel_index(costs.argmin(), costs.shape)
    inner = core(mask)[rows, columns]
    return Displaced(
        shift_px=float(np.hypot(
            steps[j] - SEARCH_PX + vertex(costs[i, max(j - 1, 0):j + 2]),
            steps[i] - SEARCH_PX + vertex(costs[max(i - 1, 0):i + 2, j]))),
        is_lost=bool((wrong[i, j, inner] < ALIKE ** 2).mean() < 0.5))


def summarise_displaced(objects: Sequence[Displaced]) -> dict[str, Any]:
    """How far those are displaced that are still there, and which share is not."""
    there = [displaced.shift_px for displaced in objects if not displaced.is_lost]
    return {
        'n': len(objects),
        'lost_share': 1 - len(there) / len(objects),
        'median_px': asdict(median_with_interval(there)) if there else None,
        'p95_px': float(np.percentile(there, 95)) if there else None,
        'displaced_share': (
            sum(shift_px >= STILL_PX for shift_px in there) / len(there) if there else None)}
