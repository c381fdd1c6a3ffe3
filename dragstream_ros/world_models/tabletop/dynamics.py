"""The chunk denoiser of the tabletop model: convolutions outside, causal attention in the middle.

A frame's latent (16 x 16) goes through convolutional in-blocks to 8 x 8 tokens.  The tokens of a
chunk attend to each other and to the cached keys and values of the context's frames; convolutional
out-blocks, with a skip from the in-blocks, turn them into the clean latent.  Clean frames take the
same way up to the last attention block, which leaves their keys and values in the context.

Each frame also sees the two newest clean frames before it and the drag maps, and predicts its
difference from a first guess: the newest frame carried along (flow.py, carry.py).
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from dragstream_ros.core.drag_maps import N_PLANES


@dataclass(frozen=True)
class DynamicsConfig:
    """window counts context frames besides the sink, the stream's first frame."""

    latent_channels: int = 12
    latent_size: int = 16
    channels: int = 64
    width: int = 128
    heads: int = 4
    blocks: int = 4
    frames_per_chunk: int = 5
    window: int = 7
    sink: int = 1

    @property
    def context_frames(self) -> int:
        return self.sink + self.window

    @property
    def grid(self) -> int:
        """Tokens along one side of a frame."""
        return self.latent_size // 2


class Rotary(nn.Module):
    """Rotary positions over time, row and column of a token, split over a head's dimensions.

    The turns of all ``frames`` positions that occur are made once.
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, head_dim: int, grid: int, frames: int) -> None:
        super().__init__()
        pairs = head_dim // 2
        space = pairs // 3
        half_turn = math.pi / grid                  # one turn is twice the grid: no wrap-around
        speeds = half_turn * torch.logspace(0, math.log10(grid), space)
        rows = torch.arange(grid).repeat_interleave(grid)[:, None] * speeds
        columns = torch.arange(grid).repeat(grid)[:, None] * speeds
        speeds = torch.logspace(0, -1.2, pairs - 2 * space)
        times = torch.arange(frames)[:, None, None] * speeds
        places = torch.cat([rows, columns], 1)
        angles = torch.cat([times.expand(-1, grid ** 2, -1), places.expand(frames, -1, -1)], -1)
        self.register_buffer('cos', angles.cos()[:, None], persistent=False)
        self.register_buffer('sin', angles.sin()[:, None], persistent=False)

    def rotate(self, x: torch.Tensor, slots: torch.Tensor | slice) -> torch.Tensor:
        """Rotate (..., F, heads, tokens, head_dim) to the frame positions ``slots``, F of them."""
        cos, sin = self.cos[slots], self.sin[slots]
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class ResBlock(nn.Module):
    """Two convolutions; the embedding of noise level and frame index scales and shifts between."""

    def __init__(self, channels_in: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(8, channels)
        self.modulation = nn.Linear(embedding, 2 * channels)
        self.skip = (nn.Identity() if channels_in == channels
                     else nn.Conv2d(channels_in, channels, 1))

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        h = self.norm(self.conv1(functional.silu(x))) * (1 + scale) + shift
        return self.skip(x) + self.conv2(functional.silu(h))


class AttentionBlock(nn.Module):
    """A transformer block whose attention is done in two halves, so that keys can be cached."""

    def __init__(self, width: int, heads: int, embedding: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(embedding, 4 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.query_norm = nn.RMSNorm(width // heads)
        self.key_norm = nn.RMSNorm(width // heads)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def project(self, x: torch.Tensor, embedding: torch.Tensor,
                ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B, F, tokens, width) -> queries, keys, values (B, F, heads, tokens, head_dim)."""
        scale, shift = self.modulation(embedding)[:, :, None].chunk(4, -1)[:2]
        qkv = self.qkv(self.norm1(x) * (1 + scale) + shift)
        qkv = qkv.unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        return self.query_norm(qkv[0]), self.key_norm(qkv[1]), qkv[2]

    def finish(self, x: torch.Tensor, attended: torch.Tensor,
               embedding: torch.Tensor) -> torch.Tensor:
        """Add the attention's output, (B, F, tokens, width), and the feed-forward part."""
        scale, shift = self.modulation(embedding)[:, :, None].chunk(4, -1)[2:]
        x = x + self.out(attended)
        return x + self.mlp(self.norm2(x) * (1 + scale) + shift)


def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor,
           mask: torch.Tensor | None = None) -> torch.Tensor:
    """(B, heads, tokens, head_dim) each -> (B, tokens, width)."""
    out = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


def flat(x: torch.Tensor) -> torch.Tensor:
    """(B, F, heads, tokens, head_dim) -> (B, heads, F * tokens, head_dim)."""
    return x.transpose(1, 2).flatten(2, 3)


def attend_and_finish(block: AttentionBlock, keys: torch.Tensor, values: torch.Tensor,
                      queries: torch.Tensor, x: torch.Tensor, embedding: torch.Tensor,
                      mask: torch.Tensor | None = None) -> torch.Tensor:
    """The rest of a block after ``project``, for some frames x (B, F, tokens, width) of all.

    queries of those, keys and values of all: (B, heads, tokens, head_dim).
    """
    attended = attend(queries, keys, values, mask).unflatten(1, x.shape[1:3])
    return block.finish(x, attended, embedding)


class ChunkDenoiser(nn.Module):
    """Estimates clean chunks; see the module's docstring.  Batch first: (B, F, C, h, w)."""

    def __init__(self, config: DynamicsConfig = DynamicsConfig()) -> None:
        super().__init__()
        self.config = config
        c, d = config.channels, config.width
        self.sigma_embedding = nn.Sequential(nn.Linear(32, d), nn.SiLU(), nn.Linear(d, d))
        # Frame index in its chunk; the last entry stands for clean frames.
        self.index_embedding = nn.Embedding(config.frames_per_chunk + 1, d)
        self.conv_in = nn.Conv2d(4 * config.latent_channels + N_PLANES, c, 3, padding=1)
        self.in_blocks = nn.ModuleList([ResBlock(c, c, d)])
        self.down = nn.Conv2d(c, d, 4, stride=2, padding=1)
        self.position = nn.Parameter(torch.zeros(config.grid ** 2, d))
        self.rotary = Rotary(d // config.heads, config.grid,
                             config.context_frames + config.frames_per_chunk)
        self.blocks = nn.ModuleList(
            AttentionBlock(d, config.heads, d) for _ in range(config.blocks))
        self.up = nn.Linear(d, 4 * c)
        self.out_blocks = nn.ModuleList([ResBlock(2 * c, c, d), ResBlock(c, c, d)])
        self.conv_out = nn.Conv2d(c, config.latent_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(cast(torch.Tensor, self.conv_out.bias))

    @property
    def attention_blocks(self) -> list[AttentionBlock]:
        """The middle, typed."""
        return cast('list[AttentionBlock]', list(self.blocks))

    def embed(self, sigma: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Noise levels (B, F) and frame indices (F,) -> (B, F, width)."""
        frequencies = torch.exp(torch.linspace(0, math.log(200.0), 16, device=sigma.device))
        phase = sigma[..., None] * frequencies
        return functional.silu(self.sigma_embedding(torch.cat([phase.sin(), phase.cos()], -1))
                               + self.index_embedding(index))

    def encode_frames(self, x: torch.Tensor, known: torch.Tensor, embedding: torch.Tensor,
                      maps: torch.Tensor | None = None, guess: torch.Tensor | None = None,
                      ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Run the in-blocks.

        x: (B, F, C, h, w); known: (B, F, 2C, h, w), the two newest clean frames before each;
        maps: (B, F, 6, h, w) of a drag; guess: (B, F, C, h, w), without it the newest frame.
        Returns tokens (B, F, grid^2, width) and, for the out-blocks, the frame to start from
        (B, F, C, h, w) and the skip (B * F, channels, h, w).
        """
        if maps is None:
            maps = x.new_zeros(*x.shape[:2], N_PLANES, *x.shape[3:])
        if guess is None:
            guess = known[:, :, :x.shape[2]]
        h = self.conv_in(torch.cat([x, known, guess, maps], 2).flatten(0, 1))
        for block in self.in_blocks:
            h = block(h, embedding.flatten(0, 1))
        tokens = self.down(h).flatten(2).transpose(1, 2) + self.position
        return tokens.unflatten(0, x.shape[:2]), (guess, h)

    def decode_frames(self, tokens: torch.Tensor, start: tuple[torch.Tensor, torch.Tensor],
                      embedding: torch.Tensor) -> torch.Tensor:
        """Run the out-blocks: the clean latents (B, F, C, h, w)."""
        first, skip = start
        grid = self.config.grid
        h = self.up(tokens).flatten(0, 1).transpose(1, 2).unflatten(2, (grid, grid))
        h = torch.cat([functional.pixel_shuffle(h, 2), skip], 1)
        for block in self.out_blocks:
            h = block(h, embedding.flatten(0, 1))
        return first + self.conv_out(functional.silu(h)).unflatten(0, first.shape[:2])
