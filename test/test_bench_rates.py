"""The grid of rates and iterations: what is tried, what is best, and the plots of the drags."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import torch

from dragstream_ros.evaluation.bench_table import TABLES
from dragstream_ros.evaluation.drag_cases import FIRST_SEED, DragCaseConfig
from dragstream_ros.evaluation.drag_plots import drift_plot, rate_plot, write_plots
from dragstream_ros.evaluation.rate_grid import TUNED_ON, RateGridConfig, best_rows, run_rate_grid
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

SVG = '{http://www.w3.org/2000/svg}'


def row(profile: str, rate: float | None, iterations: int, error_px: float) -> dict:
    return {
        'profile': profile, 'rate': rate, 'iterations': iterations, 'success': 0.5,
        'error_px': error_px, 'moved': 0.5, 'moving_psnr_db': 12.0, 'lost': 0.1,
        'objmc_px': {'value': error_px / 2, 'low': 0.0, 'high': 9.0}, 'secs': 0.1 * iterations}


ROWS = [row('undragged', None, 0, 10.0), row('fast', 0.1, 2, 1.0), row('fast', 0.1, 4, 0.5),
        row('fast', 0.3, 2, 3.0), row('code', 0.1, 2, 9.0), row('code', 0.3, 2, 8.0)]
GRID = {'drags': 10, 'rows': ROWS, 'best': best_rows(ROWS[1:])}


def test_rates_are_chosen_by_drags_that_are_not_published():
    assert TUNED_ON.first_seed >= FIRST_SEED + 1_000_000


def test_the_best_setting_of_a_profile_brings_things_nearest():
    assert {name: (best['rate'], best['iterations']) for name, best in GRID['best'].items()} == {
        'fast': (0.1, 4), 'code': (0.3, 2)}


def test_the_table_marks_the_best_of_each_profile():
    lines = TABLES['rates'](GRID).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert [line.split()[1] for line in lines if '*' in line] == ['fast', 'code']


def test_every_profile_is_tried_on_the_same_grid():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TabletopWorldModel().eval().requires_grad_(False)
    config = RateGridConfig(profiles=('fast', 'code'), rates=(0.1, 0.3), iterations=(1,),
                            cases=DragCaseConfig(n_per_kind=1, first_seed=TUNED_ON.first_seed))
    try:
        found = run_rate_grid(model, config)
    except NoGraphics as reason:
        pytest.skip(str(reason))
    assert found['drags'] == 2
    assert [(one['profile'], one['rate']) for one in found['rows']] == [
        ('undragged', None), ('fast', 0.1), ('fast', 0.3), ('code', 0.1), ('code', 0.3)]
    assert all(one['secs'] > 0 and one['error_px'] >= 0 for one in found['rows'])


def test_the_plot_shows_each_profile_at_its_best_rate_from_undragged_on():
    sheet = ElementTree.fromstring(rate_plot(GRID))
    assert {'fast, rate 0.1', 'code, rate 0.3'} <= {text.text for text in sheet.iter(SVG + 'text')}
    curves = [line.get('points', '').split() for line in sheet.iter(SVG + 'polyline')]
    assert [len(points) for points in curves] == 4 * [3, 2]


def test_wear_is_plotted_for_every_system_and_what_is_not_known_is_left_out(tmp_path):
    looks = [{'chunk': 5, 'sharpness': 0.9, 'objects_kept': None, 'frechet': 0.1},
             {'chunk': 60, 'sharpness': 0.7, 'objects_kept': 0.5, 'frechet': 0.4}]
    write_plots(tmp_path, 'drags', {'drift': {'guidance': looks, 'conditioned': looks}})
    sheet = ElementTree.fromstring((tmp_path / 'drift.svg').read_text())
    curves = [line.get('points', '').split() for line in sheet.iter(SVG + 'polyline')]
    assert [len(points) for points in curves] == [2, 2, 1, 1, 2, 2]
    assert drift_plot({'drift': {'guidance': looks}}).count('<polyline') == 3
