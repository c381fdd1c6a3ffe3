"""Compiles the transformer's block for a stream whose window is full.

For fixed shapes only: while a stream's window fills, which is a second or so, blocks run as they
are.  All blocks share what is compiled.  No CUDA graphs: they would want the past in one place,
and it is pages that branches share, so each graph would have to copy it.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dragstream_ros.world_models.wan.block import KeysValues, through_block
from dragstream_ros.world_models.wan.context import Page
from dragstream_ros.world_models.wan.transformer import CausalWan


class CompiledBlock:
    """block.through_block: compiled for a past of so many frames, as it is for any other."""

    def __init__(self, past_frames: int, backend: str) -> None:
        self._past_frames = past_frames
        self._compiled = torch.compile(
            through_block, fullgraph=True, dynamic=False, backend=backend)

    def __call__(self, block: Any, tokens: torch.Tensor, modulation: torch.Tensor,
                 prompt: KeysValues, past_keys: Sequence[torch.Tensor], *rest: Any) -> Any:
        is_full = len(past_keys) == self._past_frames
        run: Callable[..., Any] = self._compiled if is_full else through_block
        return run(block, tokens, modulation, prompt, past_keys, *rest)


def compile_blocks(wan: CausalWan, *, past_frames: int, chunk: tuple[int, int, int, int],
                   sigma: float, taps: Sequence[int], backend: str = 'inductor') -> bool:
    """Compile all that a full stream runs, by running it once; False: it did not work.

    chunk: (F, C, h, w) of its latents.  Without a compiler, or where it fails, blocks stay as they
    are and one warning says why.
    """
    torch._dynamo.reset()       # what was compiled for another window counts against a limit
    wan.through_block = CompiledBlock(past_frames, backend)
    try:
        _run_everything(wan, random_pages(wan, past_frames), chunk, sigma, taps)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:      # of a compiler, whatever it is
        wan.through_block = through_block
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        print(f'Wan runs uncompiled, which is slower: torch.compile failed ({reason}).',
              file=sys.stderr, flush=True)
        return False
    return True


def random_pages(wan: CausalWan, count: int) -> tuple[Page, ...]:
    """Pages of a full window, of unit variance."""
    config = wan.transformer.config
    shape = (config.num_layers, config.num_attention_heads, wan.rotary.tokens_per_frame,
             config.attention_head_dim)
    generator = torch.Generator(wan.prompt.device).manual_seed(0)

    def numbers() -> torch.Tensor:
        return torch.randn(shape, device=wan.prompt.device, dtype=wan.prompt.dtype,
                           generator=generator)

    return tuple(Page(numbers(), numbers()) for _ in range(count))


def _run_everything(wan: CausalWan, past: Sequence[Page], chunk: tuple[int, int, int, int],
                    sigma: float, taps: Sequence[int]) -> None:
    """A pass, remembering a chunk and a frame of the camera, and an iteration of guidance."""
    x = torch.zeros(chunk, device=wan.prompt.device)
    with torch.no_grad():
        wan.denoise(x, sigma, past)
    wan.remember(x, past)
    wan.remember(x[:1], past)
    with torch.enable_grad():
        seen = wan.denoise(x.requires_grad_(), sigma, past, taps, stop_after_taps=True).taps
        torch.autograd.grad([tap.queries.sum() for tap in seen.values()], x)
