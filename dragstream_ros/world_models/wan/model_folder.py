"""A folder with all that a Wan world model is loaded from, and the card that says where it is from.

    model.json                          how the model is run: config.WanConfig
    transformer/config.json, diffusion_pytorch_model.safetensors
    vae/config.json, diffusion_pytorch_model.safetensors
    tiny_decoder.safetensors            taew2_1; optional
    prompt.safetensors                  what a text encoder made of a prompt; optional
    card.json                           sources, hashes, licence; optional
"""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.whole_file import whole_file
from dragstream_ros.world_models.wan.cost import WanArchitecture

CONFIG = 'config.json'
WEIGHTS = 'diffusion_pytorch_model.safetensors'
TRANSFORMER = f'transformer/{WEIGHTS}'
VAE = f'vae/{WEIGHTS}'
TINY_DECODER = 'tiny_decoder.safetensors'
CARD = 'card.json'
# The class of its transformer in diffusers says which world model a folder is.
KINDS = {'WanTransformer3DModel': 'self_forcing',
         'AnyFlowFARTransformer3DModel': 'anyflow_far'}

Say = Callable[[str], None]


def silent(text: str) -> None:
    """Say nothing."""


def read_card(folder: Path) -> dict[str, Any]:
    """Return what is known of the folder; {} without a card.

    Keys: name, licence, and parts: by file, {source: {file, sha256, bytes}, sha256, bytes, dtype}.
    """
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_UNREADABLE,
            f'The model card {path} cannot be read ({error}): convert again, or remove it.',
        ) from error
    return card if isinstance(card, dict) else {}


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Replace the folder's card."""
    with whole_file(folder / CARD) as path:
        path.write_text(json.dumps(card, indent=1) + '\n')


def world_model_of(folder: Path) -> str:
    """Return which world model the folder's transformer is for, as load_world_model names it.

    :raises DragStreamError: its configuration is missing, or it is another model's
    """
    kind = _read_config(folder, 'transformer').get('_class_name')
    if kind not in KINDS:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISMATCH,
            f'The transformer in {folder} is a {kind}: use one of {", ".join(KINDS)}.')
    return KINDS[kind]


def read_architecture(folder: Path) -> WanArchitecture:
    """Read the sizes of the transformer and the autoencoder.

    :raises DragStreamError: their configurations are missing or make no sense
    """
    try:
        return WanArchitecture.of(*(_read_config(folder, part) for part in ('transformer', 'vae')))
    except (KeyError, TypeError, IndexError) as error:
        raise _unreadable(folder, error) from error


def _read_config(folder: Path, part: str) -> dict[str, Any]:
    path = folder / part / CONFIG
    if not path.is_file():
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f'{path} does not exist: set weights_folder to a folder as docs/wan.md describes.')
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return config


def _unreadable(path: Path, error: Exception) -> DragStreamError:
    return DragStreamError(
        ErrorCode.WEIGHTS_UNREADABLE,
        f'The configuration in {path} cannot be read ({error!r}): copy it again.')


def sha256(path: Path, say: Say = silent, *, name: str = '') -> str:
    """Hash a file, gigabytes too, telling how far it is; name: what to call it."""
    digest, done, told = hashlib.sha256(), 0, 0
    size = max(path.stat().st_size, 1)
    with path.open('rb') as file:
        while block := file.read(1 << 24):
            digest.update(block)
            done += len(block)
            if done * 10 // size > told:
                told = done * 10 // size
                say(f'hashing {name or path.name}: {10 * told} %')
    return digest.hexdigest()
