"""Fit the frame autoencoder: L1 on pixels and their gradients, small and moving things weigh more."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.training.episodes import EpisodeSet
from dragstream_ros.training.loop import Loop
from dragstream_ros.world_models.tabletop.vae import FrameVae


@dataclass(frozen=True)
class VaeTraining:
    """minutes bounds the time; the learning rate falls to zero over it."""

    minutes: float = 25.0
    batch: int = 16
    learning_rate: float = 1.5e-3
    kl_weight: float = 2e-4         # per latent dimension, against a mean over pixels
    gradient_weight: float = 0.7
    thing_weight: float = 3.0       # pixels of grippers and objects, against 1 for the table
    latent_noise: float = 0.05      # the dynamics' errors that the decoder must bear


def train_vae(vae: FrameVae, episodes: EpisodeSet, config: VaeTraining, loop: Loop) -> None:
    rng = np.random.default_rng(0)
    count, length = episodes.frames.shape[:2]
    for _ in loop.steps(vae, minutes=config.minutes, learning_rate=config.learning_rate):
        e, t = rng.integers(count, size=config.batch), rng.integers(length, size=config.batch)
        pixels = torch.from_numpy(episodes.frames[e, t]).permute(0, 3, 1, 2).float() / 255
        weight = 1 + (config.thing_weight - 1) * torch.from_numpy(episodes.masks[e, t] > 0)[:, None]
        if rng.random() < 0.5:
            pixels, weight = pixels.flip(3), weight.flip(3)
        mean, log_variance = vae.posterior(pixels)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        latent = latent + config.latent_noise * torch.randn_like(mean)
        decoded = vae.decode((latent - vae.latent_mean) / vae.latent_std)
        error = decoded - pixels
        l1 = (weight * error.abs()).sum() / (3 * weight.sum())
        edges = sum((weight[..., 1:, 1:] * d[..., 1:, 1:].abs()).mean() for d in (
            functional.pad(error.diff(dim=2), (0, 0, 1, 0)),
            functional.pad(error.diff(dim=3), (1, 0))))
        kl = 0.5 * (mean ** 2 + log_variance.exp() - 1 - log_variance).mean()
        loss = l1 + config.gradient_weight * edges / weight.mean() + config.kl_weight * kl
        psnr = -10 * torch.log10((error.detach().clamp(-1, 1) ** 2).mean())
        loop.update(loss, l1=l1, kl=kl, psnr=psnr)


@torch.no_grad()
def encode_episodes(vae: FrameVae, episodes: EpisodeSet) -> torch.Tensor:
    """Set the latents' statistics and return all of them, (E, T, C, h, w) float16."""
    vae.eval()
    vae.latent_mean.zero_()
    vae.latent_std.fill_(1.0)
    latents = torch.stack([
        vae.encode(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255).half()
        for frames in episodes.frames])
    some = latents[::4].float()
    mean, std = some.mean((0, 1, 3, 4)), some.std((0, 1, 3, 4))
    vae.latent_mean.copy_(mean[:, None, None])
    vae.latent_std.copy_(std[:, None, None])
    return ((latents.float() - vae.latent_mean) / vae.latent_std).half()
