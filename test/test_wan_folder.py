"""The folder of a Wan model: what is missing, broken or does not fit is said in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_wan import TEXT_DIM, load_tiny_wan, write_tiny_wan

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models import load_world_model
from dragstream_ros.world_models.wan.needs_diffusers import needs_diffusers
from dragstream_ros.world_models.wan.prompt import save_prompt
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel

WEIGHTS = 'transformer/diffusion_pytorch_model.safetensors'


def configure(folder: Path, **changes: object) -> None:
    path = folder / 'model.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def lose_a_tensor(folder: Path) -> None:
    state = load_file(folder / WEIGHTS)
    state.pop('proj_out.bias')
    save_file(state, folder / WEIGHTS)


def cut_short(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(('spoil', 'code', 'told'), [
    (lambda f: (f / 'model.json').unlink(), 'MISSING', 'model.json'),
    (lambda f: (f / WEIGHTS).unlink(), 'MISSING', 'transformer'),
    (lambda f: (f / 'vae/config.json').unlink(), 'MISSING', 'vae'),
    (lambda f: configure(f, decoder='tiny'), 'MISSING', 'tiny_decoder'),
    (cut_short, 'UNREADABLE', 'transformer'),
    (lambda f: (f / 'model.json').write_text('{'), 'UNREADABLE', 'model.json'),
    (lambda f: (f / 'prompt.safetensors').write_text('?'), 'UNREADABLE', 'prompt'),
    (lambda f: configure(f, steps=4), 'UNREADABLE', "'steps'"),
    (lambda f: configure(f, image_size=[100, 64]), 'UNREADABLE', 'image_size'),
    (lambda f: configure(f, sigmas=[0.5, 1.0]), 'UNREADABLE', 'sigmas'),
    (lambda f: configure(f, sigmas=[1.0, float('nan')]), 'UNREADABLE', 'sigmas'),
    (lambda f: configure(f, window=6), 'UNREADABLE', 'window'),
    (lambda f: configure(f, horizon='far'), 'UNREADABLE', 'must be a number'),
    (lambda f: configure(f, window=21.5), 'UNREADABLE', 'whole numbers'),
    (lambda f: configure(f, latents_per_chunk=3.0), 'UNREADABLE', 'whole numbers'),
    (lambda f: configure(f, guided_step=4), 'UNREADABLE', 'guided_step'),
    (lambda f: configure(f, taps=[40]), 'MISMATCH', 'taps'),
    (lose_a_tensor, 'MISMATCH', 'proj_out.bias'),
    (lambda f: save_prompt(f, torch.zeros(5, TEXT_DIM + 1)), 'MISMATCH', 'prompt'),
])
def test_a_folder_that_will_not_do_is_refused(
        tmp_path, spoil: Callable[[Path], object], code: str, told: str) -> None:
    spoil(write_tiny_wan(tmp_path))
    with pytest.raises(DragStreamError) as refusal:
        load_world_model('self_forcing', str(tmp_path))
    assert refusal.value.code == ErrorCode[f'WEIGHTS_{code}']
    assert told in refusal.value.sentence


@pytest.mark.parametrize(('there', 'wanted'), [
    ('self_forcing', 'anyflow_far'), ('anyflow_far', 'self_forcing')])
def test_a_folder_of_the_other_model_is_refused_with_its_name(tmp_path, there, wanted) -> None:
    folder = write_tiny_wan(tmp_path, there)
    with pytest.raises(DragStreamError, match=f'set world_model to {there}') as refusal:
        load_world_model(wanted, str(folder))
    assert refusal.value.code == ErrorCode.WEIGHTS_MISMATCH


@pytest.mark.parametrize(('model', 'told'), [
    ({'image_size': [64, 48]}, 'two multiples of 32'),
    ({'window': 5, 'sink': 0}, 'window must hold two chunks'), ({'taps': [40]}, 'taps')])
def test_what_anyflow_far_cannot_do_is_refused(tmp_path, model, told) -> None:
    folder = write_tiny_wan(tmp_path, 'anyflow_far', **model)
    with pytest.raises(DragStreamError, match=told) as refusal:
        load_world_model('anyflow_far', str(folder))
    assert refusal.value.code == ErrorCode.WEIGHTS_MISMATCH


def test_a_transformer_of_another_kind_is_refused_with_what_is_known(tmp_path) -> None:
    path = write_tiny_wan(tmp_path) / 'transformer/config.json'
    path.write_text(path.read_text().replace('WanTransformer3DModel', 'FluxTransformer2DModel'))
    with pytest.raises(DragStreamError, match='is a FluxTransformer2DModel: use one of'):
        load_world_model('self_forcing', str(tmp_path))


@pytest.mark.parametrize('error', [ImportError('none'), RuntimeError('broken\nin many lines')])
def test_diffusers_that_cannot_be_imported_is_one_sentence(error: Exception) -> None:
    with pytest.raises(DragStreamError, match=r'\((none|broken)\).*pip install') as refusal:
        with needs_diffusers('This'):
            raise error
    assert refusal.value.code == ErrorCode.WEIGHTS_MISSING


def test_without_a_folder_the_sentence_says_what_to_set() -> None:
    with pytest.raises(DragStreamError, match='anyflow_far.*weights_folder') as refusal:
        load_world_model('anyflow_far')
    assert refusal.value.code == ErrorCode.WEIGHTS_MISSING


def test_weights_in_several_files_and_in_half_precision_are_read_as_one(tmp_path) -> None:
    whole = load_tiny_wan(tmp_path)
    state = {name: tensor.bfloat16() for name, tensor in load_file(tmp_path / WEIGHTS).items()}
    (tmp_path / WEIGHTS).unlink()
    for index, part in enumerate((list(state)[::2], list(state)[1::2])):
        save_file({name: state[name] for name in part},
                  tmp_path / f'transformer/part-{index}.safetensors')
    half = load_world_model('self_forcing', str(tmp_path))
    for (name, a), b in zip(whole.wan.transformer.state_dict().items(),
                            half.wan.transformer.state_dict().values(), strict=True):
        assert b.dtype == torch.float32 and torch.equal(a.bfloat16().float(), b), name


def test_in_half_precision_what_must_be_exact_stays_in_full(tmp_path) -> None:
    model = SelfForcingWorldModel.load(write_tiny_wan(tmp_path), dtype=torch.bfloat16)
    net = model.wan.transformer
    assert net.blocks[0].attn1.to_q.weight.dtype == torch.bfloat16
    assert net.scale_shift_table.dtype == net.blocks[0].norm2.weight.dtype == torch.float32
    assert model.autoencoder.dtype == model.wan.prompt.dtype == torch.bfloat16


def test_without_a_stored_prompt_there_are_no_words(tmp_path) -> None:
    folder = write_tiny_wan(tmp_path)
    (folder / 'prompt.safetensors').unlink()
    model = load_world_model('self_forcing', str(folder))
    assert model.wan.prompt.shape == (1, 512, TEXT_DIM) and not model.wan.prompt.any()
