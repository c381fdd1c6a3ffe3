"""One block of Wan's transformer by hand: over pages of the past, and sparing with memory.

The parts are diffusers', of WanTransformer3DModel and of AnyFlowFARTransformer3DModel alike, whose
blocks have the same parts under the same names.
"""
from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

from dragstream_ros.core.world_model import Tap

KeysValues = tuple[torch.Tensor, torch.Tensor]      # each (heads, tokens, head_dim)


class Sight(Protocol):
    """What a chunk's attention sees of the past.

    Returns what it attends with, positions and all, and of that what guidance matches.  queries,
    keys, values: (heads, tokens, head_dim) of the chunk, past_keys, past_values: of every page.
    """

    def __call__(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor,
                 past_keys: Sequence[torch.Tensor], past_values: Sequence[torch.Tensor],
                 ) -> tuple[Tap, Tap]: ...


def through_block(block: nn.Module, tokens: torch.Tensor, modulation: torch.Tensor,
                  prompt: KeysValues, past_keys: Sequence[torch.Tensor],
                  past_values: Sequence[torch.Tensor], sight: Sight,
                  ) -> tuple[torch.Tensor, Tap, KeysValues]:
    """One block: tokens (1, n, width) to the next, what guidance matches, and what is the chunk's.

    modulation: (1, 6, width).  prompt: keys and values, which never change.  The chunk's keys are
    without their positions.  Tensors in, tensors out, the same for every block: this is what is
    compiled.  For a gradient it keeps the results of attention and of the products that are as wide
    as a token, and computes the rest again on the way back: norms in full precision, the joined
    window, and the wide layer.
    """
    arguments = (block, tokens, modulation, prompt, past_keys, past_values, sight)
    if torch.is_grad_enabled():
        wide, tokens, gate, tap, own = checkpoint(
            _to_wide_layer, *arguments, use_reentrant=False, preserve_rng_state=False,
            context_fn=_keep_what_is_dear)
    else:
        wide, tokens, gate, tap, own = _to_wide_layer(*arguments)
    narrow = block.ffn.net[2](wide)     # type: ignore[index,operator,union-attr]
    return (tokens.float() + narrow.float() * gate).type_as(tokens), tap, own


def _to_wide_layer(block: Any, tokens: torch.Tensor, modulation: torch.Tensor, prompt: KeysValues,
                   past_keys: Sequence[torch.Tensor], past_values: Sequence[torch.Tensor],
                   sight: Sight,
                   ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Tap, KeysValues]:
    """Both attentions, and the wide half of the last layers; the gate is of the narrow half."""
    shift, scale, gate, wide_shift, wide_scale, wide_gate = (
        block.scale_shift_table + modulation.float()).chunk(6, 1)
    x = (block.norm1(tokens.float()) * (1 + scale) + shift).type_as(tokens)
    attn = block.attn1
    keys = heads(attn, attn.norm_k(attn.to_k(x)).type_as(x))
    values = heads(attn, attn.to_v(x))
    seen, tap = sight(heads(attn, attn.norm_q(attn.to_q(x)).type_as(x)), keys, values,
                      past_keys, past_values)
    tokens = (tokens.float() + _attended(attn, seen) * gate).type_as(tokens)
    x, attn = block.norm2(tokens.float()).type_as(tokens), block.attn2
    tokens = tokens + _attended(
        attn, Tap(heads(attn, attn.norm_q(attn.to_q(x)).type_as(x)), *prompt))
    x = (block.norm3(tokens.float()) * (1 + wide_scale) + wide_shift).type_as(tokens)
    return block.ffn.net[0](x), tokens, wide_gate, tap, (keys, values)


def heads(attn: Any, x: torch.Tensor) -> torch.Tensor:
    """(1, tokens, width) -> (heads, tokens, head_dim)."""
    return x[0].unflatten(-1, (attn.heads, -1)).transpose(0, 1)


def _attended(attn: Any, seen: Tap) -> torch.Tensor:
    """Back to (1, tokens, width)."""
    out = functional.scaled_dot_product_attention(
        seen.queries[None], seen.keys[None], seen.values[None])
    result: torch.Tensor = attn.to_out[0](out[0].transpose(0, 1).flatten(1)[None])
    return result


def _dear(context: Any, operation: Any, *arguments: Any, **_: Any) -> CheckpointPolicy:
    """What is not computed again: attention, and products with a square matrix."""
    name = operation.overloadpacket.__name__
    if name.startswith('_scaled_dot_product') or (
            name in ('addmm', 'mm') and arguments[-1].shape[0] == arguments[-1].shape[1]):
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE


_keep_what_is_dear = functools.partial(create_selective_checkpoint_contexts, _dear)
