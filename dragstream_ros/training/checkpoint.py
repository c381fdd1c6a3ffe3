"""Checkpoints: named groups of tensors, and notes, in one file that is whole or not there."""
from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

Tensors = Mapping[str, torch.Tensor]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes ``path`` at the end: a kill leaves no half file."""
    partial = path.with_name(f'{path.stem}.part{path.suffix}')
    yield partial
    partial.replace(path)


def write_checkpoint(path: Path, groups: Mapping[str, Tensors], notes: dict[str, Any]) -> None:
    """Write a safetensors file with the notes as JSON in its header; groups' names have no dot."""
    flat = {f'{group}.{name}': tensor.contiguous()
            for group, tensors in groups.items() for name, tensor in tensors.items()}
    with whole_file(path) as partial:
        save_file(flat, partial, {'notes': json.dumps(notes)})


def read_checkpoint(path: Path) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    """Give back the groups and the notes."""
    groups: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    with safe_open(path, 'pt') as file:
        for key in file.keys():
            group, _, name = key.partition('.')
            groups[group][name] = file.get_tensor(key)
        return groups, json.loads(file.metadata()['notes'])
