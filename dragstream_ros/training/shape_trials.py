"""The networks whose shapes are compared: how one is trained, timed and scored on unseen scenes."""
from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import nn

from dragstream_ros.core.drag_maps import N_PLANES
from dragstream_ros.training.episodes import Episode
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.train_autoencoder import (
    AutoencoderTraining,
    encode_episodes,
    encode_frames,
    start_from_components,
    train_autoencoder,
)
from dragstream_ros.training.train_dynamics import (
    DynamicsTraining,
    denoise_clips,
    draw_clips,
    guess_clips,
    train_dynamics,
)
from dragstream_ros.training.train_flow import FlowTraining, draw_flows, flow_loss, train_flow
from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig, FrameAutoencoder
from dragstream_ros.world_models.tabletop.dynamics import ChunkDenoiser, DynamicsConfig
from dragstream_ros.world_models.tabletop.flow import Flow, FlowConfig, FlowNet
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

BATCHES = 12            # of held-out samples
FRAMES = 10             # of each held-out episode, that are encoded and decoded
RUNS = 30               # that are timed


class Trial(Protocol):
    """timed, scored: what the columns say; shapes: by name, the shipped one first."""

    timed: ClassVar[str]
    scored: ClassVar[str]
    shapes: ClassVar[Mapping[str, Any]]

    def train(self, shape: Any, loop: Loop) -> nn.Module:
        """Train a network of that shape, from nothing, on what is seen."""

    def ms(self, net: Any) -> float:
        """Median milliseconds of what is timed."""

    def score(self, net: Any) -> str:
        """On what is not seen; always the same samples."""


@dataclass(frozen=True, eq=False)
class AutoencoderTrial:
    """Frames to latents and back."""

    training: AutoencoderTraining
    seen: Sequence[Episode]
    unseen: Sequence[Episode]
    timed: ClassVar[str] = 'ms a frame, there and back'
    scored: ClassVar[str] = 'dB of unseen frames, all and things'
    shapes: ClassVar[Mapping[str, AutoencoderConfig]] = {
        'shipped': AutoencoderConfig(),
        'no residual blocks': AutoencoderConfig(
            encoder_blocks=(0, 0), decoder_blocks=(0, 0, 0)),
        'a block more at each scale': AutoencoderConfig(
            encoder_blocks=(3, 2), decoder_blocks=(2, 2, 2)),
        'half as wide': AutoencoderConfig(
            encoder_channels=(48, 32), decoder_channels=(64, 32, 16)),
        'a half wider': AutoencoderConfig(
            encoder_channels=(144, 80), decoder_channels=(192, 80, 32)),
        'twice the latent channels': AutoencoderConfig(latent_channels=24),
    }

    def train(self, shape: AutoencoderConfig, loop: Loop) -> FrameAutoencoder:
        net = FrameAutoencoder(shape)
        start_from_components(net, self.seen)
        train_autoencoder(net, self.seen, self.training, loop)
        return net

    def ms(self, net: FrameAutoencoder) -> float:
        frame = torch.zeros(1, 3, *self.seen[0].frames.shape[1:3])
        return _median_ms(lambda: net.decode(net.encode(frame)))

    def score(self, net: FrameAutoencoder) -> str:
        squares = []
        for episode in self.unseen:
            at = np.linspace(0, len(episode.frames) - 1, FRAMES).round().astype(int)
            decoded = net.decode(encode_frames(net, episode.frames[at])).clamp(0, 1)
            truth = torch.from_numpy(episode.frames[at]).permute(0, 3, 1, 2) / 255
            off = (decoded - truth).square().mean(1)
            things = torch.from_numpy(np.stack([episode.things(int(index)) for index in at])) > 0
            squares.append((off.mean(), off[things].mean()))
        return ' and '.join(f'{-10 * np.log10(np.mean(column)):.2f}' for column in zip(*squares))


@dataclass(frozen=True, eq=False)
class FlowTrial:
    """Where everything in a chunk comes from, on the latents of an autoencoder."""

    training: FlowTraining
    autoencoder: FrameAutoencoder
    seen: Sequence[Episode]
    unseen: Sequence[Episode]
    timed: ClassVar[str] = 'ms a chunk'
    scored: ClassVar[str] = 'error where things move, px, unseen scenes'
    shapes: ClassVar[Mapping[str, FlowConfig]] = {
        'shipped': FlowConfig(),
        'convolutions alone': FlowConfig(blocks=0),
        'two blocks of attention': FlowConfig(blocks=2),
        'half as wide': FlowConfig(channels=48, width=96, heads=3),
        'a third wider': FlowConfig(channels=128, width=256, heads=8),
        'coarse, 2 x 2 flows a cell': FlowConfig(fine=2),
    }

    def train(self, shape: FlowConfig, loop: Loop) -> FlowNet:
        net = FlowNet(shape)
        train_flow(net, encode_episodes(self.autoencoder, self.seen), self.seen, self.training,
                   loop, partial(encode_frames, self.autoencoder))
        return net

    def ms(self, net: FlowNet) -> float:
        shape = net.config
        size = shape.latent_size
        newest = torch.zeros(1, 2 * shape.latent_channels, size, size)
        maps = torch.zeros(1, shape.frames_per_chunk, N_PLANES, size, size)
        return _median_ms(lambda: net(newest, maps))

    def score(self, net: FlowNet) -> str:
        return f'{self.error_px(net):.2f}'

    def error_px(self, net: FlowNet) -> float:
        """Mean error of the flow of unseen moving places."""
        latents = encode_episodes(self.autoencoder, self.unseen)
        rng, errors = np.random.default_rng(0), []
        for _ in range(BATCHES):
            samples = draw_flows(net, latents, self.unseen, self.training, rng)
            flow: Flow = net(samples.newest, samples.maps)
            errors.append(float(flow_loss(flow, samples.truth, samples.known, self.training)[1]))
        cell_px = self.unseen[0].frames.shape[1] / latents[0].shape[-1]
        return float(cell_px * np.mean(errors))


@dataclass(frozen=True, eq=False)
class DenoiserTrial:
    """Chunks from their first guesses, which a model's autoencoder and flow make."""

    training: DynamicsTraining
    model: TabletopWorldModel
    seen: Sequence[Episode]
    unseen: Sequence[Episode]
    timed: ClassVar[str] = 'ms a step of a chunk'
    scored: ClassVar[str] = "error of unseen chunks, in their guesses'"
    shapes: ClassVar[Mapping[str, DynamicsConfig]] = {
        'shipped': DynamicsConfig(),
        'one block of attention': DynamicsConfig(blocks=1),
        'two blocks of attention': DynamicsConfig(blocks=2),
        'half as wide': DynamicsConfig(channels=32, width=64, heads=2),
        'a half wider': DynamicsConfig(channels=96, width=192, heads=6),
    }

    def train(self, shape: DynamicsConfig, loop: Loop) -> ChunkDenoiser:
        net = self.model.dynamics = ChunkDenoiser(shape)
        train_dynamics(self.model, encode_episodes(self.model.autoencoder, self.seen), self.seen,
                       self.training, loop)
        return net

    def ms(self, net: ChunkDenoiser) -> float:
        model, c = self.model, net.config
        model.dynamics = net
        chunk = torch.zeros(c.frames_per_chunk, *model.latent_shape)
        past = torch.zeros(c.context_frames, *model.latent_shape)
        newest = np.zeros((*model.image_size, 3), np.uint8)
        conditions = model.condition(
            model.commit(past, model.empty_context()), newest, guess=chunk)
        return _median_ms(lambda: model.denoise(chunk, 0, conditions))

    def score(self, net: ChunkDenoiser) -> str:
        """Squares of what is open, all chunks together: below 1 it is better than its guess."""
        latents = encode_episodes(self.model.autoencoder, self.unseen)
        rng, sums = np.random.default_rng(0), np.zeros(2)
        torch.manual_seed(0)
        sigma, chunk = self.model.sigmas[0], net.config.frames_per_chunk
        for _ in range(BATCHES):
            clips = draw_clips(latents, self.unseen, self.training, rng,
                               net.config.window - chunk, chunk)
            guess, opened = guess_clips(self.model, clips)
            truth = clips.frames[:, -2 * chunk:]
            found = denoise_clips(
                net, clips, guess.lerp(torch.randn_like(guess), sigma),
                torch.full(guess.shape[:2], sigma), guess, torch.zeros(len(guess), 1, 1, 1, 1))
            sums += [float((opened * (x - truth) ** 2).sum()) for x in (found, guess)]
        return f'{sums[0] / sums[1]:.3f}'


def _median_ms(run: Callable[[], object]) -> float:
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        took.append(time.perf_counter() - started)
    return 1e3 * float(np.median(took))
