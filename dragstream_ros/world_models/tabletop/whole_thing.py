"""How far a thing goes on where others hide it: what comes to light when they leave.

A very small U-Net, which knows the shapes of the simulation, looks at one thing alone, and at where
others may hide some of it.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from dragstream_ros.world_models.tabletop.bare_table import Block

PLANES = 5              # its colours, where it is seen, where others are
SIDE_PX = 64            # of what is looked at, the thing in the middle


@dataclass(frozen=True)
class WholeThingConfig:
    """width: channels; kernels: of the levels, each half as large as the one before."""

    width: int = 18
    kernels: tuple[int, ...] = (3, 5, 7)


class WholeThing(nn.Module):
    """From views of things, see view_of, (B, 5, h, w), to logits of where they are."""

    def __init__(self, config: WholeThingConfig = WholeThingConfig()) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Conv2d(PLANES, config.width, 3, stride=2, padding=1)
        self.before, self.after = (
            nn.ModuleList(Block(config.width, kernel) for kernel in kernels)
            for kernels in (config.kernels, config.kernels[:-1]))
        self.out = nn.Conv2d(config.width, 4, 1)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return (B, h, w)."""
        x, skips = self.stem(views * 2 - 1), []
        for level, block in enumerate(self.before):
            x = block(functional.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.after))):
            x = functional.interpolate(x, scale_factor=2, mode='nearest')
            x = self.after[level](x + skips[level])
        return functional.pixel_shuffle(self.out(x), 2)[:, 0]


def view_of(picture: np.ndarray, seen: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of (H, W, 3) uint8 RGB, and a thing and others in it (H, W) bool: (5, 64, 64) float32."""
    planes = np.concatenate([
        picture * seen[..., None] / np.float32(255), seen[..., None], others[..., None]], -1)
    return cut_out(planes, seen).transpose(2, 0, 1).astype(np.float32)


def cut_out(planes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What is around a thing (H, W) bool: (64, 64, ...), zeros beyond the picture."""
    y, x = _corner(seen)
    padding = ((SIDE_PX, SIDE_PX),) * 2 + ((0, 0),) * (planes.ndim - 2)
    return np.pad(planes, padding)[SIDE_PX + y:2 * SIDE_PX + y, SIDE_PX + x:2 * SIDE_PX + x]


def put_back(view: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The reverse, of a view (64, 64): (H, W), zeros elsewhere."""
    y, x = _corner(seen)
    whole = np.zeros((seen.shape[0] + 2 * SIDE_PX, seen.shape[1] + 2 * SIDE_PX), view.dtype)
    whole[SIDE_PX + y:2 * SIDE_PX + y, SIDE_PX + x:2 * SIDE_PX + x] = view
    return whole[SIDE_PX:-SIDE_PX, SIDE_PX:-SIDE_PX]


def _corner(seen: np.ndarray) -> tuple[int, int]:
    y, x = (int(axis.mean()) for axis in np.nonzero(seen))
    return y - SIDE_PX // 2, x - SIDE_PX // 2
