"""The drag benchmark: which drags it takes, how it predicts them and how results are summed up."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from drag_case_maker import make_case

from dragstream_ros.core.drag import validate_command
from dragstream_ros.evaluation.bench_table import TABLES
from dragstream_ros.evaluation.drag_benchmark import DragResult, summarise
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.drag_cases import (
    FIRST_SEED,
    DragCaseConfig,
    make_drag_cases,
)
from dragstream_ros.evaluation.drag_grid import DragGrid
from dragstream_ros.evaluation.drag_pictures import draw_drag
from dragstream_ros.evaluation.drag_score import DragScore
from dragstream_ros.evaluation.drag_systems import SYSTEMS
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

FEW = DragCaseConfig(n_per_kind=2)


@pytest.fixture(scope='module')
def cases() -> list[DragCase]:
    try:
        return list(make_drag_cases(FEW))
    except NoGraphics as reason:
        pytest.skip(str(reason))


def score(**values: float) -> DragScore:
    return DragScore(**{
        'length_px': 20.0, 'error_px': 1.0, 'moved_share': 1.0, 'left_share': 0.0,
        'area_ratio': 1.0, 'psnr_db': 30.0, 'moving_psnr_db': 25.0, 'background_psnr_db': 35.0,
        'flow_warp': 1.0, 'objmc_px': 1.0, 'is_lost': False, 'dai': (0.1, 0.1, 0.1), **values})


def result(kind: str, drag_class: str = 'translate', **scores: DragScore) -> DragResult:
    return DragResult(case=replace(make_case(), kind=kind, drag_class=drag_class), scores=scores,
                      frames={}, secs={}, locator_error_px=0.1)


def test_drags_are_held_out_and_of_both_kinds(cases):
    assert [case.kind for case in cases].count('gripper') == 2
    assert [case.kind for case in cases].count('object') == 2
    assert all(case.seed >= FIRST_SEED for case in cases)


def test_the_thing_moves_ten_to_forty_pixels_and_stays_visible(cases):
    for case in cases:
        assert 10 <= case.length_px <= 40
        assert case.future_masks[-1].sum() >= 0.6 * case.start_mask.sum()
        assert len(case.past) == len(case.future) == len(case.future_masks) == 10


def test_the_handle_lies_on_the_thing(cases):
    for case in cases:
        rows, columns = np.nonzero(case.start_mask)
        distance = np.hypot(columns - case.path_px[0, 0], rows - case.path_px[0, 1])
        assert distance.min() < 2


def test_still_objects_are_others_that_look_the_same_at_the_end(cases):
    masks = [(case, mask) for case in cases for mask in case.still_objects if mask.any()]
    assert masks
    for case, mask in masks:
        assert not (mask & case.start_whole).any()
        change = np.abs(case.future[-1].astype(int) - case.past[-1])[mask]
        assert np.median(change) < 4


def test_an_operator_sends_a_point_and_its_way_through_the_second(cases):
    command = cases[0].command()
    validate_command(command)
    handle, = command.handles
    assert handle.mask is None
    assert handle.times_secs == pytest.approx(np.arange(11) / 10)
    assert command.stamp_ns == cases[0].stamps_ns()[-1]
    assert cases[0].command(with_mask=True).handles[0].mask is cases[0].start_mask


def test_the_list_depends_on_the_seeds_alone(cases):
    again = next(iter(make_drag_cases(FEW)))
    assert again.name == cases[0].name
    assert np.array_equal(again.future, cases[0].future)


def test_every_system_predicts_the_second_after_the_past(cases):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TabletopWorldModel().eval().requires_grad_(False)
    for system in SYSTEMS.values():
        frames = system(model, cases[0], 0)
        assert frames.shape == cases[0].future.shape and frames.dtype == np.uint8


def test_classes_and_kinds_are_counted_apart_and_together():
    bad = score(error_px=9.0)
    found = summarise([
        result('gripper', guidance=score(), undragged=bad),
        result('gripper', guidance=bad, undragged=bad),
        result('object', guidance=score(), undragged=bad),
        result('object', 'rotate', guidance=bad, undragged=bad)])['summary']
    shares = {group: found[group]['systems']['guidance']['success']['value'] for group in found}
    assert shares == {
        'all': 0.5, 'translate': pytest.approx(2 / 3), 'rotate': 0.0,
        'translate grippers': 0.5, 'translate objects': 1.0}
    assert found['all']['systems']['undragged']['success']['value'] == 0


def test_the_gain_is_paired_drag_by_drag():
    found = summarise([
        result('object', guidance=score(moved_share=start + gain),
               undragged=score(moved_share=start))
        for start, gain in ((0.0, 0.3), (0.9, 0.4), (-0.5, 0.5))])
    gain = found['summary']['all']['gain_over_undragged']['guidance']
    assert gain['value'] == pytest.approx(0.4)
    assert gain['low'] == pytest.approx(0.3) and gain['high'] == pytest.approx(0.5)


def test_systems_are_held_against_guidance_drag_by_drag():
    whole, less = score(), score(error_px=9.0, objmc_px=3.0, background_psnr_db=34.0)
    edit = {'objmc_px': float('nan')}
    found = summarise([
        result('object', guidance=whole, no_features=less),
        result('object', guidance=whole, no_features=whole),
        result('object', 'edit', guidance=score(**edit), no_features=score(**edit)),
    ])['summary']['all']['minus_guidance']
    assert found.keys() == {'no_features'}
    assert found['no_features']['succeeded']['value'] == pytest.approx(-1 / 3)
    assert found['no_features']['error_px']['value'] == 0.0
    assert found['no_features']['objmc_px']['value'] == 1.0     # of the two that have one
    alone = summarise([result('object', conditioned=whole)])
    assert alone['summary']['all']['minus_guidance'] == {}


def test_the_table_has_a_row_for_every_class_and_for_a_stream_that_is_dragged_again():
    found = summarise([result('object', guidance=score()),
                       result('object', 'edit', guidance=score(flow_warp=float('nan')))])
    look = {'chunk': 5, 'sharpness': 0.9, 'objects_kept': None, 'frechet': 0.1}
    lines = TABLES['drags']({**found, 'drift': {'guidance': [look]}}).splitlines()
    classes = [line.split()[1] for line in lines if line.startswith(('| translate (', '| edit ('))]
    assert classes == ['translate', 'edit'] * 2
    assert any(line.startswith('| guidance, chunk 5') for line in lines)


def test_every_drag_is_published_with_what_makes_it_again():
    drag = summarise([result('object', guidance=score())])['drags'][0]
    assert {'seed', 'start_index', 'thing', 'path_px', 'scores'} <= drag.keys()
    assert drag['scores']['guidance']['succeeded'] is True


def test_the_grid_has_a_column_for_each_class_and_a_row_for_each_system(tmp_path):
    case, grid, shapes = make_case(), DragGrid(tmp_path), []
    for drag_class in ('translate', 'translate', 'rotate'):
        grid(DragResult(case=replace(case, drag_class=drag_class), scores={}, secs={},
                        frames={'truth': case.future, 'guidance': case.future},
                        locator_error_px=0.1))
        shapes.append(cv2.imread(str(tmp_path / 'grid.png')).shape)
    one, same, two = shapes
    assert one == same and two[0] == one[0] and two[1] > one[1]
    assert one[0] > 3 * case.past.shape[1]


def test_a_picture_shows_the_truth_and_every_system():
    case = make_case()
    found = DragResult(case=case, scores={'truth': score(), 'guidance': score(error_px=9.0)},
                       frames={'truth': case.future, 'guidance': case.future},
                       secs={'guidance': 0.5}, locator_error_px=0.1)
    one = DragResult(case=case, scores=found.scores, frames={'truth': case.future},
                     secs={}, locator_error_px=0.1)
    assert draw_drag(found).shape[0] > draw_drag(one).shape[0]
