"""Which tensors of a file are not those of the model that is to load it."""
from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def misfits(model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
    """Names, sorted, that only one of them has, or that differ in shape; none if all fits."""
    own = model.state_dict()
    return sorted(name for name in own.keys() | state.keys()
                  if name not in own or name not in state
                  or own[name].shape != state[name].shape)
