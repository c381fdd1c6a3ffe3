"""Reads one part of a model, a folder as diffusers writes it, and says plainly what is wrong."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from dragstream_ros.errors import DragStreamError, ErrorCode


def load_part(kind: Any, folder: Path, *, device: torch.device, dtype: torch.dtype) -> Any:
    """Load a diffusers model of class ``kind`` from config.json and all safetensors beside it.

    Tensor by tensor, so that nothing is held twice; no network.  DragStreamError: files are
    missing, cannot be read, or do not fit the configuration.
    """
    files = sorted(folder.glob('*.safetensors'))
    if not files or not (folder / 'config.json').is_file():
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f'{folder} does not hold a config.json and safetensors of {kind.__name__}: set '
            'weights_folder to a folder as docs/wan.md describes.')
    try:
        with torch.device('meta'):
            model = kind.from_config(kind.load_config(folder, local_files_only=True))
        precise = set(kind._keep_in_fp32_modules or ())

        def placed(name: str, tensor: torch.Tensor) -> torch.Tensor:
            keep = precise & set(name.split('.'))
            return tensor.to(device, torch.float32 if keep else dtype)

        state = {}
        for file in files:
            with safe_open(file, 'pt') as tensors:
                state.update({name: placed(name, tensors.get_tensor(name))
                              for name in tensors.keys()})
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_UNREADABLE,
            f'The weights in {folder} cannot be read ({error}): a file is damaged or is of another '
            'model; copy it again.') from error
    _check_fit(model, state, folder)
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def _check_fit(model: nn.Module, state: dict[str, torch.Tensor], folder: Path) -> None:
    own = {name: value.shape for name, value in model.state_dict().items()}
    wrong = sorted(name for name in own.keys() | state.keys()
                   if name not in own or name not in state or own[name] != state[name].shape)
    if wrong:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISMATCH,
            f'The weights in {folder} do not fit their config.json ({len(wrong)} tensors differ, '
            f'first {wrong[0]}): use the two files that belong together.')
