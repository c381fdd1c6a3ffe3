"""The frame autoencoder of the tabletop model: 128 x 128 RGB <-> 8 x 16 x 16, frame by frame."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class AutoencoderConfig:
    """channels: width at 1/8, 1/4 and 1/2 of the picture's size (1/8 and 1/4 in the encoder).

    Multiples of 16: other widths take convolutions that are several times slower on a CPU.
    """

    latent_channels: int = 8
    encoder_channels: tuple[int, int] = (96, 48)
    decoder_channels: tuple[int, int, int] = (128, 48, 16)
    encoder_blocks: tuple[int, int] = (2, 1)
    decoder_blocks: tuple[int, int, int] = (2, 2, 1)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions and a skip, without normalisation: the cheapest block on a CPU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.conv2(functional.relu(self.conv1(x))))


def _initialise(module: nn.Module) -> None:
    # Without normalisation, PyTorch's default start lets the signal fade from layer to layer.
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        nn.init.zeros_(module.bias)
    elif isinstance(module, ConvBlock):
        module.conv2.weight.data.mul_(0.3)


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ConvBlock(channels) for _ in range(count)]


class FrameAutoencoder(nn.Module):
    """Encode frames (N, 3, H, W) in 0..1 to (N, C, H/8, W/8) and back; H and W multiples of 8."""

    def __init__(self, config: AutoencoderConfig = AutoencoderConfig()) -> None:
        super().__init__()
        self.config = config
        eighth, quarter = config.encoder_channels
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(48, quarter, 3, padding=1), nn.ReLU(),
            *_blocks(quarter, config.encoder_blocks[1]),
            nn.Conv2d(quarter, eighth, 4, stride=2, padding=1), nn.ReLU(),
            *_blocks(eighth, config.encoder_blocks[0]),
            nn.Conv2d(eighth, config.latent_channels, 3, padding=1))
        eighth, quarter, half = config.decoder_channels
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent_channels, eighth, 3, padding=1), nn.ReLU(),
            *_blocks(eighth, config.decoder_blocks[0]),
            nn.Conv2d(eighth, 4 * quarter, 1), nn.PixelShuffle(2), nn.ReLU(),
            *_blocks(quarter, config.decoder_blocks[1]),
            nn.Conv2d(quarter, 4 * half, 1), nn.PixelShuffle(2), nn.ReLU(),
            *_blocks(half, config.decoder_blocks[2]),
            nn.Conv2d(half, 12, 3, padding=1), nn.PixelShuffle(2))
        self.apply(_initialise)
        # Statistics over the training set: the latents handed out have unit variance.
        self.register_buffer('latent_mean', torch.zeros(config.latent_channels, 1, 1))
        self.register_buffer('latent_std', torch.ones(config.latent_channels, 1, 1))

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return (self.encoder(pixels * 2 - 1) - self.latent_mean) / self.latent_std

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels in about 0..1, not clamped."""
        return self.decoder(latents * self.latent_std + self.latent_mean) * 0.5 + 0.5
