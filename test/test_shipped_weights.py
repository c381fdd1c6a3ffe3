"""The bundled weights are as good as they were: a few held-out scenes, with room for a machine.

`dragstream bench` measures properly; this catches weights, or a change, that broke something.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.drag_cases import DragCaseConfig, make_drag_cases
from dragstream_ros.evaluation.drag_score import DragScore, DragScorer
from dragstream_ros.evaluation.drag_systems import SYSTEMS
from dragstream_ros.evaluation.metrics import psnr_db
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models import load_world_model
from dragstream_ros.world_models.tabletop.model import NAME, WEIGHTS

Scores = dict[str, list[DragScore]]


@pytest.fixture(scope='module')
def model() -> WorldModel:
    torch.set_num_threads(1)
    return load_world_model()


@pytest.fixture(scope='module')
def cases() -> list[DragCase]:
    """Eight drags."""
    try:
        return list(make_drag_cases(DragCaseConfig(n_per_kind=4)))
    except NoGraphics as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope='module')
def scores(model, cases) -> Scores:
    """Of these drags, by system."""
    found: Scores = {'copy_last': [], 'undragged': [], 'conditioned': [], 'guidance': []}
    for case in cases:
        scorer = DragScorer(case)
        frames = {name: SYSTEMS[name](model, case, 0) for name in found if name in SYSTEMS}
        frames['copy_last'] = np.repeat(case.past[-1:], len(case.future), axis=0)
        for name, pictures in frames.items():
            found[name].append(scorer.score(pictures))
    return found


def median(scores: list[DragScore], what: str) -> float:
    return float(np.median([getattr(score, what) for score in scores]))


def test_they_take_no_more_than_ten_megabytes():
    assert (WEIGHTS / f'{NAME}.safetensors').stat().st_size <= 10e6


def test_what_is_dragged_arrives(scores):
    for name in ('conditioned', 'guidance'):
        assert sum(score.arrived for score in scores[name]) >= 6
        assert median(scores[name], 'error_px') < 1.5
    assert sum(score.succeeded for score in scores['conditioned']) >= 4


def test_moving_pixels_are_predicted_better_than_by_holding_the_last_picture(scores):
    held = median(scores['copy_last'], 'moving_psnr_db')
    assert median(scores['undragged'], 'moving_psnr_db') > held + 2
    assert median(scores['conditioned'], 'moving_psnr_db') > held + 3


def test_what_stands_still_stays_as_it_is(scores):
    for name in ('undragged', 'conditioned', 'guidance'):
        assert median(scores[name], 'background_psnr_db') > 26


def test_the_autoencoder_shows_what_is_there(model, cases):
    shown_db = [psnr_db(model.decode(model.encode(case.future)), case.future) for case in cases]
    assert np.median(shown_db) > 29
    assert min(shown_db) > 27
