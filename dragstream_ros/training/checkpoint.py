"""Files that are whole or not there; checkpoints: named groups of tensors, and notes, in one."""
from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dragstream_ros.training.errors import TrainingError
from dragstream_ros.world_models.tabletop.model import NAME, TabletopWorldModel

Tensors = Mapping[str, torch.Tensor]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes ``path`` at the end.

    A kill or a full disk leaves no half file under the name, but what was there before.

    :raises OSError: it cannot be written; the text is a sentence
    """
    partial = path.with_name(f'{path.stem}.part{os.getpid()}{path.suffix}')
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> None:
    """Remove what killed trainings were writing."""
    for path in list(folder.rglob('*.part*')):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


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
        raise _not_written(folder / NAME, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _not_written(path: Path, error: Exception) -> OSError:
    return OSError(
        f'{path} cannot be written ({getattr(error, "strerror", None) or error}). Make room there '
        'and start the same command again: it goes on where it was.')
