"""Fit the flow that makes the first guess, drags given or not.

To the simulation's true flow and what was hidden in truth; and so that the newest picture, carried
along it, is what came.  The former knows how far, the latter where a blend is better than a tear.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.training.episodes import EpisodeSet, draw_lively
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.sample_drags import DragSampling, chunk_maps, sample_handles
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.flow import Flow, FlowNet


@dataclass(frozen=True)
class FlowTraining:
    """Weights are of one cell of the flow, against 1 for a cell that stays."""

    minutes: float = 30.0
    batch: int = 16
    learning_rate: float = 1e-3
    latent_noise: float = 0.15      # at most; what is carried on is the model's own picture
    moving_weight: float = 4.0
    hole_weight: float = 0.2        # of the cross-entropy, against the flow's error in cells
    picture_weight: float = 2.0     # of the carried picture's error, of 0..1, against the same
    drags: DragSampling = DragSampling()


@dataclass(frozen=True)
class FlowSamples:
    """newest: (B, 2C, h, w); maps: (B, F, 6, h, w); truth: Flow whose hole is 0 or 1.

    pictures: (B, 1 + F, 3, H', W') in 0..1, as large as the flow, the newest and the chunk's.
    """

    newest: torch.Tensor
    maps: torch.Tensor
    truth: Flow
    pictures: torch.Tensor


def draw_flows(net: FlowNet, latents: torch.Tensor, episodes: EpisodeSet, config: FlowTraining,
               rng: np.random.Generator) -> FlowSamples:
    """Draw chunks with the frame before them."""
    chunk, size = net.config.frames_per_chunk, net.config.latent_size
    image = episodes.frames.shape[2]
    newest, maps, displacements, holes, pictures = [], [], [], [], []
    stride = image // size // net.config.fine
    for _ in range(config.batch):
        e, t = draw_lively(latents, 1 + chunk, rng)
        newest.append(latents[e, [t, t - 1]].flatten(0, 1))
        tracks = sample_handles(
            episodes.points_px[e, t:t + chunk + 1], episodes.visible[e, t],
            episodes.point_thing[e], config.drags, rng)
        maps.append(chunk_maps(tracks, size, image))
        flows = [episodes.surfaces[e].flow_back(t + 1 + i, t, stride=stride) for i in range(chunk)]
        displacements.append(np.stack([flow for flow, _ in flows]).transpose(0, 3, 1, 2))
        holes.append(np.stack([hidden for _, hidden in flows])[:, None])
        shown = torch.from_numpy(episodes.frames[e, t:t + chunk + 1]).permute(0, 3, 1, 2)
        pictures.append(functional.avg_pool2d(shown.float() / 255, stride))
    cells = torch.from_numpy(np.stack(displacements)) * (size / image)
    return FlowSamples(torch.stack(newest).float(), torch.stack(maps),
                       Flow(cells, torch.from_numpy(np.stack(holes)).float()),
                       torch.stack(pictures))


def flow_loss(flow: Flow, truth: Flow, config: FlowTraining) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and the mean error of moving cells in latent cells."""
    error = (flow.displacement - truth.displacement).abs().sum(2, keepdim=True)
    moving = (truth.displacement.norm(dim=2, keepdim=True) > 0.05).float()
    seen = 1 - truth.hole
    weight = seen * (1 + config.moving_weight * moving)
    cross_entropy = functional.binary_cross_entropy_with_logits(flow.hole, truth.hole)
    shown = (error * seen * moving).sum() / (seen * moving).sum().clamp_min(1)
    return (error * weight).mean() + config.hole_weight * cross_entropy, shown.detach()


def picture_error(flow: Flow, samples: FlowSamples, cell_px: float) -> torch.Tensor:
    """Mean difference of the carried pictures from what came; what changes weighs five times."""
    errors = []
    for i, pictures in enumerate(samples.pictures):
        carried = carry(pictures[0], flow.displacement[i] * cell_px, flow.hole[i].sigmoid())
        changes = (pictures[1:] - pictures[0]).abs().amax(1, keepdim=True) > 0.06
        errors.append(((carried - pictures[1:]).abs() * (1 + 4 * changes)).mean())
    return torch.stack(errors).mean()


def train_flow(net: FlowNet, latents: torch.Tensor, episodes: EpisodeSet, config: FlowTraining,
               loop: Loop) -> None:
    rng = loop.rng
    for _ in loop.steps(net, minutes=config.minutes, learning_rate=config.learning_rate):
        samples = draw_flows(net, latents, episodes, config, rng)
        noise = config.latent_noise * torch.rand(config.batch, 1, 1, 1)
        newest = samples.newest + noise * torch.randn_like(samples.newest)
        flow = net(newest, samples.maps)
        loss, error = flow_loss(flow, samples.truth, config)
        pictures = picture_error(flow, samples, net.config.fine)
        loss = loss + config.picture_weight * pictures
        with torch.no_grad():
            still, _ = flow_loss(Flow(torch.zeros_like(samples.truth.displacement),
                                      torch.zeros_like(samples.truth.hole)), samples.truth, config)
        loop.update(loss, moving_error=error, picture_error=pictures, loss_at_rest=still)
