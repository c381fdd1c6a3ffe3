"""masks/thing_net.py for torch, to be trained: the same network, its weights by the same names."""
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

PLANES, FINE, WIDTHS = 6, 12, (24, 40, 56, 64)      # channels of the picture, at its size, below
FEATURES, QUERY = 16, 48


class Block(nn.Module):
    """Two convolutions, added to what comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.square().mean(1, keepdim=True).add(1e-5).sqrt()
        normal = x / size * self.gain[:, None, None]
        return x + self.last(self.first(normal.relu()).relu())


class ThingModule(nn.Module):
    """From pictures (B, 3, H, W) in 0..1 to logits: is each pixel of the touched thing?"""

    def __init__(self) -> None:
        super().__init__()
        around = (FINE, *WIDTHS)
        self.stem = nn.Conv2d(PLANES, FINE, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(wide, narrow, 2, stride=2) for wide, narrow in zip(around, WIDTHS))
        self.before = nn.ModuleList(Block(channels) for channels in WIDTHS)
        self.middle = Block(WIDTHS[-1])
        self.up = nn.ModuleList(
            nn.Conv2d(narrow, wide, 1) for wide, narrow in zip(around, WIDTHS))
        self.after = nn.ModuleList(Block(channels) for channels in WIDTHS[:-1])
        self.head = nn.ModuleList(
            [nn.Conv2d(FINE, 2 * FINE, 3, padding=1), nn.Conv2d(2 * FINE, FEATURES, 1)])
        self.query = nn.ModuleList([nn.Linear(FEATURES, QUERY), nn.Linear(QUERY, FEATURES + 1)])

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Describe every pixel: (B, FEATURES, H, W)."""
        fine = self.stem(_planes(pictures))
        x, skips = fine, []
        for down, block in zip(self.down, self.before):
            x = block(down(x))
            skips.append(x)
        x = self.middle(skips.pop())
        *ups, last_up = reversed(self.up)
        for up, block in zip(ups, reversed(self.after)):
            x = block(_twice(up(x)) + skips.pop())
        return self.head[1](self.head[0]((_twice(last_up(x)) + fine).relu()).relu())

    def forward(self, pictures: torch.Tensor, touches_px: torch.Tensor) -> torch.Tensor:
        """touches_px: (B, N, 2) int64, (x, y); returns (B, N, H, W) logits."""
        described = self.features(pictures)
        x, y = touches_px.unbind(-1)
        at = (y * pictures.shape[-1] + x)[:, None].expand(-1, FEATURES, -1)
        touched = described.flatten(2).gather(2, at).transpose(1, 2)
        query = self.query[1](self.query[0](touched).relu())
        return torch.einsum('bne,behw->bnhw', query[..., :-1], described) + query[..., -1:, None]


def _planes(pictures: torch.Tensor) -> torch.Tensor:
    height, width = pictures.shape[-2:]
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, size, device=pictures.device)
                            for size in (height, width)), indexing='ij')
    rim = torch.maximum(x.abs(), y.abs()) ** 8
    place = torch.stack([x, y, rim]).expand(len(pictures), -1, -1, -1)
    return torch.cat([pictures * 2 - 1, place], 1)


def _twice(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=2, mode='nearest')
