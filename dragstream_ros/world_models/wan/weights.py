"""Reads one part of a model, a folder as diffusers writes it, and says plainly what is wrong."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.misfits import misfits


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
    if wrong := misfits(model, state):
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISMATCH,
            f'The weights in {folder} do not fit their config.json ({len(wrong)} tensors differ, '
            f'first {wrong[0]}): use the two files that belong together.')
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)
