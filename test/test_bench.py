"""``dragstream bench``: what it writes, what it prints, what it says when it cannot measure."""

from __future__ import annotations

import argparse
import hashlib
import json
import os

import pytest
import torch

from dragstream_ros import cli
from dragstream_ros.evaluation import bench, machine
from dragstream_ros.evaluation.bench_table import table
from dragstream_ros.evaluation.speed import SpeedConfig, run_speed
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('weights')
    TabletopWorldModel().save(folder, card={})
    return folder


@pytest.fixture
def quick_speed(monkeypatch):
    """As --quick, but quicker."""
    monkeypatch.setattr(bench, 'run_speed', lambda model, config: run_speed(
        model, SpeedConfig(predictions=1, warm_up=0, horizon_secs=0.4)))


def test_the_report_says_what_was_measured_on_what_and_how(weights, tmp_path, quick_speed, capsys):
    output = tmp_path / 'results' / 'bench.json'
    words = ['bench', 'speed', '--quick', '--weights', str(weights), '--output', str(output)]
    assert cli.main(words) == 0
    report = json.loads(output.read_text())
    assert report['machine']['cores'] == len(os.sched_getaffinity(0))
    assert report['machine']['matmul_fp32_gflops_one_thread'] > 0.1
    assert len(report['machine']['load_average']) == 3
    sha256 = hashlib.sha256((weights / 'tabletop.safetensors').read_bytes()).hexdigest()
    assert report['weights']['sha256'] == sha256
    assert report['config']['speed']['anchor_rate_hz'] == 2.0
    assert report['results'].keys() == {'speed'}
    assert set(report['results']['speed']) == {
        'undragged', 'conditioned', 'guidance', 'free-running, one thread'}
    assert sha256[:12] in (said := capsys.readouterr().out)
    assert 'undragged' in said and str(output) in said


def test_missing_weights_are_one_sentence(tmp_path, capsys):
    assert cli.main(['bench', 'speed', '--weights', str(tmp_path)]) == 1
    assert 'does not exist' in capsys.readouterr().err


def test_the_hash_tells_configurations_apart(weights):
    file = weights / 'tabletop.safetensors'
    one, same, other = (
        machine.describe_run(file, config)['config_sha256']
        for config in ({'a': 1, 'b': 2}, {'b': 2, 'a': 1}, {'a': 1, 'b': 3}))
    assert one == same != other


def test_tables_are_markdown_and_aligned():
    assert table(['name', 'n'], [['long name', '1'], ['x', '100']]) == (
        '| name      |   n |\n'
        '| --------- | --: |\n'
        '| long name |   1 |\n'
        '| x         | 100 |')


def test_all_systems_can_be_measured_on_the_first_drags_of_each_class() -> None:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    every, few = (bench._configs(parser.parse_args(arguments))['drags'].cases for arguments in (
        ['drags'], ['drags', '--per-class', '5']))
    assert (few.n_per_kind, few.n_acted) == (3, 5)
    assert few.first_seed == every.first_seed


def test_designs_can_be_chosen_by_other_scenes_than_the_published_ones() -> None:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    published, others = (bench._configs(parser.parse_args(arguments)) for arguments in (
        ['drags'], ['drags', '--first-seed', '2000000']))
    assert others['drags'].cases.first_seed == others['model'].scenes.first_seed == 2_000_000
    assert others['model'].free_run.first_seed == others['drags'].drift.first_seed == 2_000_000
    assert others['speed'] == published['speed'] and others['plan'] == published['plan']
