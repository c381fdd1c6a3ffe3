"""What a branch of a stream adds to memory: counted from its parts, and measured."""

from __future__ import annotations

import gc
from collections import deque
from typing import Any

import numpy as np
import torch

from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.machine import resident_bytes
from dragstream_ros.evaluation.table_film import camera_film
from dragstream_ros.masks.touched_region import touched_region
from dragstream_ros.memory import give_back_freed_memory
from dragstream_ros.planning.candidates import smooth_drag


def measure_branches(world_model: WorldModel, *, n_branches: int) -> dict[str, float]:
    """Hold so many branches that are each a chunk on their way; bytes for each."""
    width, height = world_model.image_size
    film = camera_film((width, height), 10)
    stream = DragStream(world_model, None, StreamConfig(), grow=touched_region)
    stream.reset(film, [round(index * world_model.frame_period_secs * 1e9)
                         for index in range(len(film))])

    def begun(index: int) -> DragStream:
        branch = stream.branch(10.0)
        branch.push_drag(smooth_drag(
            np.array([40.0, 40.0]), np.array([48.0 + index, 52.0]), image_size=(width, height)))
        branch.step()
        return branch

    branches = [begun(0), begun(1)]  # what is made once is made now
    before = _used_bytes()
    branches += [begun(index) for index in range(n_branches)]
    measured = (_used_bytes() - before) / n_branches
    past = held_bytes(stream)
    added = held_bytes(branches[-1])
    return {
        'shared_bytes': float(sum(past.values())),
        'computed_bytes': float(sum(
            size for place, size in added.items() if place not in past)),
        'measured_bytes': measured}


def _used_bytes() -> int:
    gc.collect()
    give_back_freed_memory()
    return resident_bytes()


def held_bytes(stream: DragStream) -> dict[int, int]:
    """Sizes of all blocks of memory that a stream holds, the world model aside, by address."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    waiting: deque[Any] = deque([stream])
    while waiting:
        item = waiting.popleft()
        if id(item) in seen or item is stream.world_model:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            storage = item.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
        elif isinstance(item, np.ndarray):
            whole = item
            while isinstance(whole.base, np.ndarray):
                whole = whole.base
            if not isinstance(whole.base, torch.Tensor):
                found[whole.ctypes.data] = whole.nbytes
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | deque):
            waiting.extend(item)
        elif type(item).__module__.startswith('dragstream_ros'):
            if not isinstance(item, torch.nn.Module):
                waiting.extend(vars(item).values() if hasattr(item, '__dict__') else ())
    return found
