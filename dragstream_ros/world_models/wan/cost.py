"""What each part of a Wan stream costs: floating point operations and bytes, from shapes alone.

An operation is a multiplication or an addition, as in a device's peak rate.  Only matrix products,
convolutions and attention are counted; the rest is reading and writing memory, a few percent of the
time if it is fused.  A test compares every number with PyTorch's own counter.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from dragstream_ros.world_models.wan.config import FRAMES_PER_LATENT, PATCH_CELLS, WanConfig
from dragstream_ros.world_models.wan.tiny_decoder import TinyDecoderConfig

# Gradients of attention need five matrix products where its forward needs two; none of a linear
# layer's weights are wanted, so its backward costs as much as its forward.
ATTENTION_BACKWARD = 2.5


@dataclass(frozen=True, kw_only=True)
class WanArchitecture:
    """Sizes of Wan2.1-T2V-1.3B and its autoencoder.

    far_patch_cells, full_chunks: of AnyFlow-FAR: the side of a token of the far past, and how many
        chunks are seen in full, the one in hand included; 0: all are, as Self-Forcing has it.
    """

    layers: int = 30
    heads: int = 12
    head_dim: int = 128
    ffn_dim: int = 8960
    latent_channels: int = 16
    time_dim: int = 256
    text_dim: int = 4096
    text_tokens: int = 512
    vae_base: int = 96
    vae_multipliers: tuple[int, ...] = (1, 2, 4, 4)
    vae_blocks: int = 2
    vae_temporal: tuple[bool, ...] = (False, True, True)
    far_patch_cells: int = 0
    full_chunks: int = 0
    tiny: TinyDecoderConfig = TinyDecoderConfig()

    @property
    def width(self) -> int:
        return self.heads * self.head_dim

    def near_latents(self, config: WanConfig) -> int:
        """How many latent frames of the past are remembered in full."""
        if not self.full_chunks:
            return config.past_latents
        chunks = min(self.full_chunks - 1, config.past_latents // config.latents_per_chunk)
        return chunks * config.latents_per_chunk

    def far_latents(self, config: WanConfig) -> int:
        """How many are remembered with fewer tokens."""
        return config.past_latents - self.near_latents(config)

    def past_tokens(self, config: WanConfig) -> int:
        """Of the past that attention sees at most."""
        tokens = self.near_latents(config) * config.tokens_per_latent
        if far := self.far_latents(config):
            tokens += far * prod(config.latent_shape[1:]) // self.far_patch_cells ** 2
        return tokens

    @classmethod
    def of(cls, transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> WanArchitecture:
        """Read it from the two config.json of a diffusers folder."""
        is_far = 'compressed_patch_size' in transformer
        return cls(
            far_patch_cells=transformer['compressed_patch_size'][1] if is_far else 0,
            full_chunks=transformer['full_chunk_limit'] if is_far else 0,
            layers=transformer['num_layers'], heads=transformer['num_attention_heads'],
            head_dim=transformer['attention_head_dim'], ffn_dim=transformer['ffn_dim'],
            latent_channels=transformer['in_channels'],
            time_dim=transformer['freq_dim'], text_dim=transformer['text_dim'],
            vae_base=vae['base_dim'], vae_multipliers=tuple(vae['dim_mult']),
            vae_blocks=vae['num_res_blocks'], vae_temporal=tuple(vae['temperal_downsample']))


def pass_flop(architecture: WanArchitecture, config: WanConfig, *,
              blocks: int | None = None) -> float:
    """One pass of a chunk through the first ``blocks`` blocks, or all, of the transformer."""
    return ((architecture.layers if blocks is None else blocks)
            * (_linear_flop(architecture, config) + _attention_flop(architecture, config)))


def guidance_iteration_flop(architecture: WanArchitecture, config: WanConfig, *,
                            blocks: int) -> float:
    """Forward to the last tapped block and back to the latent, the wide layers once more."""
    linear = _linear_flop(architecture, config)
    attention = _attention_flop(architecture, config)
    tokens = config.latents_per_chunk * config.tokens_per_latent
    wide = 2.0 * tokens * architecture.width * architecture.ffn_dim
    return blocks * (2 * linear + wide + (1 + ATTENTION_BACKWARD) * attention)


def chunk_flop(architecture: WanArchitecture, config: WanConfig, *,
               guidance_iterations: int = 0) -> float:
    """All of a free-running chunk with the tiny decoder: denoised, remembered, decoded.

    guidance_iterations: each to the last tap and back; one forward more tells what was grabbed.
    """
    flop = (len(config.sigmas) * pass_flop(architecture, config)
            + remember_flop(architecture, config) + tiny_decode_flop(architecture, config))
    if guidance_iterations:
        blocks = max(config.taps) + 1
        flop += (pass_flop(architecture, config, blocks=blocks) + guidance_iterations
                 * guidance_iteration_flop(architecture, config, blocks=blocks))
    return flop


def remember_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """One pass; with a far past every chunk that is seen in full, and one with fewer tokens.

    Those are counted with the whole window, of which they see a part.
    """
    if not architecture.full_chunks:
        return pass_flop(architecture, config)
    fewer = (PATCH_CELLS / architecture.far_patch_cells) ** 2
    chunks = architecture.near_latents(config) / config.latents_per_chunk
    return (chunks + fewer) * pass_flop(architecture, config)


def wan_decode_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """A chunk through the autoencoder's decoder, which goes on from the chunk before."""
    return sum(conv.flop for conv in wan_decoder(architecture, config)) + _vae_attention_flop(
        architecture, config)


def wan_encode_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """As many camera frames as a chunk has through the autoencoder's encoder."""
    return sum(conv.flop for conv in wan_encoder(architecture, config)) + _vae_attention_flop(
        architecture, config)


def tiny_decode_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """A chunk through the tiny decoder."""
    return sum(conv.flop for conv in tiny_decoder(architecture.tiny, config))


def transformer_parameters(architecture: WanArchitecture) -> int:
    """Count the transformer's weights."""
    a, d = architecture, architecture.width
    square, patch = d * d + d, a.latent_channels * PATCH_CELLS ** 2
    block = 8 * square + 4 * d + 2 * a.ffn_dim * d + a.ffn_dim + d + 2 * d + 6 * d
    time = a.time_dim * d + d + square + 6 * square
    text = a.text_dim * d + d + square
    far = (a.time_dim * d + d + square
           + a.latent_channels * a.far_patch_cells ** 2 * d + d) if a.full_chunks else 0
    return a.layers * block + time + text + far + 2 * patch * d + d + patch + 2 * d


def vae_parameters(architecture: WanArchitecture) -> int:
    """Count the autoencoder's weights."""
    a, config = architecture, WanConfig()
    middle = a.vae_base * a.vae_multipliers[-1]
    z = a.latent_channels
    quantisers = (2 * z) ** 2 + 2 * z + z * z + z
    attentions = 2 * (middle + 4 * middle * middle + 4 * middle)
    return quantisers + attentions + sum(
        conv.parameters for conv in (*wan_encoder(a, config), *wan_decoder(a, config)))


class Convolution(NamedTuple):
    """cells, frames: places it is computed at; extra: other weights that belong to it, a norm's."""

    inputs: int
    channels: int
    volume: int
    cells: int
    frames: int
    extra: int = 0
    bias: bool = True

    @property
    def flop(self) -> float:
        return 2.0 * self.inputs * self.channels * self.volume * self.cells * self.frames

    @property
    def remembered(self) -> int:
        """Numbers that a causal one, three frames deep, keeps of its last two inputs."""
        return 2 * self.inputs * self.cells if self.volume in (3, 27) else 0

    @property
    def parameters(self) -> int:
        return (self.inputs * self.volume + self.bias) * self.channels + self.extra


def wan_decoder(architecture: WanArchitecture, config: WanConfig) -> Iterator[Convolution]:
    """All convolutions of the decoder, in order, for one chunk."""
    a = architecture
    widths = [a.vae_base * m for m in (a.vae_multipliers[-1], *a.vae_multipliers[::-1])]
    cells, frames = prod(config.latent_shape[1:]), config.latents_per_chunk
    yield Convolution(a.latent_channels, widths[0], 27, cells, frames)
    yield from _residual(widths[0], widths[0], cells, frames)
    yield from _residual(widths[0], widths[0], cells, frames)
    for stage, (inputs, width) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        inputs = inputs // 2 if stage else inputs           # the enlargement before halved them
        for block in range(a.vae_blocks + 1):
            yield from _residual(width if block else inputs, width, cells, frames)
        if stage < len(a.vae_temporal):
            if a.vae_temporal[::-1][stage]:
                yield Convolution(width, 2 * width, 3, cells, frames)
                frames *= 2
            cells *= 4
            yield Convolution(width, width // 2, 9, cells, frames)
    yield Convolution(widths[-1], 3, 27, cells, frames, extra=widths[-1])


def wan_encoder(architecture: WanArchitecture, config: WanConfig) -> Iterator[Convolution]:
    """All convolutions of the encoder, in order, for the frames of one chunk."""
    a = architecture
    widths = [a.vae_base * m for m in (1, *a.vae_multipliers)]
    cells, frames = prod(config.image_size), FRAMES_PER_LATENT * config.latents_per_chunk
    yield Convolution(3, widths[0], 27, cells, frames)
    for stage, (inputs, width) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        for block in range(a.vae_blocks):
            yield from _residual(width if block else inputs, width, cells, frames)
        if stage < len(a.vae_temporal):
            cells //= 4
            yield Convolution(width, width, 9, cells, frames)
            if a.vae_temporal[stage]:
                frames //= 2
                yield Convolution(width, width, 3, cells, frames)
    yield from _residual(widths[-1], widths[-1], cells, frames)
    yield from _residual(widths[-1], widths[-1], cells, frames)
    yield Convolution(widths[-1], 2 * a.latent_channels, 27, cells, frames, extra=widths[-1])


def tiny_decoder(tiny: TinyDecoderConfig, config: WanConfig) -> Iterator[Convolution]:
    """All convolutions of the tiny decoder, in order, for one chunk."""
    widths, cells = tiny.widths, prod(config.latent_shape[1:])
    frames = config.latents_per_chunk
    yield Convolution(tiny.latent_channels, widths[0], 9, cells, frames)
    for width, next_width, factor in zip(widths[:-1], widths[1:], tiny.frame_factors, strict=True):
        for _ in range(tiny.blocks_per_stage):
            yield Convolution(2 * width, width, 9, cells, frames)
            yield Convolution(width, width, 9, cells, frames)
            yield Convolution(width, width, 9, cells, frames)
        yield Convolution(width, factor * width, 1, cells, frames, bias=False)
        cells *= 4
        frames *= factor
        yield Convolution(width, next_width, 9, cells, frames, bias=False)
    yield Convolution(widths[-1], 3, 9, cells, frames)


def _residual(inputs: int, width: int, cells: int, frames: int) -> Iterator[Convolution]:
    yield Convolution(inputs, width, 27, cells, frames, extra=inputs)
    yield Convolution(width, width, 27, cells, frames, extra=width)
    if inputs != width:
        yield Convolution(inputs, width, 1, cells, frames)


def _linear_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """Of one block, without the prompt's keys and values, which are a hundredth of it."""
    width = architecture.width
    tokens = config.latents_per_chunk * config.tokens_per_latent
    return 2.0 * tokens * width * (6 * width + 2 * architecture.ffn_dim)


def _attention_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """Of one block: to the window's frames, and to the prompt."""
    tokens = config.tokens_per_latent
    keys = (architecture.past_tokens(config) + config.latents_per_chunk * tokens
            + architecture.text_tokens)
    return 4.0 * config.latents_per_chunk * tokens * keys * architecture.width


def _vae_attention_flop(architecture: WanArchitecture, config: WanConfig) -> float:
    """Of the one attention block in the middle, frame by frame."""
    width = architecture.vae_base * architecture.vae_multipliers[-1]
    cells = prod(config.latent_shape[1:])
    return config.latents_per_chunk * (8.0 * cells * width ** 2 + 4.0 * cells ** 2 * width)
