"""Where what is seen next comes from: a flow from the newest frame to every frame of a chunk.

Pictures that are carried along a flow stay sharp, and a flow is smooth and quickly learnt, where a
small denoiser takes long to learn to move things and blurs them.  So the flow makes a first guess
of the chunk (carry.py), and the denoiser corrects it.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from dragstream_ros.core.drag_maps import N_PLANES, map_flow, map_hole

SELDOM = 3.0            # minus the logit of a hole, before anything is learnt


@dataclass(frozen=True)
class FlowConfig:
    """channels at the latent's size, width at half of it; fine: flow cells along a latent cell."""

    latent_channels: int = 12
    latent_size: int = 16
    channels: int = 96
    width: int = 192
    heads: int = 6
    blocks: int = 3
    frames_per_chunk: int = 5
    fine: int = 4


@dataclass(frozen=True)
class Flow:
    """Backward: what is at p of a frame was at p - displacement of the newest.

    displacement: (B, F, 2, H', W'), (x, y) in latent cells.  hole: (B, F, 1, H', W') logits of its
    not having been seen there.
    """

    displacement: torch.Tensor
    hole: torch.Tensor


class _Residual(nn.Module):
    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = (nn.Identity() if channels_in == channels
                     else nn.Conv2d(channels_in, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        return cast(torch.Tensor, self.skip(x) + self.conv2(functional.silu(self.norm2(h))))


class _Attention(nn.Module):
    """Every place sees every other: a hand that is dragged at one end moves the whole arm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, tokens, width)."""
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        attended = functional.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return cast(torch.Tensor, x + self.mlp(self.norm2(x)))


class FlowNet(nn.Module):
    """Predicts the flow of a chunk from the two newest frames and the drag maps."""

    def __init__(self, config: FlowConfig = FlowConfig()) -> None:
        super().__init__()
        self.config = config
        c, d, frames = config.channels, config.width, config.frames_per_chunk
        self.conv_in = nn.Conv2d(
            2 * config.latent_channels + frames * N_PLANES, c, 3, padding=1)
        self.position = nn.Parameter(torch.zeros(c, config.latent_size, config.latent_size))
        self.before = _Residual(c, c)
        self.down = nn.Conv2d(c, d, 4, stride=2, padding=1)
        self.middle = nn.Sequential(*(
            _Attention(d, config.heads) for _ in range(config.blocks)))
        self.up = nn.Conv2d(d, 4 * c, 1)
        self.after = _Residual(2 * c, c)
        self.conv_out = nn.Conv2d(c, frames * 4 * config.fine ** 2, 1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(cast(torch.Tensor, self.conv_out.bias))

    def forward(self, newest: torch.Tensor, maps: torch.Tensor | None = None) -> Flow:
        """newest: (B, 2C, h, w), the two newest latents, the newest first; maps: (B, F, 6, h, w).

        Where a drag is near, its displacement counts as surely as the network thinks that what is
        there is held, starting from what the maps tell by themselves: the nearer the surer.
        """
        batch, frames, size = len(newest), self.config.frames_per_chunk, newest.shape[2:]
        told = (newest.new_zeros(batch, frames * N_PLANES, *size) if maps is None
                else maps.flatten(1, 2))
        h = self.conv_in(torch.cat([newest, told], 1)) + self.position
        skip = self.before(h)
        low = self.down(skip)
        tokens = self.middle(low.flatten(2).transpose(1, 2))
        low = tokens.transpose(1, 2).view_as(low)
        h = torch.cat([functional.pixel_shuffle(self.up(low), 2), skip], 1)
        h = functional.pixel_shuffle(self.conv_out(functional.silu(self.after(h))),
                                     self.config.fine)
        displacement, hole, held = h.unflatten(1, (-1, 4)).split([2, 1, 1], 2)
        hole = hole - SELDOM
        if maps is not None:
            fine = functional.interpolate(
                maps.flatten(0, 1), scale_factor=self.config.fine, mode='bilinear')
            fine = fine.unflatten(0, (batch, frames))
            asked, near = map_flow(fine)
            displacement = displacement + asked * (held + near.logit(1e-4)).sigmoid()
            hole = hole + 2 * SELDOM * map_hole(fine) * (1 - near)
        return Flow(displacement, hole)
