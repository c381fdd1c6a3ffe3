"""The transformer of diffusers' Wan, run causally: a chunk at a time over remembered pages."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttention
from torch import nn
from torch.nn import functional

from dragstream_ros.core.world_model import Denoised, Tap
from dragstream_ros.world_models.wan.context import Page
from dragstream_ros.world_models.wan.rotary import Rotary

TRAINED_STEPS = 1000.0      # what the model calls time is the noise level times this


@dataclass
class Pass:
    """One chunk's way through the blocks: what their attention reads, and what it leaves behind.

    taps: of the blocks that are asked for.  own: keys, un-rotated, and values (heads, tokens,
    head_dim) of the chunk in every block, where the chunk is to be remembered.
    """

    past: Sequence[Page]
    rotary: Rotary
    wanted: frozenset[int] = frozenset()
    remember: bool = False
    taps: dict[int, Tap] = field(default_factory=dict)
    own: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)


class CausalAttention:
    """Processor of one block's self-attention: the chunk sees all pages of the past, and itself."""

    def __init__(self, block: int) -> None:
        self.block = block

    def __call__(self, attn: WanAttention, hidden_states: torch.Tensor, text: None, mask: None,
                 run: Pass) -> torch.Tensor:
        """hidden_states: (1, tokens, width) of the chunk; run: what a block is given as rotary."""
        queries, keys, values = (
            x[0].unflatten(-1, (attn.heads, -1)).transpose(0, 1) for x in (
                attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(hidden_states)),
                attn.to_v(hidden_states)))
        if run.remember:
            run.own.append((keys, values))
        queries = run.rotary(queries, len(run.past))
        keys = run.rotary(torch.cat([*(page.keys[self.block] for page in run.past), keys], 1))
        values = torch.cat([*(page.values[self.block] for page in run.past), values], 1)
        if self.block in run.wanted:
            run.taps[self.block] = Tap(queries, keys, values)
        out = functional.scaled_dot_product_attention(queries[None], keys[None], values[None])
        return attn.to_out[0](out[0].transpose(0, 1).flatten(1)[None])


class CausalWan(nn.Module):
    """Denoises and remembers chunks of latents.

    prompt: (tokens, text_dim), what the text encoder made of the words, padding included.
    grid: (h, w) tokens of a latent frame.  frames: that attention ever sees at once.
    """

    prompt: torch.Tensor

    def __init__(self, transformer: WanTransformer3DModel, prompt: torch.Tensor, *,
                 grid: tuple[int, int], frames: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.grid = grid
        self.register_buffer('prompt', prompt[None], persistent=False)
        config = transformer.config
        self.rotary = Rotary(config.attention_head_dim, grid, frames, device=prompt.device)
        for index, block in enumerate(transformer.blocks):
            block.attn1.set_processor(CausalAttention(index))

    def denoise(self, x: torch.Tensor, sigma: float, past: Sequence[Page],
                taps: Sequence[int] = (), stop_after_taps: bool = False) -> Denoised:
        """Estimate the clean chunk from the noisy one x (F, C, h, w) float32 at noise level sigma.

        Gradients reach x.  stop_after_taps: run no block beyond the last one tapped; no estimate.
        """
        run = Pass(past, self.rotary, frozenset(taps))
        depth = max(taps) + 1 if stop_after_taps else len(self.transformer.blocks)
        tokens, embedding = self._through(x, sigma, run, depth)
        if stop_after_taps:
            return Denoised(None, run.taps)
        velocity = self._out(tokens, embedding, len(x)).float()
        return Denoised(x - sigma * velocity, run.taps)

    @torch.no_grad()
    def remember(self, x0: torch.Tensor, past: Sequence[Page]) -> list[Page]:
        """Return a page for each frame of the clean chunk (F, C, h, w), by one pass at no noise."""
        run = Pass(past, self.rotary, remember=True)
        self._through(x0, 0.0, run, len(self.transformer.blocks))
        keys, values = zip(*run.own)
        count = self.rotary.tokens_per_frame
        spans = [slice(frame * count, (frame + 1) * count) for frame in range(len(x0))]
        return [Page(torch.stack([block[:, span] for block in keys]),
                     torch.stack([block[:, span] for block in values])) for span in spans]

    def _through(self, x: torch.Tensor, sigma: float, run: Pass, depth: int,
                 ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the first blocks; returns tokens (1, F * h * w, width) and the time embedding."""
        net = self.transformer
        pixels = x.transpose(0, 1)[None].to(net.patch_embedding.weight.dtype)
        tokens = net.patch_embedding(pixels).flatten(2).transpose(1, 2).contiguous()
        time = x.new_full((1,), TRAINED_STEPS * sigma)
        embedding, modulation, text, _ = net.condition_embedder(time, self.prompt)
        modulation = modulation.unflatten(1, (6, -1))
        for block in net.blocks[:depth]:
            tokens = block(tokens, text, modulation, run)
        return tokens, embedding

    def _out(self, tokens: torch.Tensor, embedding: torch.Tensor, frames: int) -> torch.Tensor:
        """Tokens to the velocity (F, C, h, w)."""
        net = self.transformer
        shift, scale = (net.scale_shift_table + embedding[:, None]).chunk(2, 1)
        tokens = (net.norm_out(tokens.float()) * (1 + scale) + shift).type_as(tokens)
        patches = net.proj_out(tokens)[0].unflatten(0, (frames, *self.grid))
        patches = patches.unflatten(-1, (*net.config.patch_size[1:], -1))
        return patches.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
