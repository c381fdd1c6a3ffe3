"""Fit the frame autoencoder: L1 on pixels and on edges, more of it on things."""
from __future__ import annotations

from dataclasses import dataclass

import torch

from dragstream_ros.training.episodes import EpisodeSet
from dragstream_ros.training.loop import Loop
from dragstream_ros.world_models.tabletop.autoencoder import FrameAutoencoder


@dataclass(frozen=True)
class AutoencoderTraining:
    """minutes bounds the time; the learning rate falls to zero over it."""

    minutes: float = 8.0
    batch: int = 10
    learning_rate: float = 2e-3
    gradient_weight: float = 0.4
    thing_weight: float = 3.0       # pixels of grippers and objects, against 1 for the table
    latent_noise: float = 0.05      # of each channel's spread: errors the decoder must bear


def train_autoencoder(autoencoder: FrameAutoencoder, episodes: EpisodeSet,
                      config: AutoencoderTraining, loop: Loop) -> None:
    rng = loop.rng
    count, length = episodes.frames.shape[:2]
    some = torch.from_numpy(episodes.frames[:, ::20].reshape(-1, *episodes.frames.shape[2:])[:1500])
    autoencoder.start_from_components(some.permute(0, 3, 1, 2).float() / 255)
    for _ in loop.steps(autoencoder, minutes=config.minutes, learning_rate=config.learning_rate):
        e, t = rng.integers(count, size=config.batch), rng.integers(length, size=config.batch)
        pixels = torch.from_numpy(episodes.frames[e, t]).permute(0, 3, 1, 2).float() / 255
        weight = 1 + (config.thing_weight - 1) * torch.from_numpy(episodes.masks[e, t] > 0)[:, None]
        if rng.random() < 0.5:
            pixels, weight = pixels.flip(3), weight.flip(3)
        latent = autoencoder.encode(pixels)
        spread = latent.detach().std((0, 2, 3), keepdim=True)
        decoded = autoencoder.decode(
            latent + config.latent_noise * spread * torch.randn_like(latent))
        error = decoded - pixels
        l1 = (weight * error.abs()).sum() / (3 * weight.sum())
        edges = ((weight[..., 1:, :] * error.diff(dim=2).abs()).sum()
                 + (weight[..., 1:] * error.diff(dim=3).abs()).sum()) / (3 * weight.sum())
        loss = l1 + config.gradient_weight * edges
        psnr = -10 * torch.log10((error.detach().clamp(-1, 1) ** 2).mean())
        loop.update(loss, l1=l1, psnr=psnr)


@torch.no_grad()
def encode_episodes(autoencoder: FrameAutoencoder, episodes: EpisodeSet) -> torch.Tensor:
    """Set the latents' statistics and return all of them, (E, T, C, h, w) float16."""
    autoencoder.eval()
    autoencoder.latent_mean.zero_()
    autoencoder.latent_std.fill_(1.0)
    latents = torch.stack([
        autoencoder.encode(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255).half()
        for frames in episodes.frames])
    some = latents[::4].float()
    mean, std = some.mean((0, 1, 3, 4)), some.std((0, 1, 3, 4))
    autoencoder.latent_mean.copy_(mean[:, None, None])
    autoencoder.latent_std.copy_(std[:, None, None])
    return ((latents.float() - autoencoder.latent_mean) / autoencoder.latent_std).half()
