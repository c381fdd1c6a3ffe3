"""A causal video transformer small enough to check arithmetic on, in float64."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from dragstream_ros.core.world_model import Conditions, Denoised, Tap

FRAMES, CHANNELS, SIDE, PATCH, HEADS, WIDTH = 3, 4, 12, 2, 2, 16
GRID = SIDE // PATCH


class TinyWorldModel(nn.Module):
    """What guidance asks of a world model; its context is clean latents (K, C, h, w)."""

    image_size = (96, 96)
    frames_per_chunk = FRAMES
    sigmas = (0.9, 0.5)
    latent_shape = (CHANNELS, SIDE, SIDE)
    token_grid = (GRID, GRID)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.into = nn.Linear(CHANNELS * PATCH ** 2, WIDTH)
        self.position = nn.Parameter(torch.randn(GRID ** 2, WIDTH))
        self.qkv = nn.ModuleList(nn.Linear(WIDTH, 3 * WIDTH) for _ in range(2))
        self.mlp = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.out = nn.Linear(WIDTH, CHANNELS * PATCH ** 2)
        self.double().requires_grad_(False)

    def denoise(self, x: torch.Tensor, step: int, conditions: Conditions,
                taps: tuple[int, ...] = (), stop_after_taps: bool = False) -> Denoised:
        past = conditions.context
        tokens = functional.pixel_unshuffle(torch.cat([past, x]), PATCH).flatten(2).transpose(1, 2)
        hidden = (self.into(tokens) + self.position).flatten(0, 1) + self.sigmas[step]
        own = slice(len(past) * GRID ** 2, None)
        tapped = {}
        for index, (qkv, mlp) in enumerate(zip(self.qkv, self.mlp)):
            q, k, v = qkv(hidden).unflatten(-1, (3, HEADS, -1)).permute(1, 2, 0, 3)
            if index in taps:
                tapped[index] = Tap(q[:, own], k, v)
            attended = functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
            hidden = hidden + mlp(attended.transpose(0, 1).flatten(1)).tanh()
        out = self.out(hidden[own]).unflatten(0, (-1, GRID ** 2)).transpose(1, 2)
        out = functional.pixel_shuffle(out.unflatten(2, (GRID, GRID)), PATCH)
        return Denoised(None if stop_after_taps else cast(torch.Tensor, x + out), tapped)
