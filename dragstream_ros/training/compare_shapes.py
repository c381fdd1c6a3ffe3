"""Which shape should the flow network have?  Trains several alike; error against milliseconds.

``python -m dragstream_ros.training.compare_shapes FOLDER`` prints a Markdown table.  All shapes see
the same samples in the same order, from nothing, on the latents of the bundled autoencoder; stopped
at any moment, the same command goes on where it was.
"""
from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dragstream_ros.core.drag_maps import N_PLANES
from dragstream_ros.evaluation.machine import describe_machine
from dragstream_ros.evaluation.markdown import table
from dragstream_ros.training.episodes import Episode
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import EpisodeConfig, load_episodes, make_episodes
from dragstream_ros.training.train_autoencoder import encode_episodes, encode_frames
from dragstream_ros.training.train_flow import FlowTraining, draw_flows, flow_loss, train_flow
from dragstream_ros.world_models.tabletop.autoencoder import FrameAutoencoder
from dragstream_ros.world_models.tabletop.flow import Flow, FlowConfig, FlowNet
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

SHAPES = {
    'shipped': FlowConfig(),
    'convolutions alone': FlowConfig(blocks=0),
    'two blocks of attention': FlowConfig(blocks=2),
    'half as wide': FlowConfig(channels=48, width=96, heads=3),
    'a third wider': FlowConfig(channels=128, width=256, heads=8),
    'coarse, 2 x 2 flows a cell': FlowConfig(fine=2),
}
HEAD = ('shape', 'weights, millions', 'ms a chunk, one thread',
        'error where things move, px, unseen scenes')
HELD_OUT = EpisodeConfig(episodes=40, first_seed=2_000_000)
BATCHES = 12            # of held-out samples
RUNS = 30               # that are timed


def main() -> None:
    """Train what is not trained yet, measure all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--steps', type=int, default=1500)
    parser.add_argument('--episodes', type=int, default=320)
    args = parser.parse_args()
    torch.set_num_threads(1)
    seen, unseen = (_simulated(args.folder / 'episodes', config)
                    for config in (EpisodeConfig(episodes=args.episodes), HELD_OUT))
    autoencoder = TabletopWorldModel.load().autoencoder
    print(json.dumps(describe_machine()))
    print(compare(SHAPES, args.folder, FlowTraining(steps=args.steps), autoencoder, seen, unseen))


def compare(shapes: Mapping[str, FlowConfig], folder: Path, training: FlowTraining,
            autoencoder: FrameAutoencoder, seen: Sequence[Episode],
            unseen: Sequence[Episode]) -> str:
    """Return the table of shapes that were trained on what was seen."""
    latents, unseen_latents = (encode_episodes(autoencoder, e) for e in (seen, unseen))
    cell_px = seen[0].frames.shape[1] / latents[0].shape[-1]
    rows = []
    for name, shape in shapes.items():
        torch.manual_seed(0)
        net = FlowNet(shape)
        train_flow(net, latents, seen, training, Loop(folder, slug(name)),
                   partial(encode_frames, autoencoder))
        net.eval().requires_grad_(False)
        rows.append([name, f'{sum(p.numel() for p in net.parameters()) / 1e6:.2f}',
                     f'{chunk_ms(net):.1f}',
                     f'{cell_px * moving_error(net, unseen_latents, unseen, training):.2f}'])
    return table(HEAD, rows)


def slug(name: str) -> str:
    """As a file may be called."""
    return '_'.join(re.findall('[a-z0-9]+', name))


def _simulated(folder: Path, config: EpisodeConfig) -> Sequence[Episode]:
    make_episodes(folder, config, workers=1)
    return load_episodes(folder, config)


def moving_error(net: FlowNet, latents: Sequence[torch.Tensor],
                 episodes: Sequence[Episode], training: FlowTraining) -> float:
    """Mean error of the flow of unseen moving places, in latent cells; always the same samples."""
    rng, errors = np.random.default_rng(0), []
    for _ in range(BATCHES):
        samples = draw_flows(net, latents, episodes, training, rng)
        flow: Flow = net(samples.newest, samples.maps)
        errors.append(float(flow_loss(flow, samples.truth, samples.known, training)[1]))
    return float(np.mean(errors))


def chunk_ms(net: FlowNet) -> float:
    """Median time of one chunk's flow, dragged."""
    shape = net.config
    newest = torch.zeros(1, 2 * shape.latent_channels, shape.latent_size, shape.latent_size)
    maps = torch.zeros(1, shape.frames_per_chunk, N_PLANES, shape.latent_size, shape.latent_size)
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        net(newest, maps)
        took.append(time.perf_counter() - started)
    return 1e3 * float(np.median(took))


if __name__ == '__main__':
    main()
