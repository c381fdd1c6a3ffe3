"""``dragstream models``: what is installed, what it needs, and what is broken."""

from __future__ import annotations

import hashlib
import pathlib
from types import SimpleNamespace

import pytest
import torch

from dragstream_ros import cli
from dragstream_ros.world_models.installed import bundled, installed

pytest.importorskip('diffusers')
import wan_checkpoints  # noqa: E402

from dragstream_ros.world_models.wan.convert import convert  # noqa: E402


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A model folder inside another folder."""
    torch.set_num_threads(1)
    torch.save(wan_checkpoints.vae().state_dict(), tmp_path / 'vae.pth')
    wan_checkpoints.self_forcing(tmp_path / 'self_forcing_dmd.pt')
    convert(tmp_path / 'models' / 'small', checkpoint=tmp_path / 'self_forcing_dmd.pt',
            vae=tmp_path / 'vae.pth', licence='Apache-2.0')
    return tmp_path / 'models' / 'small'


def test_the_bundled_model_is_listed_without_any_folder(
        capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['models']) == 0
    out = capsys.readouterr().out
    assert out.startswith('tabletop  (bundled)')
    assert 'here     fits' in out
    assert bundled().size_bytes < 12e6


def test_a_folder_of_models_is_listed_with_hashes_licence_and_needs(
        folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['models', str(folder.parent)]) == 0
    out = capsys.readouterr().out
    weights = folder / 'vae' / 'diffusion_pytorch_model.safetensors'
    for wanted in (f'self_forcing  {folder}', 'licence  Apache-2.0', 'needs    a CUDA GPU with',
                   hashlib.sha256(weights.read_bytes()).hexdigest()):
        assert wanted in out


def test_what_does_not_fit_this_machine_is_said(
        folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert installed(folder).obstacle.startswith('there is no CUDA GPU')
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    for memory, wanted in ((1e9, 'the GPU has 1.0 GB; at loading'), (80e9, '')):
        properties = SimpleNamespace(total_memory=memory)
        monkeypatch.setattr('torch.cuda.get_device_properties', lambda _, p=properties: p)
        assert installed(folder).obstacle.startswith(wanted)


def test_a_file_that_is_not_the_one_of_the_card_is_told(
        folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = folder / 'vae' / 'diffusion_pytorch_model.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1] + b'?')
    assert cli.main(['models', str(folder)]) == 1
    assert 'is not the file that card.json describes' in capsys.readouterr().err


def test_a_folder_that_is_no_model_is_told(
        tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['models', str(tmp_path)]) == 1
    assert 'model.json does not exist' in capsys.readouterr().err
