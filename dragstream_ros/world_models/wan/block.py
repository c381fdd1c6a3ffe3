"""One block of Wan's transformer, over pages of the past and a prompt that never changes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.models.transformers.transformer_wan import WanAttention
from torch import nn
from torch.nn import functional

from dragstream_ros.core.world_model import Tap
from dragstream_ros.world_models.wan.rotary import Rotary

KeysValues = tuple[torch.Tensor, torch.Tensor]      # each (heads, tokens, head_dim)


@dataclass
class Sight:
    """What one block's self-attention reads, and what it saw.

    past_keys, past_values: (heads, tokens, head_dim) of every page of the past, keys un-rotated.
    own: keys, un-rotated, and values of the chunk, of the same shape.
    """

    past_keys: Sequence[torch.Tensor]
    past_values: Sequence[torch.Tensor]
    rotary: Rotary
    tap: Tap | None = None
    own: KeysValues | None = None


class CausalAttention:
    """Processor of a block's self-attention: the chunk sees all pages of the past, and itself."""

    def __call__(self, attn: WanAttention, hidden_states: torch.Tensor, text: None, mask: None,
                 sight: Sight) -> torch.Tensor:
        """hidden_states: (1, tokens, width) of the chunk; sight: what diffusers calls rotary."""
        queries, keys, values = (
            heads(attn, x) for x in (
                attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(hidden_states)),
                attn.to_v(hidden_states)))
        sight.own = keys, values
        queries = sight.rotary(queries, len(sight.past_keys))
        keys = sight.rotary(torch.cat([*sight.past_keys, keys], 1))
        values = torch.cat([*sight.past_values, values], 1)
        sight.tap = Tap(queries, keys, values)
        return _attended(attn, queries, keys, values)


class PromptAttention:
    """Processor of a block's attention to the prompt, whose keys and values never change."""

    def __call__(self, attn: WanAttention, hidden_states: torch.Tensor,
                 prompt: KeysValues, mask: None, rotary: None,
                 ) -> torch.Tensor:
        """prompt: keys and values (heads, tokens, head_dim); what diffusers calls text."""
        return _attended(attn, heads(attn, attn.norm_q(attn.to_q(hidden_states))), *prompt)


def heads(attn: WanAttention, x: torch.Tensor) -> torch.Tensor:
    """(1, tokens, width) -> (heads, tokens, head_dim)."""
    return x[0].unflatten(-1, (attn.heads, -1)).transpose(0, 1)


def _attended(attn: WanAttention, queries: torch.Tensor, keys: torch.Tensor,
              values: torch.Tensor) -> torch.Tensor:
    """Back to (1, tokens, width)."""
    out = functional.scaled_dot_product_attention(queries[None], keys[None], values[None])
    return attn.to_out[0](out[0].transpose(0, 1).flatten(1)[None])


def through_block(block: nn.Module, tokens: torch.Tensor, modulation: torch.Tensor,
                  prompt: KeysValues, past_keys: Sequence[torch.Tensor],
                  past_values: Sequence[torch.Tensor], rotary: Rotary,
                  ) -> tuple[torch.Tensor, Tap, KeysValues]:
    """One block: tokens (1, n, width) to the next, what attention saw, and what is the chunk's.

    Tensors in, tensors out, the same for every block: this is what is compiled.
    """
    sight = Sight(past_keys, past_values, rotary)
    tokens = block(tokens, prompt, modulation, sight)
    assert sight.tap is not None and sight.own is not None
    return tokens, sight.tap, sight.own
