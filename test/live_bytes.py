"""Counts the bytes of all tensors that are alive, real ones or those without numbers (meta)."""

from __future__ import annotations

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Within it: ``now``, what was made and is still held, and ``peak``, the most of that."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        given = {id(storage) for storage in map(_storage, tree_leaves((args, kwargs))) if storage}
        for storage in map(_storage, tree_leaves(result)):
            if storage is None or id(storage) in given:
                continue
            known = self._known.get(id(storage))
            if known is None or known() is not storage:
                self._made(storage)
        return result

    def _made(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        self._known[key] = weakref.ref(storage)
        weakref.finalize(storage, self._gone, key, size)
        self.now += size
        self.peak = max(self.peak, self.now)

    def _gone(self, key: int, size: int) -> None:
        self._known.pop(key, None)
        self.now -= size


def _storage(value: object) -> torch.UntypedStorage | None:
    return value.untyped_storage() if isinstance(value, torch.Tensor) else None
