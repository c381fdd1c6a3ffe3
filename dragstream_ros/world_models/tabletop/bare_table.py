"""The table as it would be with nothing on it: what comes to light where something leaves.

A small U-Net, which knows the simulation's tables, paints what the things of a picture hide.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional

PLANES = 9              # two pictures, what is known of them, and where in the picture


@dataclass(frozen=True)
class BareTableConfig:
    """fine: channels at the picture's size; widths: below that, each half as large."""

    fine: int = 12
    widths: tuple[int, ...] = (16, 28, 40, 52)
    blocks: tuple[int, ...] = (1, 1, 2, 1)
    kernels: tuple[int, ...] = (3, 5, 7, 7)


class Block(nn.Module):
    """Each channel looks around by itself, then all are mixed; added to what comes in."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.wide = nn.Conv2d(channels, 2 * channels, 1)
        self.out = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, x + self.out(self.wide(self.norm(self.around(x))).relu()))


class BareTable(nn.Module):
    """From pictures (B, 3, H, W) in 0..1, and where something lies, to the table alone."""

    def __init__(self, config: BareTableConfig = BareTableConfig()) -> None:
        super().__init__()
        self.config = config
        around = (config.fine, *config.widths)
        self.stem = nn.Conv2d(PLANES, config.fine, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(wide, narrow, 2, stride=2)
                                  for wide, narrow in zip(around, config.widths))
        self.before, self.after = (nn.ModuleList(
            nn.Sequential(*(Block(width, kernel) for _ in range(count)))
            for width, count, kernel in zip(config.widths, config.blocks, config.kernels))
            for _ in range(2))
        self.up = nn.ModuleList(nn.Conv2d(narrow, wide, 1)
                                for wide, narrow in zip(around, config.widths))
        self.wide = nn.Conv2d(config.fine, 2 * config.fine, 3, padding=1)
        self.out = nn.Conv2d(2 * config.fine, 3, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(cast(torch.Tensor, self.out.bias))

    def forward(self, pictures: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return tables (B, 3, H, W), about in 0..1.

        hidden: (B, 1, H, W) float32, 1 where something is on the table, else 0.
        """
        seen = 1 - hidden
        filled = _fill_from_around(pictures * seen, seen)
        fine = self.stem(torch.cat([filled, pictures, seen, _place(pictures)], 1) * 2 - 1)
        x, skips = fine, []
        for down, blocks in zip(self.down, self.before):
            x = blocks(down(x))
            skips.append(x)
        for level in reversed(range(len(self.down))):
            x = self.after[level](x if level == len(self.down) - 1 else x + skips[level])
            x = functional.interpolate(self.up[level](x), scale_factor=2, mode='nearest')
        return cast(torch.Tensor, filled + self.out(self.wide((x + fine).relu()).relu()))


def _fill_from_around(sums: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Means of what is seen: of pixels where there are any, else of ever larger parts around."""
    if sums.shape[-1] == 1:
        return sums / weight.clamp_min(1e-6)
    coarse = _fill_from_around(*(functional.avg_pool2d(of, 2) for of in (sums, weight)))
    around = functional.interpolate(coarse, scale_factor=2, mode='bilinear')
    return torch.where(weight > 0, sums / weight.clamp_min(1e-6), around)


def _place(pictures: torch.Tensor) -> torch.Tensor:
    height, width = pictures.shape[-2:]
    y, x = torch.meshgrid(*(torch.linspace(0, 1, size, device=pictures.device)
                            for size in (height, width)), indexing='ij')
    return torch.stack([x, y]).expand(len(pictures), -1, -1, -1)
