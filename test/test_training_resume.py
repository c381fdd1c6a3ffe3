"""A training that is killed goes on where it was when it is started again."""
from __future__ import annotations

import csv
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.training import cli
from dragstream_ros.training.checkpoint import read_checkpoint
from dragstream_ros.training.loop import Loop

# Fits the autoencoder to noise, says every step, and keeps a checkpoint of every step.
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import torch
from dragstream_ros.training.episodes import EpisodeSet
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.train_autoencoder import AutoencoderTraining, train_autoencoder
from dragstream_ros.world_models.tabletop.autoencoder import FrameAutoencoder

class TellingLoop(Loop):
    def update(self, loss, **shown):
        super().update(loss, **shown)
        print('step', self.step, flush=True)

torch.set_num_threads(1)
frames = np.random.default_rng(0).integers(0, 255, (2, 21, 32, 32, 3), np.uint8)
episodes = EpisodeSet(frames=frames, points_px=None, visible=None, point_thing=None,
                      masks=frames[..., 0], surfaces=[])
config = AutoencoderTraining(minutes=float(sys.argv[2]) / 60, batch=2)
train_autoencoder(FrameAutoencoder(), episodes, config,
                  TellingLoop(Path(sys.argv[1]), 'autoencoder', checkpoint_secs=0))
"""


def train(folder: Path, secs: float, *, kill_after: int | None = None) -> list[int]:
    """The steps that a training took, which is killed after so many if that is given."""
    with subprocess.Popen([sys.executable, '-c', PROGRAM, folder, str(secs)], text=True,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = (line.split() for line in process.stdout)
        steps = (int(words[1]) for words in told if words[0] == 'step')
        taken = list(islice(steps, kill_after))
        if kill_after:
            process.kill()
    return taken


def kept(folder: Path, name: str) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    return read_checkpoint(folder / f'{name}.checkpoint.safetensors')


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(3, 2)


def take(loop: Loop, module: nn.Module, count: int) -> list[torch.Tensor]:
    """What so many steps draw from both generators; they are of an hour that never ends."""
    drawn = []
    for _ in loop.steps(module, minutes=60, learning_rate=0.01):
        if len(drawn) == count:
            break
        drawn.append(torch.rand(4, 3) + torch.from_numpy(loop.rng.random((4, 3))).float())
        loop.update((module(drawn[-1]) ** 2).mean())
    return drawn


def test_a_training_killed_at_any_moment_goes_on_where_it_was(tmp_path: Path) -> None:
    steps = train(tmp_path, secs=600, kill_after=7)
    _, notes = kept(tmp_path, 'autoencoder')
    assert steps == list(range(7)) and notes['step'] >= 6
    more = train(tmp_path, secs=notes['secs'] + 0.5)
    assert more == list(range(notes['step'], more[-1] + 1))
    groups, ended = kept(tmp_path, 'autoencoder')
    assert ended['step'] == more[-1] + 1
    assert notes['secs'] + 0.5 <= ended['secs'] < notes['secs'] + 5, 'the pause does not count'
    weights = load_file(tmp_path / 'autoencoder.safetensors')
    assert weights and all(torch.equal(weights[name], groups['average'][name]) for name in weights)
    assert not list(tmp_path.glob('*.part.*'))


def test_everything_that_the_rest_depends_on_is_kept(tmp_path: Path) -> None:
    for folder in (tmp_path / 'whole', tmp_path / 'cut'):
        folder.mkdir()
    drawn = take(Loop(tmp_path / 'whole', 'tiny', checkpoint_secs=0), net(), 8)
    first = Loop(tmp_path / 'cut', 'tiny', checkpoint_secs=0)
    before = take(first, net(), 5)
    again = Loop(tmp_path / 'cut', 'tiny', checkpoint_secs=0)
    assert take(again, net(), 0) == []
    for name in ('module', 'average'):
        was, now = (getattr(loop, name).state_dict() for loop in (first, again))
        assert all(torch.equal(was[key], now[key]) for key in was), name
    was, now = (loop.optimizer.state_dict()['state'] for loop in (first, again))
    assert was and all(torch.equal(was[i][key], now[i][key]) for i in was for key in was[i])
    after = take(Loop(tmp_path / 'cut', 'tiny', checkpoint_secs=0), net(), 3)
    assert all(torch.equal(one, two) for one, two in zip(drawn, before + after, strict=True))


def test_the_curves_go_on_and_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('dragstream_ros.training.loop.LOG_SECS', 0.0)
    for _ in range(2):
        take(Loop(tmp_path, 'tiny', checkpoint_secs=0), net(), 3)
    with (tmp_path / 'tiny.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row['step']) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(float(row['loss']) > 0 for row in rows)
    picture = cv2.imread(str(tmp_path / 'tiny.png'))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_an_ended_training_takes_no_steps_until_it_is_forgotten(tmp_path: Path) -> None:
    def steps(module: nn.Module) -> int:
        loop = Loop(tmp_path, 'tiny')
        return sum(loop.update(module(torch.ones(1, 3)).sum()) is None for _ in loop.steps(
            module, minutes=0.001, learning_rate=0.1))

    trained, other = net(), net()
    assert steps(trained) > 0 and steps(other) == 0
    assert torch.equal(trained.weight, other.weight) and not torch.equal(other.weight, net().weight)
    Loop(tmp_path, 'tiny').forget()
    assert steps(other) > 0


def test_a_checkpoint_of_another_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    take(Loop(tmp_path, 'tiny', checkpoint_secs=0), net(), 1)
    with pytest.raises(DragStreamError, match='train it anew') as refused:
        take(Loop(tmp_path, 'tiny'), nn.Linear(3, 7), 1)
    assert refused.value.code == ErrorCode.WEIGHTS_MISMATCH


def test_a_folder_is_not_gone_on_with_under_other_settings(tmp_path: Path) -> None:
    begun = {'episodes': {'episodes': 3}, 'dynamics': {'minutes': 1}}
    changed = {'episodes': {'episodes': 3}, 'dynamics': {'minutes': 2}}
    kept_ones = [tmp_path / f'{stage}.checkpoint.safetensors' for stage in cli.STAGES[1:]]
    cli._forget(tmp_path, begun, ())
    for path in kept_ones:
        path.touch()
    cli._forget(tmp_path, begun, ())
    assert all(path.exists() for path in kept_ones)
    with pytest.raises(SystemExit, match='--from dynamics'):
        cli._forget(tmp_path, changed, ())
    cli._forget(tmp_path, changed, ['dynamics'])
    assert [path.exists() for path in kept_ones] == [True] * (len(kept_ones) - 1) + [False]
    cli._forget(tmp_path, changed, ())
