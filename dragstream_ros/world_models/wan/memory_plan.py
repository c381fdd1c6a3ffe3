"""How much memory a Wan stream needs, told before anything is loaded, and what to give up for less.

The rule for a budget: bfloat16 instead of float32, then the tiny decoder where there is one, then a
shorter window, a chunk at a time.  What still does not fit is refused.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Literal

import torch

from dragstream_ros.core.frequency_selection import FrequencySelectionConfig
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.wan import model_folder
from dragstream_ros.world_models.wan.config import PATCH_CELLS, WanConfig
from dragstream_ros.world_models.wan.cost import (
    WanArchitecture,
    tiny_decoder,
    transformer_parameters,
    vae_parameters,
    wan_decoder,
    wan_encoder,
)

GB = 1e9
PROMPT_TOKENS = 512
DType = Literal['bfloat16', 'float32']
BYTES = {'bfloat16': 2, 'float32': 4}
# Contexts that are alive at once: the live one, a reference's, and a prediction's.
BRANCH_CHUNKS = 2           # chunks that are not in the live one
DECODER_STATES = 4
GOAL_DECODER_STATES = 3     # where its past and its future end, and the last chunk began
# Of tensors as large as a block's widest that are alive at once, counted on the published shapes.
DENOISE_BUFFERS, ENCODE_BUFFERS, DECODE_BUFFERS, TINY_BUFFERS = 6, 6, 7, 3
# What a gradient keeps of each block, in tensors as large as the chunk's tokens: those that came
# in, queries, keys, values, both attentions' results and what was made of them, and the prompt's
# queries.
SAVED = 9
# Feature maps of a chunk that guidance holds, in the model's precision and in full. Each variant of
# the reference is that of one latent frame.
FEATURE_MAPS, PRECISE_FEATURE_MAPS = 2, 2
VARIANTS = len(FrequencySelectionConfig.cutoffs)
RUNTIME = int(0.6 * GB)     # CUDA's own, and what its allocator cannot use


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes by part; steps are never made at the same time, so only the largest counts.

    beside: what runs at the same time, in a stream of its own.  goal: of a planner, each.
    given_up: what was configured and what is planned instead, '' where all is as configured.
    budget: in bytes; None: none was set.
    """

    dtype: DType
    config: WanConfig
    kept: dict[str, int]
    steps: dict[str, int]
    beside: int
    goal: int
    given_up: str = ''
    budget: float | None = None

    @property
    def total(self) -> int:
        """Without planners, whose goals take what is left."""
        return sum(self.kept.values()) + max(self.steps.values()) + self.beside + RUNTIME

    @property
    def most_goals(self) -> int | None:
        """How many goals fit besides, at least one; None without a budget."""
        if self.budget is None:
            return None
        return max(1, int((self.budget - self.total) / self.goal))

    def describe(self) -> str:
        """Several lines for people."""
        width, height = self.config.image_size
        largest = max(self.steps, key=lambda name: self.steps[name])
        rows = {**self.kept, f'largest step: {largest}': self.steps[largest],
                'decoding meanwhile': self.beside, 'runtime': RUNTIME, 'in all': self.total,
                "each planner's goal besides": self.goal}
        lines = [f'memory planned, {width}x{height}, window {self.config.window}, '
                 f'{self.dtype}, decoder {self.config.decoder}:']
        lines += [f'  {name:30} {size / GB:7.2f} GB' for name, size in rows.items()]
        if self.most_goals is not None:
            lines.append(f"room for planners' goals at once: {self.most_goals}")
        if self.given_up:
            lines.append(f'given up for memory: {self.given_up}')
        return '\n'.join(lines)


def plan_memory(architecture: WanArchitecture, config: WanConfig, dtype: DType) -> MemoryPlan:
    """Plan what is configured; guidance back from the last tap counts as a step."""
    a, size = architecture, BYTES[dtype]
    page = page_bytes(a, config, dtype)
    encoder = size * sum(conv.remembered for conv in wan_encoder(a, config))
    tiny = config.decoder == 'tiny'
    decoder = size * (_tiny_remembered(a, config) if tiny
                      else sum(conv.remembered for conv in wan_decoder(a, config)))
    past = (a.past_tokens(config) * page // config.tokens_per_latent
            + BRANCH_CHUNKS * config.latents_per_chunk * page)
    # A goal's future starts from a past that the live stream soon has left behind, but for the
    # sink, and may go on until its own is another.
    rolled = config.past_latents - config.sink
    goal = ((2 * rolled + config.latents_per_chunk) * page + encoder
            + GOAL_DECODER_STATES * decoder)
    kept = {
        'transformer': size * transformer_parameters(a),
        'keys and values of the prompt': 2 * size * PROMPT_TOKENS * a.width * a.layers,
        'autoencoder': size * vae_parameters(a),
        'keys and values of the past': past,
        'camera as the encoder left it': encoder,
        'video as the decoder left it': DECODER_STATES * decoder}
    if tiny:
        kept['tiny decoder'] = size * sum(conv.parameters for conv in tiny_decoder(a.tiny, config))
    pixels = prod(config.image_size)
    widest = size * pixels * 4 * a.vae_base         # four frames in full size
    steps = {
        'denoise': _denoise_bytes(a, config, size),
        'guidance': guidance_bytes(a, config, size),
        'remember': remember_bytes(a, config, dtype),
        'encode': ENCODE_BUFFERS * widest + encoder}
    decoding = (TINY_BUFFERS * size * pixels * 4 * a.tiny.widths[-1]
                if tiny else DECODE_BUFFERS * widest)
    return MemoryPlan(dtype, config, kept, steps, decoding, goal)


def page_bytes(architecture: WanArchitecture, config: WanConfig, dtype: DType) -> int:
    """Keys and values of one latent frame in all blocks."""
    return (2 * config.tokens_per_latent * architecture.width * architecture.layers
            * BYTES[dtype])


def guidance_bytes(architecture: WanArchitecture, config: WanConfig, size: int) -> int:
    """Return what an iteration of ``fast`` takes at its most, of ``size`` bytes a number.

    What the gradient keeps of all blocks up to the last tap, what was tapped, of the chunk and of
    the reference, and the features that are compared.
    """
    a, taps = architecture, len(config.taps)
    tokens = config.latents_per_chunk * config.tokens_per_latent * a.width
    window = 2 * _seen_tokens(a, config) * a.width
    features = PATCH_CELLS ** 2 * taps * tokens
    return (size * ((max(config.taps) + 1) * SAVED * tokens + taps * (2 * window + 3 * tokens))
            + features * (size * FEATURE_MAPS + 4 * PRECISE_FEATURE_MAPS)
            + features // config.latents_per_chunk * size * VARIANTS)


def remember_bytes(architecture: WanArchitecture, config: WanConfig, dtype: DType) -> int:
    """Return what remembering a chunk takes: its keys and values, and a pass or its pages."""
    tokens = config.latents_per_chunk * config.tokens_per_latent
    seen = 2 * (_seen_tokens(architecture, config) + tokens) * architecture.width
    pages = config.latents_per_chunk * page_bytes(architecture, config, dtype)
    return pages + max(pages + BYTES[dtype] * seen,
                       _denoise_bytes(architecture, config, BYTES[dtype]))


def fit_memory(architecture: WanArchitecture, config: WanConfig, dtype: DType,
               budget_gb: float | None, *, has_tiny_decoder: bool) -> MemoryPlan:
    """Return the first plan within the budget, as configured without one.

    :raises DragStreamError: nothing fits
    """
    wanted = plan = plan_memory(architecture, config, dtype)
    if budget_gb is None:
        return wanted
    budget = budget_gb * GB
    for plan in _plans(architecture, config, dtype, has_tiny_decoder):
        if plan.total <= budget:
            return replace(plan, given_up=_given_up(wanted, plan), budget=budget)
    raise DragStreamError(
        ErrorCode.OUT_OF_MEMORY,
        f'This model needs {plan.total / GB:.1f} GB even with a window of {plan.config.window} '
        f'latent frames, and memory_budget_gb allows {budget_gb:g}: raise it, make image_size in '
        'model.json smaller, or take a computer with more.')


def plan_loading(folder: Path, device: torch.device, dtype: torch.dtype,
                 budget_gb: float) -> MemoryPlan:
    """Plan for a model folder and a device; a budget of 0 is the GPU's memory, or none on a CPU.

    :raises DragStreamError: the folder is no model's, or nothing fits
    """
    config, architecture = WanConfig.read(folder), model_folder.read_architecture(folder)
    budget = budget_gb or None
    if budget is None and device.type == 'cuda':
        budget = torch.cuda.get_device_properties(device).total_memory / GB
    return fit_memory(
        architecture, config, 'float32' if dtype == torch.float32 else 'bfloat16', budget,
        has_tiny_decoder=(folder / model_folder.TINY_DECODER).is_file())


def _plans(architecture: WanArchitecture, config: WanConfig, dtype: DType,
           has_tiny_decoder: bool) -> Iterator[MemoryPlan]:
    """From what is configured to the least."""
    yield plan_memory(architecture, config, dtype)
    if dtype != 'bfloat16':
        yield plan_memory(architecture, config, 'bfloat16')
    if has_tiny_decoder and config.decoder != 'tiny':
        config = replace(config, decoder='tiny')
        yield plan_memory(architecture, config, 'bfloat16')
    for shorter in config.shorter_windows():
        yield plan_memory(architecture, shorter, 'bfloat16')


def _given_up(wanted: MemoryPlan, plan: MemoryPlan) -> str:
    return ', '.join(f'{name} {before} -> {after}' for name, before, after in (
        ('precision', wanted.dtype, plan.dtype),
        ('decoder', wanted.config.decoder, plan.config.decoder),
        ('window', wanted.config.window, plan.config.window)) if before != after)


def _denoise_bytes(architecture: WanArchitecture, config: WanConfig, size: int) -> int:
    """One block's keys, rotated in full precision, and its widest layer."""
    tokens = config.latents_per_chunk * config.tokens_per_latent
    keys = _seen_tokens(architecture, config) * architecture.width
    return 2 * keys * (size + 4) + DENOISE_BUFFERS * size * tokens * architecture.ffn_dim


def _seen_tokens(architecture: WanArchitecture, config: WanConfig) -> int:
    """Of the past and the chunk itself."""
    return (architecture.past_tokens(config)
            + config.latents_per_chunk * config.tokens_per_latent)


def _tiny_remembered(architecture: WanArchitecture, config: WanConfig) -> int:
    """Each block of the tiny decoder remembers one frame of what it is given."""
    tiny, cells = architecture.tiny, prod(config.latent_shape[1:])
    return tiny.blocks_per_stage * sum(
        width * cells * 4 ** stage for stage, width in enumerate(tiny.widths[:3]))
