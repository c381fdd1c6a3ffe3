"""Small checkpoints with the names, shapes and layouts of the published ones, random inside."""

from __future__ import annotations

import pathlib
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

# One head and two blocks, all else as published: the layout is what is tested.
TRANSFORMER: dict[str, Any] = {
    'num_attention_heads': 1, 'attention_head_dim': 128, 'in_channels': 16, 'out_channels': 16,
    'text_dim': 24, 'freq_dim': 32, 'ffn_dim': 48, 'num_layers': 2}
VAE: dict[str, Any] = {'base_dim': 8}
# Names as Wan's authors have them, from those that diffusers gives; first match counts.
BLOCK_PARTS = {
    'attn1.to_out.0': 'self_attn.o', 'attn2.to_out.0': 'cross_attn.o', 'attn1.to_': 'self_attn.',
    'attn2.to_': 'cross_attn.', 'attn1.norm_': 'self_attn.norm_', 'attn2.norm_': 'cross_attn.norm_',
    'ffn.net.0.proj': 'ffn.0', 'ffn.net.2': 'ffn.2', 'norm2': 'norm3',
    'scale_shift_table': 'modulation'}
OUTER_PARTS = {
    'condition_embedder.time_embedder.linear_1': 'time_embedding.0',
    'condition_embedder.time_embedder.linear_2': 'time_embedding.2',
    'condition_embedder.text_embedder.linear_1': 'text_embedding.0',
    'condition_embedder.text_embedder.linear_2': 'text_embedding.2',
    'condition_embedder.time_proj': 'time_projection.1', 'patch_embedding': 'patch_embedding',
    'proj_out': 'head.head', 'scale_shift_table': 'head.modulation'}


def transformer(seed: int = 0) -> WanTransformer3DModel:
    torch.manual_seed(seed)
    return WanTransformer3DModel(**TRANSFORMER).eval().requires_grad_(False)


def wan_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A transformer's state as Wan's own code names it."""
    named = {}
    for name, value in state.items():
        prefix, parts = '', OUTER_PARTS
        if name.startswith('blocks.'):
            _, number, name = name.split('.', 2)
            prefix, parts = f'blocks.{number}.', BLOCK_PARTS
        ours = next(part for part in parts if name.startswith(part))
        named[prefix + parts[ours] + name.removeprefix(ours)] = value
    return named


def self_forcing(path: pathlib.Path, *, seed: int = 0, infix: str = '') -> WanTransformer3DModel:
    """Write a checkpoint as Self-Forcing's training does; return the model of 'generator_ema'."""
    content = {}
    for entry, entry_seed in (('generator', seed + 1), ('generator_ema', seed)):
        state = wan_names(transformer(entry_seed).state_dict())
        content[entry] = {f'model.{infix}{name}': value for name, value in state.items()}
    torch.save(content, path)
    return transformer(seed)


def vae(seed: int = 0) -> AutoencoderKLWan:
    torch.manual_seed(seed)
    return AutoencoderKLWan(**VAE).eval().requires_grad_(False)


def wan_vae_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An autoencoder's state as ``Wan2.1_VAE.pth`` names it."""
    return {_wan_vae_name(name): value for name, value in state.items()}


def _wan_vae_name(name: str) -> str:
    for ours, wan in (('post_quant_conv', 'conv2'), ('quant_conv', 'conv1')):
        if name.startswith(ours):
            return name.replace(ours, wan)
    half, part, *rest = name.split('.')
    if part in ('conv_in', 'norm_out', 'conv_out'):
        place = {'conv_in': 'conv1', 'norm_out': 'head.0', 'conv_out': 'head.2'}[part]
        return '.'.join((half, place, *rest))
    if part == 'mid_block':
        kind, number, *rest = rest
        if kind == 'attentions':
            return '.'.join((half, 'middle.1', *rest))
        return '.'.join((half, 'middle', str(2 * int(number)), _residual(rest)))
    if part == 'down_blocks':
        number, *rest = rest
        return '.'.join((half, 'downsamples', number, _residual(rest)))
    block, kind, number, *rest = rest           # up_blocks: three residuals and an enlargement each
    index = 4 * int(block) + (3 if kind == 'upsamplers' else int(number))
    return '.'.join((half, 'upsamples', str(index), _residual(rest)))


def _residual(rest: list[str]) -> str:
    place = {'norm1': 'residual.0', 'conv1': 'residual.2', 'norm2': 'residual.3',
             'conv2': 'residual.6', 'conv_shortcut': 'shortcut'}.get(rest[0], rest[0])
    return '.'.join((place, *rest[1:]))
