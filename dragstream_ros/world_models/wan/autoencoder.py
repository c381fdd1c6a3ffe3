"""Wan's autoencoder as a stream: every frame goes through it once, and the stream can branch."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d
from torch import nn

from dragstream_ros.world_models.wan.config import FRAMES_PER_LATENT


@dataclass(frozen=True, eq=False)
class AutoencoderState:
    """What the causal convolutions remember, each its last inputs; no call ever changes it."""

    memories: tuple[Any, ...]       # diffusers puts tensors, None and a marker there

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in self.memories if isinstance(x, torch.Tensor))


class WanAutoencoder(nn.Module):
    """Frames (T, 3, H, W) in 0..1 to latents (n, C, h, w) of about unit variance, and back."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, vae: AutoencoderKLWan) -> None:
        super().__init__()
        self.vae = vae
        for name in ('mean', 'std'):
            numbers = torch.tensor(vae.config[f'latents_{name}'])
            self.register_buffer(name, numbers[:, None, None, None], persistent=False)
        self._encoder_start, self._decoder_start = map(_start, (vae.encoder, vae.decoder))

    @property
    def dtype(self) -> torch.dtype:
        return self.vae.quant_conv.weight.dtype

    def encode(self, frames: torch.Tensor, state: AutoencoderState | None = None,
               ) -> tuple[torch.Tensor, AutoencoderState]:
        """Encode frames that follow those behind ``state``; returns latents and the state after.

        A stream's first latent is of one frame, each later one of four: T is 1 + 4 k at the start
        and 4 k after it.
        """
        is_start = state is None
        assert len(frames) % FRAMES_PER_LATENT == int(is_start), (frames.shape, is_start)
        pixels = (frames * 2 - 1).transpose(0, 1)[None].to(self.dtype)
        groups = pixels.split(FRAMES_PER_LATENT, 2)
        if is_start:
            groups = (pixels[:, :, :1], *pixels[:, :, 1:].split(FRAMES_PER_LATENT, 2))
        memories = list((state or self._encoder_start).memories)
        moments = [self.vae.quant_conv(self.vae.encoder(group, feat_cache=memories, feat_idx=[0]))
                   for group in groups if group.shape[2]]
        latents = torch.cat(moments, 2).chunk(2, 1)[0][0].float()
        return ((latents - self.mean) / self.std).transpose(0, 1), AutoencoderState(tuple(memories))

    def decode(self, latents: torch.Tensor, state: AutoencoderState | None = None,
               ) -> tuple[torch.Tensor, AutoencoderState]:
        """Decode latents that follow those behind ``state``: four frames each, one for the first.

        Returns frames (T, 3, H, W) in 0..1 and the state after them.  Differentiable.
        """
        z = (latents.transpose(0, 1) * self.std + self.mean)[None].to(self.dtype)
        memories = list((state or self._decoder_start).memories)
        frames = [
            self.vae.decoder(latent, feat_cache=memories, feat_idx=[0],
                             first_chunk=state is None and index == 0)
            for index, latent in enumerate(self.vae.post_quant_conv(z).split(1, 2))]
        pixels = torch.cat(frames, 2)[0].transpose(0, 1).float()
        return (pixels / 2 + 0.5).clamp(0, 1), AutoencoderState(tuple(memories))


def _start(half: nn.Module) -> AutoencoderState:
    """A memory for every causal convolution, as diffusers counts them."""
    return AutoencoderState((None,) * sum(isinstance(m, WanCausalConv3d) for m in half.modules()))
