"""Checkpoints: named groups of tensors, and notes, in one file."""
from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dragstream_ros.training.errors import TrainingError
from dragstream_ros.whole_file import not_written, whole_file
from dragstream_ros.world_models.tabletop.model import NAME, TabletopWorldModel

Tensors = Mapping[str, torch.Tensor]


def write_checkpoint(path: Path, groups: Mapping[str, Tensors], notes: dict[str, Any]) -> None:
    """Write a safetensors file with the notes as JSON in its header; groups' names have no dot."""
    flat = {f'{group}.{name}': tensor.cpu().contiguous()
            for group, tensors in groups.items() for name, tensor in tensors.items()}
    with whole_file(path) as partial:
        partial.write_bytes(save(flat, {'notes': json.dumps(notes)}))


def read_checkpoint(path: Path) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    """Give back the groups and the notes."""
    groups: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    try:
        with safe_open(path, 'pt') as file:
            for key in file.keys():
                group, _, name = key.partition('.')
                groups[group][name] = file.get_tensor(key)
            return groups, json.loads(file.metadata()['notes'])
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise TrainingError(
            f'{path} cannot be read ({error}): it is damaged or is no checkpoint. Delete it, and '
            'the same command does this stage anew.') from error


def save_model(model: TabletopWorldModel, folder: Path, card: dict[str, Any]) -> Path:
    """Write the weights, and beside them the configuration with the model card."""
    partial = folder / f'{NAME}.part{os.getpid()}'
    try:
        partial.mkdir()
        written = model.save(partial, card)
        for path in sorted(partial.iterdir()):
            path.replace(folder / path.name)
        return folder / written.name
    except (OSError, SafetensorError) as error:
        raise not_written(folder / NAME, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
