"""The planning benchmark: its scenes, what is compared and summed up; and `dragstream plan`."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dragstream_ros.evaluation import plan_command
from dragstream_ros.evaluation.bench_table import TABLES
from dragstream_ros.evaluation.picture_files import read_picture, write_picture
from dragstream_ros.evaluation.plan_benchmark import (
    PlanBenchmarkConfig,
    PlanResult,
    run_plan_benchmark,
    summarise,
)
from dragstream_ros.evaluation.plan_cases import PlanCase, PlanCaseConfig, make_plan_cases
from dragstream_ros.evaluation.plan_pictures import PlanPictures
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

TINY = PlanBenchmarkConfig(
    passes=(('straight',), ('simulator_16',)), cases=PlanCaseConfig(scenes=1))
PICTURE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(scope='module')
def model() -> TabletopWorldModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return TabletopWorldModel().eval().requires_grad_(False)


@pytest.fixture
def cases() -> Iterator[PlanCase]:
    try:
        yield (case for case in make_plan_cases(PlanCaseConfig(scenes=4)))
    except NoGraphics as reason:
        pytest.skip(str(reason))


def test_a_goal_can_be_reached_by_a_drag_and_trying_leaves_no_trace(cases):
    kinds, off_px, off_levels = [], [], []
    for case in cases:
        kinds.append(case.kind)
        picture, end_px = case.carry_out(case.drag_to(case.goal_px))
        assert case.past.shape == (10, 128, 128, 3) and 10 <= case.way_px
        off_px.append(np.linalg.norm(end_px - case.goal_px))
        off_levels.append(np.abs(picture.astype(int) - case.goal_image).mean())
        still, stays_px = case.carry_out(case.drag_to(case.grab_px))
        assert np.linalg.norm(stays_px - case.grab_px) < 0.5
        assert np.abs(still.astype(int) - case.past[-1]).mean() < 1.0
    assert kinds == ['gripper', 'object'] * 2
    # One is pushed aside by a hand on its straight way.
    assert sorted(off_px)[2] < 1.0 and sorted(off_levels)[2] < 1.0


def result(number: int, **distance_px: float) -> PlanResult:
    return PlanResult(name=f's{number}', kind='gripper', start=PICTURE, goal=PICTURE,
                      distance_px=distance_px, cpu_secs={'a_16': 2.0})


def test_the_summary_says_who_reached_the_goal_and_how_much_further_off_than_others():
    results = [
        result(i, a_16=1.0 + i, simulator_16=1.0, random_16=9.0, nothing=20.0) for i in range(7)]
    found = summarise([*results, result(7, nothing=20.0)])['summary']
    assert set(found['objects']) == set() and found['grippers'] == found['all']
    assert found['all']['a_16']['success']['value'] == pytest.approx(4 / 7)
    assert found['all']['nothing']['success']['value'] == 0.0
    assert (found['all']['a_16']['n'], found['all']['nothing']['n']) == (7, 8)
    further = found['all']['a_16']['further_than_px']
    assert (further['simulator']['value'], further['random']['value']) == (3.0, -5.0)
    assert found['all']['a_16']['median_cpu_secs'] == 2.0


def test_the_benchmark_gives_data_for_json_a_table_and_a_picture(model, tmp_path):
    try:
        result = run_plan_benchmark(model, TINY, PlanPictures(tmp_path / 'plan.jpg', io.StringIO()))
    except NoGraphics as reason:
        pytest.skip(str(reason))
    json.dumps(result)
    found = result['summary']['all']
    assert set(found) == {'straight', 'simulator_16', 'nothing'}
    assert found['simulator_16']['distance_px']['value'] < found['nothing']['distance_px']['value']
    assert '| straight     |   1 |' in TABLES['plan'](result)
    assert read_picture(tmp_path / 'plan.jpg').ndim == 3


def test_the_benchmark_tells_what_is_done_when_it_is_interrupted(model):
    def had_enough(result: PlanResult) -> None:
        raise KeyboardInterrupt

    try:
        found = run_plan_benchmark(model, TINY, had_enough)['summary']['all']
    except NoGraphics as reason:
        pytest.skip(str(reason))
    assert set(found) == {'straight', 'nothing'}


def plan(model: TabletopWorldModel, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(plan_command, 'load_world_model', lambda folder: model)
    parser = argparse.ArgumentParser()
    plan_command.add_arguments(parser)
    return plan_command.main(parser.parse_args(list(words)))


def test_a_drag_is_planned_from_a_picture_to_its_goal(model, monkeypatch, tmp_path: Path, capsys):
    for name, x in (('now', 100), ('goal', 160)):
        picture = np.full((192, 256, 3), 120, np.uint8)
        cv2.circle(picture, (x, 90), 16, (220, 40, 30), cv2.FILLED)
        write_picture(tmp_path / f'{name}.png', picture)
    status = plan(
        model, monkeypatch, str(tmp_path / 'now.png'), '--goal', str(tmp_path / 'goal.png'),
        '--candidates', '4', '--output', str(tmp_path / 'out'))
    assert status == 0 and 'the best of 4 futures' in capsys.readouterr().out
    found = json.loads((tmp_path / 'out' / 'plan.json').read_text())
    assert np.array(found['path_px']).shape == (11, 2) and found['tried'] == 4
    assert (tmp_path / 'out' / 'best.mp4').stat().st_size > 0


def test_a_plan_without_a_goal_is_refused_in_a_sentence(model, monkeypatch, capsys):
    assert plan(model, monkeypatch, 'now.png') == 2
    assert '--goal' in capsys.readouterr().err


def test_a_goal_that_is_there_already_is_refused_in_a_sentence(
        model, monkeypatch, tmp_path: Path, capsys):
    write_picture(tmp_path / 'now.png', np.full((192, 256, 3), 120, np.uint8))
    now = str(tmp_path / 'now.png')
    assert plan(model, monkeypatch, now, '--goal', now) == 1
    assert '--grab' in capsys.readouterr().err


def test_one_candidate_is_no_search(model, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        plan(model, monkeypatch, '--candidates', '1')
    assert 'at least 2 candidates' in capsys.readouterr().err
