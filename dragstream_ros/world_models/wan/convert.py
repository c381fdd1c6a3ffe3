"""``dragstream convert``: published checkpoints of the Wan family -> a folder of safetensors.

Done once, on any computer; needs no network and no GPU.  docs/wan.md says where the files are from.
"""
from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.whole_file import not_written, whole_file
from dragstream_ros.world_models.wan import model_folder
from dragstream_ros.world_models.wan.checkpoint_file import read_checkpoint, weights_of
from dragstream_ros.world_models.wan.config import CHANNELS
from dragstream_ros.world_models.wan.config import FILE_NAME as MODEL_JSON
from dragstream_ros.world_models.wan.encode_prompt import encode_prompt
from dragstream_ros.world_models.wan.model_folder import Say, silent
from dragstream_ros.world_models.wan.needs_diffusers import needs_diffusers
from dragstream_ros.world_models.wan.prompt import FILE_NAME as PROMPT
from dragstream_ros.world_models.wan.prompt import KEY
from dragstream_ros.world_models.wan.tiny_decoder import TinyVideoDecoder

HEAD_DIM = 128          # of every Wan model; the weights do not tell it
DTYPES = {'bfloat16': torch.bfloat16, 'float32': torch.float32}

State = dict[str, torch.Tensor]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'checkpoint', type=Path, nargs='?',
        help='self_forcing_dmd.pt or another of its layout, or a diffusers folder')
    parser.add_argument('--output', type=Path, required=True, metavar='FOLDER',
                        help='where the model will be; what it holds already is kept')
    parser.add_argument(
        '--weights', default='generator_ema', choices=('generator_ema', 'generator'),
        help="which of the checkpoint's: the running mean of training, or its last "
             '(default: %(default)s)')
    parser.add_argument('--dtype', default='bfloat16', choices=DTYPES,
                        help='of the transformer (default: %(default)s)')
    parser.add_argument('--vae', type=Path, metavar='PATH',
                        help='Wan2.1_VAE.pth, or a diffusers folder')
    parser.add_argument('--tiny-decoder', type=Path, metavar='FILE',
                        help='taew2_1.pth or .safetensors')
    parser.add_argument('--text-encoder', type=Path, metavar='FOLDER',
                        help='with text_encoder and tokenizer in it: encodes --prompt')
    parser.add_argument('--prompt', metavar='TEXT', help='what every prediction goes by')
    parser.add_argument('--licence', metavar='TEXT', help='written into the model card')


def main(args: argparse.Namespace) -> int:
    if not any((args.checkpoint, args.vae, args.tiny_decoder, args.text_encoder)):
        print('dragstream convert: Name a checkpoint, --vae, --tiny-decoder or --text-encoder.',
              file=sys.stderr)
        return 2
    if (args.text_encoder is None) != (args.prompt is None):
        print('dragstream convert: --text-encoder and --prompt go together.', file=sys.stderr)
        return 2
    try:
        convert(args.output, checkpoint=args.checkpoint, vae=args.vae,
                tiny_decoder=args.tiny_decoder, text_encoder=args.text_encoder,
                prompt=args.prompt or '', weights=args.weights,
                dtype=DTYPES[args.dtype], licence=args.licence, say=_tell)
    except (DragStreamError, OSError) as error:
        print(f'dragstream convert: {error}', file=sys.stderr)
        return 1
    print(f'written: {args.output}')
    return 0


def convert(folder: Path, *, checkpoint: Path | None = None, vae: Path | None = None,
            tiny_decoder: Path | None = None, text_encoder: Path | None = None, prompt: str = '',
            weights: str = 'generator_ema',
            dtype: torch.dtype = torch.bfloat16, licence: str | None = None,
            say: Say = silent) -> None:
    """Write the parts whose sources are given; every file is whole or not there.

    :raises DragStreamError: a source is not what it should be
    :raises OSError: the folder cannot be written
    """
    folder.mkdir(parents=True, exist_ok=True)
    card = model_folder.read_card(folder)
    parts = card.setdefault('parts', {})
    card.update(name=folder.resolve().name,
                date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
                licence=licence or card.get('licence') or 'not given')
    if vae is None and checkpoint is not None and checkpoint.is_dir():
        vae = checkpoint
    jobs: list[tuple[str, Path | None, Callable[[Path], tuple[State, dict[str, Any] | None]]]] = [
        (model_folder.TRANSFORMER, checkpoint,
         lambda source: read_transformer(source, weights, dtype)),
        (model_folder.VAE, vae, read_vae),
        (model_folder.TINY_DECODER, tiny_decoder, read_tiny_decoder),
        (PROMPT, text_encoder, lambda source: ({KEY: encode_prompt(prompt, source, say)}, None))]
    for name, source, read in jobs:
        if source is not None:
            say(f'reading {source}')
            state, config = read(source)
            parts[name] = {'source': _describe(source, say),
                           **_write(folder / name, state, config, say)}
            if name == PROMPT:
                card['prompt'] = prompt
            model_folder.write_card(folder, card)   # true, whatever becomes of the next part
    run = folder / MODEL_JSON
    if not run.is_file():
        with whole_file(run) as partial:
            partial.write_text(json.dumps({'decoder': 'tiny' if tiny_decoder else 'wan'}) + '\n')


def read_transformer(
        source: Path, weights: str, dtype: torch.dtype) -> tuple[State, dict[str, Any]]:
    """Return a transformer's state in diffusers' names, and its configuration."""
    diffusers = _diffusers()
    if source.is_dir():
        state, config = _read_diffusers(source, 'transformer', tuple(model_folder.KINDS))
    else:
        state = weights_of(read_checkpoint(source), source, weights)
        if 'head.modulation' in state:
            from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
            state = convert_wan_transformer_to_diffusers(state)
        config = transformer_config(state, source)
    _check(getattr(diffusers, config['_class_name']), config, state, source)
    return {name: value.to(dtype) for name, value in state.items()}, config


def transformer_config(state: Mapping[str, torch.Tensor], source: Path) -> dict[str, Any]:
    """Read the sizes of a transformer off its weights."""
    try:
        width, channels, *patch = state['patch_embedding.weight'].shape
        config = {
            '_class_name': 'WanTransformer3DModel', 'patch_size': patch,
            'num_attention_heads': width // HEAD_DIM, 'attention_head_dim': HEAD_DIM,
            'in_channels': channels, 'out_channels': CHANNELS,
            'text_dim': state['condition_embedder.text_embedder.linear_1.weight'].shape[1],
            'freq_dim': state['condition_embedder.time_embedder.linear_1.weight'].shape[1],
            'ffn_dim': state['blocks.0.ffn.net.0.proj.weight'].shape[0],
            'num_layers': 1 + max(int(name.split('.')[1]) for name in state
                                  if name.startswith('blocks.'))}
    except (KeyError, ValueError, IndexError) as error:
        raise _is_no('Wan transformer', source, f'{error} is not in it') from error
    if channels != CHANNELS:
        raise _is_no('Wan text-to-video transformer', source,
                     f'it takes {channels} channels, not {CHANNELS}')
    return config


def read_vae(source: Path) -> tuple[State, dict[str, Any]]:
    """Return an autoencoder's state in diffusers' names, and its configuration."""
    diffusers = _diffusers()
    if source.is_dir():
        state, config = _read_diffusers(source, 'vae', ('AutoencoderKLWan',))
    else:
        from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
        state = weights_of(read_checkpoint(source), source, None)
        if 'encoder.conv1.weight' in state:
            state = convert_wan_vae_to_diffusers(state)
        if 'encoder.conv_in.weight' not in state:
            raise _is_no('Wan autoencoder', source, "'encoder.conv1.weight' is not in it")
        with torch.device('meta'):
            model = diffusers.AutoencoderKLWan(base_dim=len(state['encoder.conv_in.weight']))
        config = json.loads(model.to_json_string())
    _check(diffusers.AutoencoderKLWan, config, state, source)
    return state, config


def read_tiny_decoder(source: Path) -> tuple[State, None]:
    """Return a tiny decoder's state; an encoder beside it is left out."""
    state = {name: value for name, value in weights_of(
        read_checkpoint(source), source, None).items() if not name.startswith('encoder.')}
    with torch.device('meta'):
        own = TinyVideoDecoder().state_dict()
    _compare(own, state, source, 'tiny decoder for Wan 2.1 (taew2_1)')
    return state, None


def _read_diffusers(source: Path, part: str, class_names: tuple[str, ...],
                    ) -> tuple[State, dict[str, Any]]:
    """source: a diffusers folder, or the part's own folder in it."""
    folder = source / part if (source / part).is_dir() else source
    try:
        config = json.loads((folder / model_folder.CONFIG).read_text())
        found_class = config.get('_class_name')
        index = folder / f'{model_folder.WEIGHTS}.index.json'
        files = (sorted(set(json.loads(index.read_text())['weight_map'].values()))
                 if index.is_file() else [model_folder.WEIGHTS])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _is_no('diffusers folder', source,
                     f'{folder / model_folder.CONFIG}, or the index of its weights, cannot be read',
                     ) from error
    if found_class not in class_names:
        raise _is_no(f'diffusers folder with a {" or ".join(class_names)}', source,
                     f'{folder.name} is a {found_class}')
    state: State = {}
    for file in files:
        state.update(read_checkpoint(folder / file))
    return state, config


def _check(model_class: Any, config: dict[str, Any], state: State, source: Path) -> None:
    with torch.device('meta'):
        own = model_class.from_config(config).state_dict()
    _compare(own, state, source, model_class.__name__)


def _compare(own: Mapping[str, torch.Tensor], state: State, source: Path, what: str) -> None:
    missing, surplus = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    wrong = sorted(name for name in own.keys() & state.keys()
                   if own[name].shape != state[name].shape)
    for names, trouble in ((missing, 'lack'), (surplus, 'are unknown'), (wrong, 'differ in shape')):
        if names:
            raise _is_no(what, source, f'{len(names)} tensors {trouble}, first {names[0]}')


def _write(path: Path, state: State, config: dict[str, Any] | None, say: Say) -> dict[str, Any]:
    """Write weights, and a configuration beside them; the facts for the card."""
    path.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(value.nbytes for value in state.values())
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise OSError(f'{path.parent} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are '
                      'needed: make room there, or choose another --output.')
    say(f'writing {path} ({needed / 1e9:.2f} GB)')
    with whole_file(path) as partial:
        try:
            save_file({name: value.contiguous() for name, value in state.items()}, partial,
                      {'format': 'pt'})
        except SafetensorError as error:        # as a full disk is called there
            raise not_written(path, error) from error
        digest = model_folder.sha256(partial, say, name=path.name)
    if config is not None:
        with whole_file(path.with_name(model_folder.CONFIG)) as partial:
            partial.write_text(json.dumps(config, indent=1) + '\n')
    dtypes = {str(value.dtype).removeprefix('torch.') for value in state.values()}
    return {'sha256': digest, 'bytes': path.stat().st_size, 'dtype': ', '.join(sorted(dtypes))}


def _describe(source: Path, say: Say) -> dict[str, Any]:
    if source.is_dir():
        return {'folder': source.resolve().name}
    return {'file': source.name, 'sha256': model_folder.sha256(source, say),
            'bytes': source.stat().st_size}


def _diffusers() -> Any:
    with needs_diffusers('Converting'):
        import diffusers
        return diffusers


def _is_no(what: str, source: Path, why: str) -> DragStreamError:
    return DragStreamError(
        ErrorCode.WEIGHTS_MISMATCH,
        f'{source} is no {what}: {why}; name another file, or copy it again if it should be one.')


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
