"""The frame autoencoder of the tabletop model: 128 x 128 RGB <-> 12 x 16 x 16, frame by frame.

A linear code of 8 x 8 patches, which starts as their principal components, and convolutions that
add to it what the neighbours tell.  The linear part has the picture's colours and coarse shapes
before the first training step; the convolutions alone take hours on a CPU to find colours.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional

PATCH = 8
# Brightness and two colour differences, these twice as strong: in RGB, colour is a small
# difference between large numbers, which convolutions learn last.
COLOURS = ((0.25, 0.5, 0.25), (1.0, 0.0, -1.0), (-0.5, 1.0, -0.5))


@dataclass(frozen=True)
class AutoencoderConfig:
    """channels: width at 1/8, 1/4 and 1/2 of the picture's size (1/8 and 1/4 in the encoder).

    Multiples of 16: other widths take convolutions that are several times slower on a CPU.
    """

    latent_channels: int = 12
    encoder_channels: tuple[int, int] = (96, 48)
    decoder_channels: tuple[int, int, int] = (128, 48, 16)
    encoder_blocks: tuple[int, int] = (2, 1)
    decoder_blocks: tuple[int, int, int] = (1, 1, 1)


class ConvBlock(nn.Module):
    """Two normalised 3x3 convolutions and a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(channels // 16, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(channels // 16, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        return x + self.conv2(functional.silu(self.norm2(h)))


class FrameAutoencoder(nn.Module):
    """Encode frames (N, 3, H, W) in 0..1 to (N, C, H/8, W/8) and back; H and W multiples of 8."""

    colours: torch.Tensor
    latent_mean: torch.Tensor
    latent_std: torch.Tensor

    def __init__(self, config: AutoencoderConfig = AutoencoderConfig()) -> None:
        super().__init__()
        self.config = config
        latent = config.latent_channels
        eighth, quarter = config.encoder_channels
        self.patch = nn.Conv2d(3, latent, PATCH, stride=PATCH)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(48, quarter, 3, padding=1),
            *_blocks(quarter, config.encoder_blocks[1]),
            nn.Conv2d(quarter, eighth, 4, stride=2, padding=1),
            *_blocks(eighth, config.encoder_blocks[0]),
            nn.SiLU(), _starting_at_zero(nn.Conv2d(eighth, latent, 3, padding=1)))
        eighth, quarter, half = config.decoder_channels
        self.unpatch = nn.ConvTranspose2d(latent, 3, PATCH, stride=PATCH)
        self.decoder = nn.Sequential(
            nn.Conv2d(latent, eighth, 3, padding=1), *_blocks(eighth, config.decoder_blocks[0]),
            nn.Conv2d(eighth, 4 * quarter, 1), nn.PixelShuffle(2),
            *_blocks(quarter, config.decoder_blocks[1]),
            nn.Conv2d(quarter, 4 * half, 1), nn.PixelShuffle(2),
            *_blocks(half, config.decoder_blocks[2]),
            nn.SiLU(), _starting_at_zero(nn.Conv2d(half, 12, 3, padding=1)), nn.PixelShuffle(2))
        self.register_buffer('colours', torch.tensor(COLOURS)[:, :, None, None], persistent=False)
        # Statistics over the training set: the latents handed out have unit variance.
        self.register_buffer('latent_mean', torch.zeros(latent, 1, 1))
        self.register_buffer('latent_std', torch.ones(latent, 1, 1))

    @torch.no_grad()
    def start_from_components(self, pixels: torch.Tensor) -> None:
        """Make the linear code the principal components of the patches of (N, 3, H, W) pixels."""
        patches = functional.unfold(pixels * 2 - 1, PATCH, stride=PATCH).transpose(1, 2)
        patches = patches.flatten(0, 1)
        mean = patches.mean(0)
        _, spread, components = torch.linalg.svd(patches - mean, full_matrices=False)
        spread = spread[:self.config.latent_channels, None] / len(patches) ** 0.5
        components = components[:self.config.latent_channels]
        self.patch.weight.copy_((components / spread).view_as(self.patch.weight))
        cast(torch.Tensor, self.patch.bias).copy_(-(components / spread) @ mean)
        self.unpatch.weight.copy_((components * spread).view_as(self.unpatch.weight))
        cast(torch.Tensor, self.unpatch.bias).copy_(mean.view(3, -1).mean(1))

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels * 2 - 1
        latent = self.patch(pixels) + self.encoder(functional.conv2d(pixels, self.colours))
        return (latent - self.latent_mean) / self.latent_std

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels in about 0..1, not clamped."""
        latents = latents * self.latent_std + self.latent_mean
        return (self.unpatch(latents) + self.decoder(latents)) * 0.5 + 0.5


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ConvBlock(channels) for _ in range(count)]


def _starting_at_zero(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast(torch.Tensor, conv.bias))
    return conv
