"""A Wan world model of true shapes and random weights, to measure its speed without its weights.

Every layer keeps about unit variance, so that numbers look like a trained model's: with zeros a GPU
draws less power and runs faster than it ever will.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch import nn

from dragstream_ros.world_models.wan.autoencoder import WanAutoencoder
from dragstream_ros.world_models.wan.config import PATCH_CELLS, WanConfig
from dragstream_ros.world_models.wan.cost import WanArchitecture
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel
from dragstream_ros.world_models.wan.tiny_decoder import TinyVideoDecoder
from dragstream_ros.world_models.wan.transformer import CausalWan


@dataclass(frozen=True)
class RandomWan:
    """The parts, which models of all sizes and windows share."""

    transformer: WanTransformer3DModel
    autoencoder: WanAutoencoder
    tiny: TinyVideoDecoder
    prompt: torch.Tensor

    @classmethod
    def of(cls, architecture: WanArchitecture, device: torch.device,
           dtype: torch.dtype) -> RandomWan:
        a = architecture
        with torch.device('meta'):
            transformer = WanTransformer3DModel(
                patch_size=(1, PATCH_CELLS, PATCH_CELLS), num_attention_heads=a.heads,
                attention_head_dim=a.head_dim, in_channels=a.latent_channels,
                out_channels=a.latent_channels, text_dim=a.text_dim, freq_dim=a.time_dim,
                ffn_dim=a.ffn_dim, num_layers=a.layers)
            vae = AutoencoderKLWan(
                base_dim=a.vae_base, z_dim=a.latent_channels, dim_mult=list(a.vae_multipliers),
                num_res_blocks=a.vae_blocks, temperal_downsample=list(a.vae_temporal))
            tiny = TinyVideoDecoder(a.tiny)
        precise = set(WanTransformer3DModel._keep_in_fp32_modules)
        for number, model in enumerate((transformer, vae, tiny)):
            _fill(model, device, dtype, precise if model is transformer else set(), seed=number)
        generator = torch.Generator(device).manual_seed(3)
        prompt = torch.randn(a.text_tokens, a.text_dim, device=device, generator=generator)
        return cls(transformer, WanAutoencoder(vae).to(device), tiny, prompt.to(dtype))

    def world_model(self, config: WanConfig) -> SelfForcingWorldModel:
        wan = CausalWan(self.transformer, self.prompt, grid=config.token_grid,
                        frames=config.window)
        decoder: Any = self.tiny if config.decoder == 'tiny' else self.autoencoder
        return SelfForcingWorldModel(config, wan, self.autoencoder, decoder)


def _fill(model: nn.Module, device: torch.device, dtype: torch.dtype, precise: set[str], *,
          seed: int) -> None:
    """Give a model on the device 'meta' its weights; the precise modules' are float32."""
    generator = torch.Generator(device).manual_seed(seed)
    state = {}
    for name, empty in model.state_dict().items():
        if name.endswith('bias'):
            mean, spread = 0.0, 0.02
        elif empty.ndim == 1 or name.endswith('gamma'):     # the gain of a norm
            mean, spread = 1.0, 0.02
        else:
            mean, spread = 0.0, 1 / math.sqrt(math.prod(empty.shape[1:]))
        kept = precise & set(name.split('.'))
        value = torch.randn(empty.shape, device=device, generator=generator) * spread + mean
        state[name] = value.to(torch.float32 if kept else dtype)
    model.load_state_dict(state, assign=True)
    model.eval().requires_grad_(False)
