"""What counts as a drag that moved what it should, on pictures with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from drag_case_maker import START, make_case, scene, table

from dragstream_ros.evaluation.drag_score import DragScore, DragScorer

WAY = np.array([20.0, 5.0])
END = START + WAY


@pytest.fixture(scope='module')
def scorer() -> DragScorer:
    return DragScorer(make_case(tuple(WAY)))


def score(scorer: DragScorer, picture: np.ndarray) -> DragScore:
    return scorer.score(np.repeat(picture[None], 10, axis=0))


def test_what_really_happened_is_a_success(scorer):
    found = scorer.score(make_case(tuple(WAY)).future)
    assert found.succeeded
    assert found.error_px < 0.2 and found.left_share < 0.02
    assert found.moved_share == pytest.approx(1, abs=0.02)
    assert found.area_ratio == pytest.approx(1, abs=0.01)
    assert found.psnr_db > 60


def test_the_last_frame_held_is_a_failure_that_has_not_moved(scorer):
    found = score(scorer, scene(START))
    assert not found.arrived and not found.left_source and found.kept_area
    assert found.error_px == pytest.approx(np.linalg.norm(WAY), abs=0.3)
    assert found.moved_share == pytest.approx(0, abs=0.02)
    assert found.left_share > 0.8


@pytest.mark.parametrize('offset', [(1.5, 0.0), (-0.4, 0.7), (-6.0, 3.0), (3.0, -8.0)])
def test_the_end_point_error_is_the_distance_in_pixels(scorer, offset):
    found = score(scorer, scene(END + offset))
    assert found.error_px == pytest.approx(np.linalg.norm(offset), abs=0.3)
    along = 1 + np.dot(offset, WAY) / np.dot(WAY, WAY)
    assert found.moved_share == pytest.approx(along, abs=0.03)


def test_a_quarter_of_the_length_is_allowed(scorer):
    tolerance = np.linalg.norm(WAY) / 4
    back = -WAY / np.linalg.norm(WAY)
    assert score(scorer, scene(END + back * (tolerance - 0.5))).arrived
    assert not score(scorer, scene(END + back * (tolerance + 0.5))).arrived


def test_a_short_drag_is_allowed_two_pixels():
    scorer = DragScorer(make_case((6.0, 0.0)))
    assert score(scorer, scene(START + (7.6, 0.0))).arrived
    assert not score(scorer, scene(START + (8.5, 0.0))).arrived


@pytest.mark.parametrize(('opacity', 'left'), [(0.1, True), (1 / 3, False), (0.6, False)])
def test_a_ghost_at_the_source_is_a_failure_unless_it_is_very_faint(scorer, opacity, left):
    ghost = scene(START, opacity=opacity)
    found = score(scorer, scene(END, behind=ghost))
    assert found.arrived and found.kept_area and found.left_source == left


def test_a_thing_that_fades_away_is_a_failure(scorer):
    shares = [score(scorer, scene(END, opacity=opacity)).area_ratio for opacity in (1, 0.8, 0.5, 0)]
    assert shares == sorted(shares, reverse=True)
    assert not score(scorer, scene(END, opacity=0.5)).kept_area
    assert shares[-1] < 0.05


def test_a_thing_that_grows_or_shrinks_is_a_failure(scorer):
    assert not score(scorer, scene(END, side=18)).kept_area
    assert not score(scorer, scene(END, side=10)).kept_area
    assert score(scorer, scene(END, side=15)).succeeded


def test_an_empty_table_is_a_failure_that_left_the_source(scorer):
    found = score(scorer, table())
    assert found.left_source and not found.kept_area and not found.succeeded


def test_the_locator_is_checked_against_true_frames_on_the_way(scorer):
    assert scorer.locator_error_px() < 0.3
