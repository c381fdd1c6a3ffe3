"""Pairs of a prediction and what came, for a person to tell apart."""

from __future__ import annotations

import json
import pathlib

import pytest
import torch

from dragstream_ros.evaluation import looker_pairs
from dragstream_ros.evaluation.drawing import PAPER
from dragstream_ros.evaluation.picture_files import read_picture


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp('pairs')
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(looker_pairs, 'PAIRS', 3)
        patched.setattr(looker_pairs, 'PER_PAGE', 2)
        looker_pairs.write_pairs(folder)
    return folder


def test_each_pair_is_on_a_page_and_nothing_there_tells_which_is_which(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        'key.json', 'pairs_1.png', 'pairs_2.png']
    first, last = (read_picture(folder / f'pairs_{page}.png') for page in (1, 2))
    assert first.shape == last.shape
    half = last.shape[1] // 2
    assert (last[:, half:] == PAPER).all() and not (last[:, :half] == PAPER).all()


def test_right_answers_are_counted(folder, capsys, monkeypatch):
    key = json.loads((folder / 'key.json').read_text())
    assert len(key) == 3 and set(key) <= set('LR')
    wrong = 'L' if key[0] == 'R' else 'R'
    monkeypatch.setattr('sys.argv', ['looker', str(folder), '--answers', wrong + key[1:]])
    assert looker_pairs.main() == 0
    assert capsys.readouterr().out.startswith('right in 2 of 3 pairs, 67 % [')


def test_too_few_answers_are_one_sentence(folder, capsys, monkeypatch):
    monkeypatch.setattr('sys.argv', ['looker', str(folder), '--answers', 'L'])
    assert looker_pairs.main() == 1
    assert capsys.readouterr().err == 'Give L or R for each of the 3 pairs.\n'
