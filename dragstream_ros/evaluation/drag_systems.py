"""The ways to predict a dragged second that are compared: ours, the published ones, and less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dragstream_ros.core.distribution_rectification import DistributionRectificationConfig
from dragstream_ros.core.drag_guidance import PROFILES, DragGuidanceConfig
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig
from dragstream_ros.core.rollout import Control
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.paste_along import paste_along
from dragstream_ros.evaluation.predict import predict_edit, predict_frames

# From a world model, a case and the seed of the noise to what the case calls its future.
System = Callable[[WorldModel, DragCase, int], np.ndarray]

FAST = PROFILES['fast']
NO_RECTIFICATION = DistributionRectificationConfig(in_loop='off', after_loop=False, x0=False)
EVERYWHERE = 1e3    # in box sides: so wide a Gaussian is 1 all over the picture


def predicted(control: Control | None, guidance: DragGuidanceConfig = FAST, *,
               with_mask: bool = False) -> System:
    """Predict by the stream; control None: undragged. with_mask: the thing's true one is told."""
    def system(world_model: WorldModel, case: DragCase, seed: int) -> np.ndarray:
        command = case.command(with_mask=with_mask) if control else None
        how: dict[str, Any] = {
            'control': control or 'conditioned', 'guidance': guidance, 'seed': seed}
        if case.is_edit:
            return predict_edit(world_model, case.past, case.stamps_ns(), command, **how)
        return predict_frames(
            world_model, case.past, case.stamps_ns(), len(case.future), command, **how)

    return system


def _pasted(world_model: WorldModel, case: DragCase, seed: int) -> np.ndarray:
    return paste_along(case.past[-1], case.command(), len(case.future))


SYSTEMS: dict[str, System] = {
    'undragged': predicted(None),
    'conditioned': predicted('conditioned'),
    'guidance': predicted('guidance'),
    'refined': predicted('refined'),
    'guidance_with_mask': predicted('guidance', with_mask=True),
    'guidance_paper': predicted('guidance', PROFILES['paper']),
    'guidance_code': predicted('guidance', PROFILES['code']),
    # The guidance with one of its parts taken away.
    'no_rectification': predicted(
        'guidance', replace(FAST, rectification=NO_RECTIFICATION)),
    'no_frequency_selection': predicted(
        'guidance', replace(FAST, frequency=FrequencySelectionConfig(cutoffs=(None,)))),
    'no_spatial_selection': predicted('guidance', replace(FAST, sigma_ratio=EVERYWHERE)),
    'no_features': predicted('guidance', replace(FAST, feature_weight=0.0)),
    'no_held_start': predicted('guidance', replace(FAST, start_from_held=False)),
    'no_iterations': predicted('guidance', replace(FAST, iterations_per_segment=0)),
    # With the one part of the method that `fast` goes without.
    'with_segments': predicted('guidance', replace(FAST, max_segments=8)),
    # No world model at all: what a picture editor would do.
    'paste': _pasted,
}
DEFAULT_SYSTEMS = ('undragged', 'paste', 'conditioned', 'guidance')
