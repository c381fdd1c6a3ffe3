"""Fit the frame autoencoder: L1 on pixels and on edges, more of it on things."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.training.device import DEVICE, autocast
from dragstream_ros.training.episodes import Episode
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.pictures import Strips
from dragstream_ros.world_models.tabletop.autoencoder import FrameAutoencoder

SHOWN = 6               # pictures of an episode, on the sheet


@dataclass(frozen=True)
class AutoencoderTraining:
    """The learning rate falls to zero over the steps."""

    steps: int = 3200
    batch: int = 10
    learning_rate: float = 2e-3
    gradient_weight: float = 0.4
    thing_weight: float = 3.0       # pixels of grippers and objects, against 1 for the table
    latent_noise: float = 0.05      # of each channel's spread: errors the decoder must bear


def train_autoencoder(autoencoder: FrameAutoencoder, episodes: Sequence[Episode],
                      config: AutoencoderTraining, loop: Loop) -> None:
    rng = loop.rng
    share = np.array([len(episode.frames) for episode in episodes], float)
    share /= share.sum()
    shown = torch.stack([
        _pixels(episode.frames[np.linspace(0, len(episode.frames) - 1, SHOWN).round().astype(int)])
        for episode in episodes[:3]])

    def pictures() -> Strips:
        decoded = [autoencoder.decode(autoencoder.encode(pixels)) for pixels in shown]
        return {'truth': shown, 'decoded': torch.stack(decoded)}

    for _ in loop.steps(autoencoder, steps=config.steps, learning_rate=config.learning_rate,
                        pictures=pictures):
        drawn = [episodes[e] for e in rng.choice(len(episodes), config.batch, p=share)]
        at = [int(rng.integers(len(episode.frames))) for episode in drawn]
        pixels = _pixels(np.stack([e.frames[t] for e, t in zip(drawn, at)]))
        things = np.stack([e.things(t) for e, t in zip(drawn, at)])
        weight = 1 + (config.thing_weight - 1) * torch.from_numpy(things)[:, None].to(DEVICE)
        if rng.random() < 0.5:
            pixels, weight = pixels.flip(3), weight.flip(3)
        with autocast():
            latent = autoencoder.encode(pixels)
            spread = latent.detach().std((0, 2, 3), keepdim=True)
            decoded = autoencoder.decode(
                latent + config.latent_noise * spread * torch.randn_like(latent))
        error = decoded.float() - pixels
        l1 = (weight * error.abs()).sum() / (3 * weight.sum())
        edges = ((weight[..., 1:, :] * error.diff(dim=2).abs()).sum()
                 + (weight[..., 1:] * error.diff(dim=3).abs()).sum()) / (3 * weight.sum())
        loss = l1 + config.gradient_weight * edges
        psnr = -10 * torch.log10((error.detach().clamp(-1, 1) ** 2).mean())
        loop.update(loss, l1=l1, psnr=psnr)


@torch.no_grad()
def start_from_components(autoencoder: FrameAutoencoder, episodes: Sequence[Episode]) -> None:
    """Begin with the principal components of some of the frames."""
    some = np.concatenate([episode.frames[::20] for episode in episodes])[:1500]
    autoencoder.start_from_components(_pixels(some))


@torch.no_grad()
def encode_episodes(autoencoder: FrameAutoencoder,
                    episodes: Sequence[Episode]) -> list[torch.Tensor]:
    """Return the latents of every episode, (T, C, h, w) float16 on the CPU."""
    autoencoder.eval()
    return [encode_frames(autoencoder, episode.frames).half().cpu() for episode in episodes]


@torch.no_grad()
def encode_frames(autoencoder: FrameAutoencoder, frames: np.ndarray) -> torch.Tensor:
    """Return the latents (N, C, h, w) of frames (N, H, W, 3) uint8."""
    return autoencoder.encode(_pixels(frames))


@torch.no_grad()
def normalise_latents(autoencoder: FrameAutoencoder, episodes: Sequence[Episode]) -> None:
    """Have the autoencoder hand out latents of unit variance."""
    autoencoder.latent_mean.zero_()
    autoencoder.latent_std.fill_(1.0)
    some = torch.cat([latents[::4] for latents in encode_episodes(autoencoder, episodes)]).float()
    autoencoder.latent_mean.copy_(some.mean((0, 2, 3))[:, None, None])
    autoencoder.latent_std.copy_(some.std((0, 2, 3))[:, None, None])


def _pixels(frames: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) in 0..1."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    return pixels.float().to(DEVICE) / 255
