"""``dragstream convert``: published checkpoints become a folder of safetensors, or are refused."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import pickle
import resource
from types import SimpleNamespace

import pytest
import torch
from command_line import finish, start
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dragstream_ros.errors import DragStreamError
from dragstream_ros.world_models.installed import installed
from dragstream_ros.world_models.wan.convert import convert
from dragstream_ros.world_models.wan.memory_plan import plan_loading
from dragstream_ros.world_models.wan.tiny_decoder import TinyVideoDecoder

diffusers = pytest.importorskip('diffusers')
import wan_checkpoints  # noqa: E402
from tiny_wan import tiny_far, tiny_vae  # noqa: E402

from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel  # noqa: E402
from dragstream_ros.world_models.wan.transformer import CausalWan  # noqa: E402

State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def checkpoint(tmp_path: pathlib.Path) -> pathlib.Path:
    wan_checkpoints.self_forcing(tmp_path / 'self_forcing_dmd.pt')
    return tmp_path / 'self_forcing_dmd.pt'


def assert_same(found: State, wanted: State) -> None:
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def refusal(tmp_path: pathlib.Path, **sources: pathlib.Path) -> str:
    with pytest.raises(DragStreamError) as refused:
        convert(tmp_path / 'refused', **sources)
    assert not list((tmp_path / 'refused').rglob('*.safetensors'))
    return str(refused.value)


def test_a_self_forcing_checkpoint_converts_from_the_command_line_and_loads(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    autoencoder, decoder = wan_checkpoints.vae(), TinyVideoDecoder()
    torch.save(wan_checkpoints.wan_vae_names(autoencoder.state_dict()), tmp_path / 'vae.pth')
    torch.save({**decoder.state_dict(), 'encoder.0.bias': torch.zeros(64)}, tmp_path / 'taew.pth')
    folder = tmp_path / 'model'
    status, out, told = finish(start(
        'convert', checkpoint, '--vae', tmp_path / 'vae.pth', '--tiny-decoder',
        tmp_path / 'taew.pth', '--dtype', 'float32', '--licence', 'Apache-2.0',
        '--output', folder))
    assert status == 0, told
    assert f'written: {folder}' in out
    assert 'hashing self_forcing_dmd.pt: 100 %' in told

    transformer = diffusers.WanTransformer3DModel.from_config(
        json.loads((folder / 'transformer' / 'config.json').read_text())).eval()
    transformer.load_state_dict(
        load_file(folder / 'transformer' / 'diffusion_pytorch_model.safetensors'))
    direct = wan_checkpoints.transformer()
    inputs = {'hidden_states': torch.randn(1, 16, 2, 4, 4), 'timestep': torch.tensor([500]),
              'encoder_hidden_states': torch.randn(1, 3, 24)}
    with torch.no_grad():
        assert torch.equal(transformer(**inputs).sample, direct(**inputs).sample)
    assert_same(load_file(folder / 'vae' / 'diffusion_pytorch_model.safetensors'),
                autoencoder.state_dict())
    assert json.loads((folder / 'vae' / 'config.json').read_text())['latents_mean'] == list(
        autoencoder.config.latents_mean)
    assert_same(TinyVideoDecoder.load(folder / 'tiny_decoder.safetensors').state_dict(),
                decoder.state_dict())
    assert json.loads((folder / 'model.json').read_text()) == {'decoder': 'tiny'}

    card = json.loads((folder / 'card.json').read_text())
    assert (card['name'], card['licence']) == ('model', 'Apache-2.0')
    part = card['parts']['transformer/diffusion_pytorch_model.safetensors']
    result = folder / 'transformer' / 'diffusion_pytorch_model.safetensors'
    assert part['sha256'] == hashlib.sha256(result.read_bytes()).hexdigest()
    assert part['source'] == {
        'file': 'self_forcing_dmd.pt', 'bytes': checkpoint.stat().st_size,
        'sha256': hashlib.sha256(checkpoint.read_bytes()).hexdigest()}


def test_what_was_converted_loads_within_its_budget_and_predicts_as_the_direct_model(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / 'model'
    folder.mkdir()
    (folder / 'model.json').write_text(
        '{"image_size": [64, 48], "window": 12, "taps": [0], "decoder": "wan"}')
    wan_checkpoints.vae().save_pretrained(tmp_path / 'vae')
    convert(folder, checkpoint=checkpoint, vae=tmp_path / 'vae', dtype=torch.float32)
    model = SelfForcingWorldModel.load(folder, torch.device('cpu'))
    assert 'memory planned, 64x48, window 12, float32, decoder wan:' in capsys.readouterr().out

    direct = CausalWan(wan_checkpoints.transformer(), torch.zeros(512, 24),
                       grid=model.token_grid, frames=12)
    x = torch.randn(3, *model.latent_shape)
    with torch.no_grad():
        found = model.denoise(x, 1, model.condition(model.empty_context(), None)).x0
        assert torch.equal(found, direct.denoise(x, model.sigmas[1], []).x0)

    # So small a model is little beside what CUDA itself is planned to take.
    wanted = plan_loading(folder, torch.device('cpu'), torch.bfloat16, 0.0)
    budget_gb = (wanted.total - 1) / 1e9
    shorter = SelfForcingWorldModel.load(
        folder, torch.device('cpu'), memory_budget_gb=budget_gb)
    assert (shorter.config.window, shorter.wan.prompt.dtype) == (9, torch.bfloat16)
    with pytest.raises(DragStreamError, match='memory_budget_gb allows 0.1'):
        SelfForcingWorldModel.load(folder, torch.device('cpu'), memory_budget_gb=0.1)


def test_the_running_mean_is_taken_unless_the_last_weights_are_asked_for(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    for weights, seed in (('generator_ema', 0), ('generator', 1)):
        convert(tmp_path / weights, checkpoint=checkpoint, weights=weights, dtype=torch.float32)
        assert_same(load_file(tmp_path / weights / 'transformer'
                              / 'diffusion_pytorch_model.safetensors'),
                    wan_checkpoints.transformer(seed).state_dict())


def test_the_transformer_is_stored_in_bfloat16_and_the_wrappers_of_training_go(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    wan_checkpoints.self_forcing(checkpoint, infix='_fsdp_wrapped_module.')
    convert(tmp_path / 'model', checkpoint=checkpoint)
    wanted = wan_checkpoints.transformer().state_dict()
    assert_same(load_file(tmp_path / 'model/transformer/diffusion_pytorch_model.safetensors'),
                {name: value.bfloat16() for name, value in wanted.items()})


def test_a_diffusers_folder_in_several_files_converts_to_the_same(tmp_path: pathlib.Path) -> None:
    model, autoencoder = wan_checkpoints.transformer(), wan_checkpoints.vae()
    model.save_pretrained(tmp_path / 'source' / 'transformer', max_shard_size='200KB')
    autoencoder.save_pretrained(tmp_path / 'source' / 'vae')
    assert len(list((tmp_path / 'source' / 'transformer').glob('*.safetensors'))) > 1
    convert(tmp_path / 'model', checkpoint=tmp_path / 'source', dtype=torch.float32)
    for part, wanted in (('transformer', model), ('vae', autoencoder)):
        with safe_open(tmp_path / 'model' / part / 'diffusion_pytorch_model.safetensors',
                       'pt') as file:
            assert_same({name: file.get_tensor(name) for name in file.keys()},
                        wanted.state_dict())


def test_a_diffusers_folder_of_anyflow_far_converts_and_is_listed_as_that(
        tmp_path: pathlib.Path) -> None:
    tiny_far().save_pretrained(tmp_path / 'source' / 'transformer')
    tiny_vae().save_pretrained(tmp_path / 'source' / 'vae')
    convert(tmp_path / 'model', checkpoint=tmp_path / 'source', dtype=torch.float32)
    assert installed(tmp_path / 'model').world_model == 'anyflow_far'
    assert_same(load_file(tmp_path / 'model/transformer/diffusion_pytorch_model.safetensors'),
                tiny_far().state_dict())


def test_a_part_can_be_added_later_and_the_others_stay(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    folder = tmp_path / 'model'
    convert(folder, checkpoint=checkpoint, licence='CC-BY-NC-SA-4.0')
    save_file(TinyVideoDecoder().state_dict(), tmp_path / 'taew2_1.safetensors')
    convert(folder, tiny_decoder=tmp_path / 'taew2_1.safetensors')
    card = json.loads((folder / 'card.json').read_text())
    assert card['licence'] == 'CC-BY-NC-SA-4.0'
    assert set(card['parts']) == {
        'transformer/diffusion_pytorch_model.safetensors', 'tiny_decoder.safetensors'}


def test_what_is_no_checkpoint_is_refused(tmp_path: pathlib.Path) -> None:
    assert 'does not exist' in refusal(tmp_path, checkpoint=tmp_path / 'nothing.pt')
    text = tmp_path / 'page.pt'
    text.write_text('<html>Please log in</html>')
    assert 'is cut short or no checkpoint' in refusal(tmp_path, checkpoint=text)
    torch.save([1, 2], text)
    assert 'holds no named tensors' in refusal(tmp_path, checkpoint=text)
    torch.save({'model.weight': torch.zeros(2)}, text)
    assert 'is no Wan transformer' in refusal(tmp_path, checkpoint=text)
    assert 'is no Wan autoencoder' in refusal(tmp_path, vae=text)
    assert 'is no tiny decoder' in refusal(tmp_path, tiny_decoder=text)
    assert 'is no diffusers folder' in refusal(tmp_path, checkpoint=tmp_path)


def test_a_file_that_is_cut_short_is_refused(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:len(whole) // 2])
    assert 'its end is missing' in refusal(tmp_path, checkpoint=checkpoint)


def test_code_in_a_checkpoint_is_not_run(tmp_path: pathlib.Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / 'sprung'),)

    for name, write in (('new.pt', torch.save),
                        ('old.pt', lambda what, path: path.write_bytes(pickle.dumps(what, 2)))):
        write({'generator_ema': Trap()}, tmp_path / name)
        assert 'could run code' in refusal(tmp_path, checkpoint=tmp_path / name)
    assert not (tmp_path / 'sprung').exists()


def test_weights_that_do_not_fit_the_architecture_are_refused_by_name(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    state = content['generator_ema']
    cases = {'1 tensors lack, first blocks.1.attn2.to_k.bias':
             {k: v for k, v in state.items() if k != 'model.blocks.1.cross_attn.k.bias'},
             '1 tensors are unknown, first extra': {**state, 'model.extra': torch.zeros(1)},
             '1 tensors differ in shape, first blocks.0.norm2.weight':
             {**state, 'model.blocks.0.norm3.weight': torch.zeros(3)}}
    for sentence, changed in cases.items():
        torch.save({'generator_ema': changed}, checkpoint)
        assert sentence in refusal(tmp_path, checkpoint=checkpoint)
    torch.save({'generator': state}, checkpoint)
    assert "has no 'generator_ema' but 'generator'" in refusal(tmp_path, checkpoint=checkpoint)
    wide = {**state, 'model.patch_embedding.weight': torch.zeros(128, 36, 1, 2, 2)}
    torch.save({'generator_ema': wide}, checkpoint)
    assert 'it takes 36 channels, not 16' in refusal(tmp_path, checkpoint=checkpoint)


def test_a_full_disk_leaves_nothing_behind_but_what_was_there(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    folder = tmp_path / 'model'
    convert(folder, checkpoint=checkpoint)
    before = {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r'cannot be written \(.*\). Make room there'):
            convert(folder, checkpoint=checkpoint, weights='generator')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()} == before


def test_too_little_room_is_told_before_anything_is_written(
        tmp_path: pathlib.Path, checkpoint: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('shutil.disk_usage', lambda path: SimpleNamespace(free=10))
    with pytest.raises(OSError, match=r'has 0.0 GB free and .* are needed: make room there'):
        convert(tmp_path / 'model', checkpoint=checkpoint)
    assert not list((tmp_path / 'model').rglob('*.*'))
