"""The transformer of diffusers' AnyFlow-FAR, run causally: pages of two sizes."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from dragstream_ros.core.world_model import Tap
from dragstream_ros.world_models.wan.config import PATCH_CELLS
from dragstream_ros.world_models.wan.context import Page
from dragstream_ros.world_models.wan.rotary import Rotary
from dragstream_ros.world_models.wan.transformer import CausalWan

# diffusers' pipeline fills queries, keys and values of a chunk that it denoises up to a multiple of
# this with zeros, and masks none, so the released weights expect zeros among the keys.
FILLED_TO = 128


class FarWindow:
    """A chunk sees the far pages, those in full, and itself (block.Sight).

    own: rotates the chunk; it is one of the far ones where that is ``far``.  filled_to: see above;
    1: not at all.  Guidance matches what is seen in full.
    """

    def __init__(self, near: Rotary, far: Rotary, own: Rotary, *, filled_to: int = 1) -> None:
        self._near, self._far, self._own, self._filled_to = near, far, own, filled_to

    def __call__(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor,
                 past_keys: Sequence[torch.Tensor], past_values: Sequence[torch.Tensor],
                 ) -> tuple[Tap, Tap]:
        count = sum(page.shape[1] < self._near.tokens_per_frame for page in past_keys)
        near_keys = self._own(torch.cat([*past_keys[count:], keys], 1), count)
        near_values = torch.cat([*past_values[count:], values], 1)
        queries = self._own(queries, len(past_keys))
        all_keys, all_values = near_keys, near_values
        if count:
            all_keys = torch.cat([self._far(torch.cat([*past_keys[:count]], 1)), near_keys], 1)
            all_values = torch.cat([*past_values[:count], near_values], 1)
        fill = (0, 0, 0, -queries.shape[1] % self._filled_to)
        seen = Tap(queries, functional.pad(all_keys, fill), functional.pad(all_values, fill))
        return seen, Tap(queries, near_keys, near_values)


class CausalFar(CausalWan):
    """Denoises and remembers chunks; each pass asks for all of the way to a clean chunk."""

    def __init__(self, transformer: Any, prompt: torch.Tensor, *, grid: tuple[int, int],
                 frames: int) -> None:
        super().__init__(transformer, prompt, grid=grid, frames=frames)
        near = self.rotary
        far = Rotary(transformer.config.attention_head_dim, grid, frames, device=prompt.device,
                     merged=transformer.config.compressed_patch_size[1] // PATCH_CELLS)
        self.window = FarWindow(near, far, near, filled_to=FILLED_TO)
        self.memory_window = FarWindow(near, far, near)
        self.far_window = FarWindow(near, far, far)

    @torch.no_grad()
    def remember_far(self, x0: torch.Tensor, past: Sequence[Page]) -> list[Page]:
        """Return a page of few tokens for each frame of the clean chunk; past: pages such as it."""
        tokens = self._tokens(x0, self.transformer.far_patch_embedding)
        return self._pages(tokens, len(x0), past, self.far_window)

    def _time_embedding(self, sigma: float) -> torch.Tensor:
        """Of two noise levels: where a chunk is, and where it is to go, which is no noise."""
        embed, config = self.transformer.condition_embedder, self.transformer.config
        delta = 0.0 if config.deltatime_type == 'r' else sigma
        return ((1 - config.gate_value) * self._embedded(sigma, embed.time_embedder)
                + config.gate_value * self._embedded(delta, embed.delta_embedder))
