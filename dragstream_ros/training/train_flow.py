"""Fit the flow that makes the first guess, drags given or not.

To the flow that is true, or was found in the pictures, and what was hidden; and so that the newest
picture, carried along it, is what came.  The former knows how far, the latter where a blend is
better than a tear.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.training.device import DEVICE, autocast
from dragstream_ros.training.episodes import Episode, draw_lively
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.pictures import Strips
from dragstream_ros.training.sample_drags import DragSampling, chunk_maps, sample_handles
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.flow import Flow, FlowNet

GAINS = (0.6, 1.3)      # of a colour channel, where a sample is repainted
Encode = Callable[[np.ndarray], torch.Tensor]


@dataclass(frozen=True)
class FlowTraining:
    """Weights are of one cell of the flow, against 1 for a cell that stays."""

    steps: int = 3600
    batch: int = 16
    learning_rate: float = 1e-3
    repainted: float = 0.75         # of samples: in other colours, which say nothing of motion
    latent_noise: float = 0.15      # at most; what is carried on is the model's own picture
    moving_weight: float = 4.0
    hole_weight: float = 0.2        # of the cross-entropy, against the flow's error in cells
    picture_weight: float = 2.0     # of the carried picture's error, of 0..1, against the same
    pictured: int = 4               # samples of a batch, since carrying takes as long as all else
    drags: DragSampling = DragSampling()


@dataclass(frozen=True)
class FlowSamples:
    """newest: (B, 2C, h, w); maps: (B, F, 6, h, w); truth: Flow whose hole is 0 or 1.

    known: (B, F, 1, H', W'), 1 where the truth is, else 0; pictures: (B, 1 + F, 3, H', W') in 0..1,
    as large as the flow, the newest and the chunk's.
    """

    newest: torch.Tensor
    maps: torch.Tensor
    truth: Flow
    known: torch.Tensor
    pictures: torch.Tensor


def repaint(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 in other colours: channels change places, and their gains."""
    gains = rng.uniform(*GAINS, 3)
    return np.clip(frames[..., rng.permutation(3)] * gains, 0, 255).astype(np.uint8)


def draw_flows(net: FlowNet, latents: Sequence[torch.Tensor], episodes: Sequence[Episode],
               config: FlowTraining, rng: np.random.Generator,
               encode: Encode | None = None) -> FlowSamples:
    """Draw chunks with the frame before them.

    encode: of frames (N, H, W, 3) uint8; without it nothing is repainted.
    """
    chunk, size = net.config.frames_per_chunk, net.config.latent_size
    image = episodes[0].frames.shape[1]
    newest, maps, truths, pictures = [], [], [], []
    stride = image // size // net.config.fine
    for _ in range(config.batch):
        e, t = draw_lively(latents, 1 + chunk, rng)
        episode = episodes[e]
        frames, known = episode.frames[t - 1:t + chunk + 1], latents[e][[t, t - 1]]
        if encode is not None and rng.random() < config.repainted:
            frames = repaint(frames, rng)
            known = encode(frames[[1, 0]])
        newest.append(known.flatten(0, 1).float().to(DEVICE))
        tracks = sample_handles(episode.tracks(t, chunk + 1), config.drags, rng)
        maps.append(chunk_maps(tracks, size, image))
        truths.append([episode.flow_back(t + 1 + i, t, stride=stride) for i in range(chunk)])
        shown = torch.from_numpy(frames[1:]).permute(0, 3, 1, 2)
        pictures.append(functional.avg_pool2d(shown.float() / 255, stride))

    def stacked(key: str) -> torch.Tensor:
        """(B, F, 1 or 2, H', W')."""
        found = np.stack([[getattr(seen, key) for seen in truth] for truth in truths])
        return torch.from_numpy(found).float().to(DEVICE)

    displacement = stacked('displacement_px').permute(0, 1, 4, 2, 3) * (size / image)
    return FlowSamples(torch.stack(newest), torch.stack(maps).to(DEVICE),
                       Flow(displacement, stacked('hidden')[:, :, None]),
                       stacked('known')[:, :, None], torch.stack(pictures).to(DEVICE))


def flow_loss(flow: Flow, truth: Flow, known: torch.Tensor,
              config: FlowTraining) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and the mean error of moving cells in latent cells."""
    error = (flow.displacement - truth.displacement).abs().sum(2, keepdim=True)
    moving = (truth.displacement.norm(dim=2, keepdim=True) > 0.05).float()
    seen = known * (1 - truth.hole)
    weight = seen * (1 + config.moving_weight * moving)
    cross_entropy = functional.binary_cross_entropy_with_logits(
        flow.hole, truth.hole, known)
    shown = (error * seen * moving).sum() / (seen * moving).sum().clamp_min(1)
    return (error * weight).mean() + config.hole_weight * cross_entropy, shown.detach()


def picture_error(flow: Flow, samples: FlowSamples, cell_px: float, count: int) -> torch.Tensor:
    """Mean difference of the carried pictures from what came; what changes weighs five times.

    Of the first samples only, ``count`` of them.  Where the flow is not known nothing is asked, or
    all that moves too fast would learn to fade.
    """
    errors = []
    for i, (pictures, known) in enumerate(zip(samples.pictures[:count], samples.known[:count])):
        carried = carry(pictures[0], flow.displacement[i] * cell_px, flow.hole[i].sigmoid())
        changes = (pictures[1:] - pictures[0]).abs().amax(1, keepdim=True) > 0.06
        errors.append(((carried - pictures[1:]).abs() * (1 + 4 * changes) * known).mean())
    return torch.stack(errors).mean()


def train_flow(net: FlowNet, latents: Sequence[torch.Tensor], episodes: Sequence[Episode],
               config: FlowTraining, loop: Loop, encode: Encode | None = None) -> None:
    """Fit it; encode: see draw_flows."""
    rng = loop.rng
    shown = draw_flows(net, latents, episodes, replace(config, batch=3), np.random.default_rng(1))

    def pictures() -> Strips:
        flow = net(shown.newest, shown.maps)
        carried = [torch.cat([clip[:1], carry(clip[0], displacement * net.config.fine,
                                              hole.sigmoid())])
                   for clip, displacement, hole in zip(
                       shown.pictures, flow.displacement, flow.hole, strict=True)]
        return {'truth': shown.pictures, 'carried': torch.stack(carried)}

    for _ in loop.steps(net, steps=config.steps, learning_rate=config.learning_rate,
                        pictures=pictures):
        samples = draw_flows(net, latents, episodes, config, rng, encode)
        noise = config.latent_noise * torch.rand(config.batch, 1, 1, 1, device=DEVICE)
        newest = samples.newest + noise * torch.randn_like(samples.newest)
        with autocast():
            flow = net(newest, samples.maps)
        flow = Flow(flow.displacement.float(), flow.hole.float())
        loss, error = flow_loss(flow, samples.truth, samples.known, config)
        pictures_off = picture_error(flow, samples, net.config.fine, config.pictured)
        loss = loss + config.picture_weight * pictures_off
        with torch.no_grad():
            rest = Flow(torch.zeros_like(flow.displacement), torch.zeros_like(flow.hole))
            still, _ = flow_loss(rest, samples.truth, samples.known, config)
        loop.update(loss, moving_error=error, picture_error=pictures_off, loss_at_rest=still)
