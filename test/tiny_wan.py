"""A Wan small enough to check arithmetic on: real diffusers classes, random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip('diffusers')        # a robot without a Wan model need not have it

from diffusers import (  # noqa: E402
    AnyFlowFARTransformer3DModel,
    AutoencoderKLWan,
    WanTransformer3DModel,
)

from dragstream_ros.world_models.wan.anyflow_far import AnyFlowFarWorldModel  # noqa: E402
from dragstream_ros.world_models.wan.model import WanWorldModel  # noqa: E402
from dragstream_ros.world_models.wan.prompt import save_prompt  # noqa: E402
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel  # noqa: E402

SIZE = (64, 32)     # (width, height) in px: 8 x 4 cells, 4 x 2 tokens
BLOCKS = 4
TEXT_DIM = 24
TRANSFORMER: dict[str, Any] = dict(
    patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=24, in_channels=16,
    out_channels=16, text_dim=TEXT_DIM, freq_dim=16, ffn_dim=64, num_layers=BLOCKS,
    cross_attn_norm=True, qk_norm='rms_norm_across_heads', rope_max_seq_len=64)
FAR: dict[str, Any] = {name: value for name, value in TRANSFORMER.items() if name != 'qk_norm'}
VAE: dict[str, Any] = dict(base_dim=4, z_dim=16, dim_mult=[1, 2, 2, 2], num_res_blocks=1)
MODEL: dict[str, Any] = dict(image_size=SIZE, window=9, sink=3, taps=[1, 2], guided_step=1)


def tiny_transformer() -> WanTransformer3DModel:
    torch.manual_seed(0)
    return WanTransformer3DModel(**TRANSFORMER).eval().requires_grad_(False)


def tiny_far() -> AnyFlowFARTransformer3DModel:
    torch.manual_seed(0)
    return AnyFlowFARTransformer3DModel(**FAR).eval().requires_grad_(False)


def tiny_vae() -> AutoencoderKLWan:
    torch.manual_seed(1)
    return AutoencoderKLWan(**VAE).eval().requires_grad_(False)


def write_tiny_wan(folder: Path, world_model: str = 'self_forcing', **model: Any) -> Path:
    """Write a folder as docs/wan.md describes it."""
    transformer = tiny_transformer if world_model == 'self_forcing' else tiny_far
    transformer().save_pretrained(folder / 'transformer')
    tiny_vae().save_pretrained(folder / 'vae')
    torch.manual_seed(2)
    save_prompt(folder, torch.randn(5, TEXT_DIM))
    (folder / 'model.json').write_text(json.dumps({**MODEL, **model}))
    return folder


def load_tiny_wan(
        folder: Path, world_model: str = 'self_forcing', *, device: torch.device | None = None,
        dtype: torch.dtype | None = None, **model: Any) -> WanWorldModel:
    kind = {'self_forcing': SelfForcingWorldModel, 'anyflow_far': AnyFlowFarWorldModel}[world_model]
    return kind.load(write_tiny_wan(folder, world_model, **model), device, dtype)
