"""Drags that are acted out for the benchmark: each class is what it is called, and can be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drag_case_maker import make_case

from dragstream_ros.core.drag import DragMode, Operation, validate_command
from dragstream_ros.evaluation.acted_drags import MOTIONS
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.drag_cases import FIRST_SEED, DragCaseConfig, make_drag_cases
from dragstream_ros.evaluation.drag_score import DragScorer
from dragstream_ros.evaluation.drag_systems import SYSTEMS
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel


@pytest.fixture(scope='module')
def cases() -> dict[str, DragCase]:
    try:
        return {case.drag_class: case for case in make_drag_cases(
            DragCaseConfig(n_per_kind=0, n_acted=1))}
    except NoGraphics as reason:
        pytest.skip(str(reason))


def test_there_is_a_drag_of_each_class_in_scenes_that_are_held_out(cases):
    assert list(cases) == list(MOTIONS)
    assert len({case.seed for case in cases.values()}) == len(MOTIONS)
    assert all(case.seed >= FIRST_SEED for case in cases.values())


def test_each_is_a_drag_that_an_operator_could_send(cases):
    for name, case in cases.items():
        command = case.command()
        validate_command(command)
        assert len(command.handles) == (2 if name == 'two_handles' else 1)
        assert command.mode == (DragMode.EDIT if name == 'edit' else DragMode.ANIMATE)
        assert command.handles[0].operation == (
            Operation.ROTATE if name in ('rotate', 'turn_hand') else Operation.TRANSLATE)


def test_only_what_is_dragged_moves(cases):
    for case in cases.values():
        away = ~np.any([one.start_whole | one.future_whole.any(0)
                        for one in (case, case.partner) if one is not None], axis=0)
        change = np.abs(case.future[-1].astype(int) - case.past[-1])[away]
        assert np.percentile(change, 80) < 4     # shadows move along


def test_what_turns_stays_about_its_centre(cases):
    case = cases['rotate']
    arms = np.linalg.norm(case.path_px - case.centre_px, axis=1)
    assert case.length_px >= 5.0
    assert arms.max() < 1.6 * arms.min()        # seen at a slant
    middles = [np.argwhere(mask).mean(0) for mask in (case.start_mask, case.future_masks[-1])]
    assert np.linalg.norm(middles[1] - middles[0]) < 0.6 * case.length_px


def test_a_hand_turns_and_its_forearm_stays(cases):
    case = cases['turn_hand']
    assert case.kind == 'gripper' and case.rest is None and case.centre_px is not None
    change = np.abs(case.future[-1].astype(int) - case.past[-1]).max(-1)
    arm = case.start_whole & ~case.start_mask       # but what is near to the palm
    assert arm.sum() > 20 and np.percentile(change[arm & case.future_whole[-1]], 80) < 12
    middles = [np.argwhere(mask).mean(0) for mask in (case.start_whole, case.future_whole[-1])]
    assert np.linalg.norm(middles[1] - middles[0]) < 6
    assert not case.start_whole[case.future_masks[-1]].all()


def test_a_part_that_swings_leaves_the_rest_of_its_thing_where_it_is(cases):
    case = cases['deform']
    rest = case.rest
    assert case.length_px >= 8.0 and case.centre_px is None and len(case.command().handles) == 1
    assert rest.length_px < 0.5 and rest.thing == case.thing
    assert not (case.start_mask & rest.start_mask).any()
    change = np.abs(case.future[-1].astype(int) - case.past[-1]).max(-1)
    stays = rest.start_mask & rest.future_masks[-1]
    assert np.percentile(change[stays], 80) < 12
    assert (case.start_mask & ~case.future_masks[-1]).sum() >= 12


def test_a_lid_that_takes_its_box_along_has_not_been_swung(cases):
    """All of it is shifted as far as the end of the lid goes."""
    case = cases['deform']
    way = (case.path_px[-1] - case.path_px[0]).round().astype(int)
    thing = case.start_mask | case.rest.start_mask
    shifted = np.where(thing[..., None],
                       np.median(case.past[-1], (0, 1)).astype(np.uint8), case.past[-1])
    moved = np.roll(thing, way[::-1], (0, 1))
    shifted[moved] = np.roll(case.past[-1], way[::-1], (0, 1))[moved]
    shifted = np.repeat(shifted[None], len(case.future), 0)
    assert DragScorer(replace(case, rest=None)).score(shifted).error_px < case.length_px
    assert not DragScorer(case).score(shifted).succeeded
    assert DragScorer(case).score(case.future).succeeded


def test_two_things_go_their_own_ways(cases):
    one, other = cases['two_handles'], cases['two_handles'].partner
    assert one.thing != other.thing
    assert min(one.length_px, other.length_px) >= 10
    assert one.future is not other.future and (one.future == other.future).all()


def test_an_edit_asks_for_one_frame(cases):
    assert len(cases['edit'].future) == 1 and len(cases['edit'].path_px) == 2


def test_long_is_over_forty_pixels_and_occluded_is_out_of_sight(cases):
    assert cases['long'].length_px > 40
    case = cases['through_occlusion']
    areas = case.future_masks.sum((1, 2)) / case.start_mask.sum()
    assert areas.min() < 0.5 and areas[-1] > 0.6


def test_the_measure_tells_the_truth_from_a_picture_that_is_held(cases):
    for case in cases.values():
        scorer = DragScorer(case)
        held = np.repeat(case.past[-1:], len(case.future), axis=0)
        assert scorer.score(case.future).succeeded
        assert not scorer.score(held).succeeded


def test_of_two_things_the_worse_one_counts():
    case = replace(make_case(), partner=make_case(way=(-10.0, 5.0)))
    assert not DragScorer(case).score(case.future).succeeded
    assert DragScorer(replace(case, partner=None)).score(case.future).succeeded


def test_every_system_answers_an_edit_with_a_frame(cases):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TabletopWorldModel().eval().requires_grad_(False)
    case = cases['edit']
    frames = {name: SYSTEMS[name](model, case, 0)
              for name in ('undragged', 'paste', 'conditioned', 'guidance')}
    assert all(found.shape == case.future.shape for found in frames.values())
    assert (frames['conditioned'] != frames['undragged']).any()
