"""``dragstream evaluate`` with a Wan model, whose latents stand for four frames each."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bag_maker import write_bag
from tiny_wan import SIZE, load_tiny_wan, write_tiny_wan

from dragstream_ros import cli
from dragstream_ros.evaluation.footage import evaluate
from dragstream_ros.evaluation.footage.case import Judge, JudgeConfig
from dragstream_ros.evaluation.footage.crew import Crew, face_of, make_judge
from dragstream_ros.evaluation.whole_latents import through_autoencoder, whole_length


class CrewHere(Crew):
    """Spares the tests the start of other processes."""

    def __init__(self, *, world_model: str, weights: str, config: JudgeConfig, **_: object) -> None:
        torch.set_num_threads(1)
        self._judge: Judge = make_judge(world_model, weights, config)

    def __exit__(self, *_: object) -> None:
        pass

    def model_face(self):
        return face_of(self._judge.world_model)

    def judged(self, tasks):
        return map(self._judge.judge, tasks)


def run(monkeypatch, *words: object) -> int:
    monkeypatch.setattr(evaluate, 'Crew', CrewHere)
    return cli.main(['evaluate', *map(str, words)])


def test_a_bag_is_judged_with_a_wan_model(tmp_path, monkeypatch) -> None:
    write_tiny_wan(tmp_path / 'model', sigmas=[1.0, 0.5], window=7)
    bag = write_bag(tmp_path / 'bag', secs=2.2)
    assert run(monkeypatch, bag, '--world-model', 'self_forcing', '--weights', tmp_path / 'model',
               '--horizon', 0.75, '--output', tmp_path / 'result') == 0
    results = json.loads((tmp_path / 'result' / 'results.json').read_text())
    systems = results['summary']['dragged_starts']['systems']
    assert {'dragged', 'undragged', 'autoencoder'} <= set(systems)
    assert all(len(systems[name]['psnr_db']['steps']) == 12 for name in systems)


def test_a_folder_that_is_none_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    bag = write_bag(tmp_path / 'bag', secs=1.0)
    status = run(monkeypatch, bag, '--world-model', 'self_forcing', '--weights', tmp_path,
                 '--output', tmp_path / 'result')
    assert status == 1
    (told,) = [line for line in capsys.readouterr().err.splitlines() if 'model.json' in line]
    assert told.startswith('dragstream evaluate: ') and told.endswith('.')


def test_pictures_of_any_number_go_through_the_autoencoder(tmp_path) -> None:
    torch.set_num_threads(1)
    model = load_tiny_wan(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 255, (9, *SIZE[::-1], 3), np.uint8)
    whole = model.decode(model.encode(pictures))
    assert np.array_equal(through_autoencoder(model, pictures), whole)
    assert [len(through_autoencoder(model, pictures[:count])) for count in (1, 2, 4, 8)] == [
        1, 2, 4, 8]


@pytest.mark.parametrize(('count', 'whole'), [(1, 1), (4, 1), (5, 5), (16, 13), (17, 17)])
def test_a_prediction_starts_from_the_newest_picture(count: int, whole: int) -> None:
    assert whole_length(count, frames_per_latent=4) == whole
    assert whole_length(count, frames_per_latent=1) == count
