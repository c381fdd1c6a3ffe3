"""Reads tensors from published checkpoint files, without running anything that is in them."""
from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dragstream_ros.errors import DragStreamError, ErrorCode

ZIP_START = b'PK'
# Left in names by the wrappers that a model was trained in.
TRAINING_WRAPPERS = ('_fsdp_wrapped_module.', '_checkpoint_wrapped_module.', '_orig_mod.')


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a .safetensors, .pt or .pth file; values may be tensors or dictionaries of them.

    Tensors of a .pt stay on the disk until they are used.  DragStreamError says why a file is none.
    """
    if not path.is_file():
        raise DragStreamError(ErrorCode.WEIGHTS_MISSING,
                              f'{path} does not exist: name the file that you downloaded.')
    try:
        if path.suffix == '.safetensors':
            return dict(load_file(path))
        content = _read_pickle(path)
    except (OSError, SafetensorError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_UNREADABLE,
            f'{path} cannot be read ({error}): it is cut short or no checkpoint; compare its size '
            'and hash with the published ones and copy it again.') from error
    if not isinstance(content, dict) or not content:
        raise DragStreamError(
            ErrorCode.WEIGHTS_UNREADABLE,
            f'{path} holds no named tensors (but a {type(content).__name__}): it is no checkpoint; '
            'name the file with the weights.')
    return content


def _read_pickle(path: Path) -> Any:
    is_zip = zipfile.is_zipfile(path)
    with path.open('rb') as file:
        if not is_zip and file.read(2) == ZIP_START:
            raise OSError('its end is missing')
    try:
        return torch.load(path, map_location='cpu', weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        if 'GLOBAL' in str(error):      # the pickle's word for a class or a function
            raise DragStreamError(
                ErrorCode.WEIGHTS_UNREADABLE,
                f'{path} holds Python objects besides tensors, and reading those could run code: '
                'it is refused; ask its author for safetensors.') from error
        raise OSError('not a PyTorch file') from error
    except (RuntimeError, EOFError, ValueError, KeyError, struct.error) as error:
        raise OSError(str(error).splitlines()[0] if str(error) else 'not a PyTorch file') from error


def weights_of(content: dict[str, Any], path: Path, choice: str | None) -> dict[str, torch.Tensor]:
    """Take one model's tensors, without the prefixes of training.

    choice: the entry of a file that holds several, as 'generator_ema'; None: whatever there is, for
        files that hold one model.
    """
    if choice is not None and any(isinstance(value, dict) for value in content.values()):
        if choice not in content:
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'{path} has no {choice!r} but {_listed(content)}: choose one of them with '
                '--weights.')
        content = content[choice]
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors or len(tensors) < len(content):
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISMATCH,
            f'{path} holds {_listed(content)} where weights were expected: name a file with the '
            'weights of one model.')
    cleaned = {}
    for name, value in tensors.items():
        for wrapper in TRAINING_WRAPPERS:
            name = name.replace(wrapper, '')
        cleaned[name.removeprefix('model.')] = value
    return cleaned


def _listed(content: dict[str, Any]) -> str:
    names = sorted(map(repr, content))
    return ', '.join(names[:4]) + (f' and {len(names) - 4} more' if len(names) > 4 else '')
