"""The transformer of diffusers' Wan, run causally: a chunk at a time over remembered pages."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dragstream_ros.core.world_model import Denoised, Tap
from dragstream_ros.world_models.wan.block import KeysValues, Sight, heads, through_block
from dragstream_ros.world_models.wan.context import Page
from dragstream_ros.world_models.wan.rotary import Rotary, Window

TRAINED_STEPS = 1000.0      # what the model calls time is the noise level times this


class CausalWan(nn.Module):
    """Denoises and remembers chunks of latents.

    prompt: (tokens, text_dim), what the text encoder made of the words, padding included.
    grid: (h, w) tokens of a latent frame.  frames: that attention ever sees at once.
    What the prompt and the noise levels give is the same in every pass, and computed once.
    """

    prompt: torch.Tensor
    prompt_keys: torch.Tensor       # (blocks, heads, tokens, head_dim)
    prompt_values: torch.Tensor

    def __init__(self, transformer: Any, prompt: torch.Tensor, *,
                 grid: tuple[int, int], frames: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.grid = grid
        self.rotary = Rotary(transformer.config.attention_head_dim, grid, frames,
                             device=prompt.device)
        self.window: Sight = Window(self.rotary)     # of a chunk that is denoised
        self.memory_window: Sight = self.window            # of one that is remembered
        self.register_buffer('prompt', prompt[None], persistent=False)
        for name, tensor in zip(('prompt_keys', 'prompt_values'), self._read_prompt()):
            self.register_buffer(name, tensor, persistent=False)
        self._times: dict[float, tuple[torch.Tensor, torch.Tensor]] = {}
        self.through_block: Any = through_block     # compiled.py puts something faster here

    def denoise(self, x: torch.Tensor, sigma: float, past: Sequence[Page],
                taps: Sequence[int] = (), stop_after_taps: bool = False) -> Denoised:
        """Estimate the clean chunk from the noisy one x (F, C, h, w) float32 at noise level sigma.

        Gradients reach x.  stop_after_taps: run no block beyond the last one tapped; no estimate.
        """
        depth = max(taps) + 1 if stop_after_taps else len(self.transformer.blocks)
        tapped = {}
        tokens = self._tokens(x)
        for index in range(depth):
            tokens, tap, _ = self._block(index, tokens, sigma, past, self.window)
            if index in taps:
                tapped[index] = tap
        if stop_after_taps:
            return Denoised(None, tapped)
        return Denoised(x - sigma * self._velocity(tokens, sigma, len(x)), tapped)

    @torch.no_grad()
    def remember(self, x0: torch.Tensor, past: Sequence[Page]) -> list[Page]:
        """Return a page for each frame of the clean chunk (F, C, h, w), by one pass at no noise."""
        return self._pages(self._tokens(x0), len(x0), past, self.memory_window)

    def _pages(self, tokens: torch.Tensor, frames: int, past: Sequence[Page], sight: Sight,
               ) -> list[Page]:
        own: list[KeysValues] = []
        count = tokens.shape[1] // frames
        for index in range(len(self.transformer.blocks)):
            tokens, _, keys_values = self._block(index, tokens, 0.0, past, sight)
            own.append(keys_values)
        keys, values = zip(*own)
        spans = [slice(frame * count, (frame + 1) * count) for frame in range(frames)]
        return [Page(torch.stack([block[:, span] for block in keys]),
                     torch.stack([block[:, span] for block in values])) for span in spans]

    def _block(self, index: int, tokens: torch.Tensor, sigma: float, past: Sequence[Page],
               sight: Sight) -> tuple[torch.Tensor, Tap, KeysValues]:
        _, modulation = self._time(sigma)
        through: tuple[torch.Tensor, Tap, KeysValues] = self.through_block(
            self.transformer.blocks[index], tokens, modulation,
            (self.prompt_keys[index], self.prompt_values[index]),
            [page.keys[index] for page in past], [page.values[index] for page in past],
            sight)
        return through

    def _tokens(self, x: torch.Tensor, embed: Any = None) -> torch.Tensor:
        """(F, C, h, w) -> (1, F * h * w, width)."""
        embed = embed or self.transformer.patch_embedding
        pixels = x.transpose(0, 1)[None].to(embed.weight.dtype)
        return embed(pixels).flatten(2).transpose(1, 2).contiguous()

    def _velocity(self, tokens: torch.Tensor, sigma: float, frames: int) -> torch.Tensor:
        """Tokens to the velocity (F, C, h, w) float32."""
        net = self.transformer
        embedding, _ = self._time(sigma)
        shift, scale = (net.scale_shift_table + embedding[:, None]).chunk(2, 1)
        tokens = (net.norm_out(tokens.float()) * (1 + scale) + shift).type_as(tokens)
        patches = net.proj_out(tokens)[0].unflatten(0, (frames, *self.grid))
        patches = patches.unflatten(-1, (*net.config.patch_size[1:], -1))
        return patches.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3).float()

    @torch.no_grad()
    def _time(self, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
        """A noise level's embedding (1, width), and how it modulates blocks (1, 6, width)."""
        if sigma not in self._times:
            embed = self.transformer.condition_embedder
            embedding = self._time_embedding(sigma)
            modulation = embed.time_proj(embed.act_fn(embedding)).unflatten(1, (6, -1))
            self._times[sigma] = embedding, modulation
        return self._times[sigma]

    def _time_embedding(self, sigma: float) -> torch.Tensor:
        return self._embedded(sigma, self.transformer.condition_embedder.time_embedder)

    def _embedded(self, sigma: float, embedder: Any) -> torch.Tensor:
        """A noise level (1, width), as one of the transformer's embedders has it."""
        angles = self.transformer.condition_embedder.timesteps_proj(
            torch.full((1,), TRAINED_STEPS * sigma, device=self.prompt.device))
        embedding: torch.Tensor = embedder(angles.to(embedder.linear_1.weight.dtype))
        return embedding.type_as(self.prompt)

    @torch.no_grad()
    def _read_prompt(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the prompt in all blocks."""
        text = self.transformer.condition_embedder.text_embedder(self.prompt)
        attentions = [block.attn2 for block in self.transformer.blocks]
        return (torch.stack([heads(attn, attn.norm_k(attn.to_k(text))) for attn in attentions]),
                torch.stack([heads(attn, attn.to_v(text)) for attn in attentions]))
