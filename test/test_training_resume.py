"""A training that is killed goes on where it was, and ends as if nothing had been."""
from __future__ import annotations

import csv
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
import training_program
from torch import nn

from dragstream_ros.training.checkpoint import read_checkpoint, save_model
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.stages import STAGES, begin
from dragstream_ros.whole_file import whole_file
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

WEIGHTS = 'tabletop.safetensors'


def train(folder: Path, *, kill_at: str = '', most_bytes: int = 0) -> tuple[list[str], str]:
    """Lines and complaints of a training, which is killed as soon as a line begins so.

    most_bytes: of a file; a disk that is full after so many.
    """
    folder.mkdir(exist_ok=True)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    with subprocess.Popen(
            [sys.executable, training_program.__file__, folder], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, 'PYTHONUNBUFFERED': '1'},
            preexec_fn=limit if most_bytes else None) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if kill_at and line.startswith(kill_at):
                process.send_signal(signal.SIGKILL)
        return lines, process.stderr.read()


def kept(folder: Path, name: str) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    return read_checkpoint(folder / f'{name}.checkpoint.safetensors')


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(3, 2)


def take(loop: Loop, module: nn.Module, count: int) -> list[torch.Tensor]:
    """What so many steps draw from both generators; they are of a training of a thousand."""
    drawn = []
    for _ in loop.steps(module, steps=1000, learning_rate=0.01):
        if len(drawn) == count:
            break
        drawn.append(torch.rand(4, 3) + torch.from_numpy(loop.rng.random((4, 3))).float())
        loop.update((module(drawn[-1]) ** 2).mean())
    return drawn


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp('training') / 'whole'
    train(folder)
    return folder


def test_a_training_killed_in_every_stage_ends_in_the_same_bytes(
        whole: Path, tmp_path: Path) -> None:
    cut = tmp_path / 'cut'
    for stage in training_program.STEPS:
        lines, _ = train(cut, kill_at=f'{stage} 2 of')
        assert lines[-1].startswith(f'{stage} 2 of') and not (cut / WEIGHTS).exists()
    lines, _ = train(cut)
    assert any('found in' in line for line in lines)
    assert not any(line.startswith(('autoencoder 1 of', 'flow 1 of', 'dynamics 1 of'))
                   for line in lines), 'it began anew'
    assert (whole / WEIGHTS).read_bytes() == (cut / WEIGHTS).read_bytes()
    for stage in training_program.STEPS:
        ways = [(kept(folder, stage)[0], kept(folder, stage)[1]['step']) for folder in (whole, cut)]
        (one, step), (other, again) = ways
        assert step == again == training_program.STEPS[stage]
        assert all(torch.equal(one[group][name], other[group][name])
                   for group in one for name in one[group])


def test_pictures_and_curves_are_drawn_beside_the_checkpoints(whole: Path) -> None:
    for stage in training_program.STEPS:
        for name in (f'{stage}.png', f'{stage}.pictures.png'):
            picture = cv2.imread(str(whole / name))
            assert picture is not None and picture.std() > 5, name


def test_a_full_disk_is_said_in_a_sentence_and_leaves_no_half_file(tmp_path: Path) -> None:
    _, complaints = train(tmp_path, most_bytes=400_000)
    assert 'autoencoder.checkpoint.safetensors cannot be written (File too large)' in complaints
    assert not [path.name for path in tmp_path.iterdir() if path.suffix == '.safetensors']
    partial = tmp_path / f'notes.part{os.getpid()}.txt'
    partial.symlink_to('/dev/full')
    (tmp_path / 'notes.txt').write_text('before')
    with pytest.raises(OSError, match='No space left on device.*same command'), \
            whole_file(tmp_path / 'notes.txt') as path:
        path.write_text('after')
    assert (tmp_path / 'notes.txt').read_text() == 'before' and not partial.is_symlink()


def test_weights_that_cannot_be_written_leave_the_old_ones(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_text('before')
    (tmp_path / 'tabletop.json').mkdir()
    with pytest.raises(OSError, match='cannot be written'):
        save_model(TabletopWorldModel(), tmp_path, {})
    assert (tmp_path / WEIGHTS).read_text() == 'before'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['tabletop.json', WEIGHTS]


@pytest.mark.parametrize('damage', [
    lambda data: data[:len(data) // 2], lambda data: b'', lambda data: b'no checkpoint' * 50,
    lambda data: data[:9] + b'!' + data[10:]])
def test_a_damaged_checkpoint_is_refused_in_a_sentence(tmp_path: Path, damage: Any) -> None:
    take(Loop(tmp_path, 'tiny', checkpoint_secs=0), net(), 2)
    path = tmp_path / 'tiny.checkpoint.safetensors'
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TrainingError, match='tiny.checkpoint.safetensors.*Delete it'):
        take(Loop(tmp_path, 'tiny'), net(), 1)


def test_a_checkpoint_of_another_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    take(Loop(tmp_path, 'tiny', checkpoint_secs=0), net(), 1)
    with pytest.raises(TrainingError, match='of another model'):
        take(Loop(tmp_path, 'tiny'), nn.Linear(3, 7), 1)


def test_the_curves_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('dragstream_ros.training.loop.ROWS', 1000)
    for _ in range(2):
        take(Loop(tmp_path, 'tiny', checkpoint_secs=0), net(), 3)
    with (tmp_path / 'tiny.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row['step']) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(float(row['loss']) > 0 for row in rows)


def test_the_time_left_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr('dragstream_ros.training.loop.ROWS', 1000)
    monkeypatch.setattr(Loop, '_secs', lambda self: 2.0 * self.step)
    take(Loop(tmp_path, 'tiny'), net(), 10)
    assert 'tiny 10 of 1000, 0:33:00 left' in capsys.readouterr().out


def test_an_ended_training_takes_no_steps_until_it_is_forgotten(tmp_path: Path) -> None:
    def steps(module: nn.Module) -> int:
        loop = Loop(tmp_path, 'tiny')
        return sum(loop.update(module(torch.ones(1, 3)).sum()) is None for _ in loop.steps(
            module, steps=5, learning_rate=0.1))

    trained, other = net(), net()
    assert steps(trained) == 5 and steps(other) == 0
    assert torch.equal(trained.weight, other.weight) and not torch.equal(other.weight, net().weight)
    Loop(tmp_path, 'tiny').forget()
    assert steps(other) == 5


def test_a_folder_is_not_gone_on_with_under_other_settings(tmp_path: Path) -> None:
    begun = {'episodes': {'episodes': 3}, 'dynamics': {'steps': 1}}
    changed = {'episodes': {'episodes': 3}, 'dynamics': {'steps': 2}}
    kept_ones = [tmp_path / f'{stage}.checkpoint.safetensors' for stage in STAGES]
    begin(tmp_path, begun, None)
    for path in kept_ones:
        path.touch()
    begin(tmp_path, begun, None)
    assert all(path.exists() for path in kept_ones)
    with pytest.raises(TrainingError, match='--from dynamics'):
        begin(tmp_path, changed, None)
    begin(tmp_path, changed, 'dynamics')
    assert [path.exists() for path in kept_ones] == [True, True, False]
    begin(tmp_path, changed, None)
