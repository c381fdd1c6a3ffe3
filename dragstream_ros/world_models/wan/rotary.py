"""Rotary position embedding of Wan's tokens, from any latent frame on."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed

from dragstream_ros.core.world_model import Tap


class Rotary:
    """Rotates queries and keys (heads, tokens, head_dim) by time, row and column of their token.

    frames: how many latent frames have a position, counted from the oldest that attention sees.
    grid: (h, w) tokens of a frame.  merged: tokens along a side that are one here, which is in
    their middle.
    """

    def __init__(self, head_dim: int, grid: tuple[int, int], frames: int, *,
                 device: torch.device, merged: int = 1) -> None:
        embed = WanRotaryPosEmbed(head_dim, (1, 1, 1), max(frames, *grid))
        # Each angle stands twice, for the two numbers that it turns.
        cos, sin = (table[0, :, 0, ::2] for table in embed(torch.empty(1, 0, frames, *grid)))
        h, w = grid[0] // merged, grid[1] // merged
        self.tokens_per_frame = h * w
        if merged > 1:
            cos, sin = (table.reshape(frames, h, merged, w, merged, -1).mean((2, 4)).flatten(0, 2)
                        for table in (cos, sin))
            length = torch.hypot(cos, sin)
            cos, sin = cos / length, sin / length
        self._cos, self._sin = (table.to(device).float() for table in (cos, sin))

    def __call__(self, tokens: torch.Tensor, first_frame: int = 0) -> torch.Tensor:
        """Rotate whole frames of tokens, the first of them at ``first_frame``."""
        start = first_frame * self.tokens_per_frame
        cos, sin = (table[start:start + tokens.shape[1]] for table in (self._cos, self._sin))
        a, b = tokens.float().unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).type_as(tokens)


class Window:
    """A chunk sees all pages of the past and itself, each frame at its place (block.Sight)."""

    def __init__(self, rotary: Rotary) -> None:
        self._rotary = rotary

    def __call__(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor,
                 past_keys: Sequence[torch.Tensor], past_values: Sequence[torch.Tensor],
                 ) -> tuple[Tap, Tap]:
        seen = Tap(self._rotary(queries, len(past_keys)),
                   self._rotary(torch.cat([*past_keys, keys], 1)),
                   torch.cat([*past_values, values], 1))
        return seen, seen
