"""Which shape should a network have?  Trains several alike; what they are worth and what they cost.

``python -m dragstream_ros.training.compare_shapes PART FOLDER`` prints a Markdown table.  All
shapes see the same samples in the same order, from nothing, beside the other parts of the bundled
model; stopped at any moment, the same command goes on where it was.
"""
from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dragstream_ros.evaluation.machine import describe_machine
from dragstream_ros.evaluation.markdown import table
from dragstream_ros.training.episodes import Episode
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.shape_trials import AutoencoderTrial, DenoiserTrial, FlowTrial, Trial
from dragstream_ros.training.simulated_episodes import EpisodeConfig, load_episodes, make_episodes
from dragstream_ros.training.train_autoencoder import AutoencoderTraining
from dragstream_ros.training.train_dynamics import DynamicsTraining
from dragstream_ros.training.train_flow import FlowTraining
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

PARTS = ('autoencoder', 'flow', 'denoiser')
HELD_OUT = EpisodeConfig(episodes=40, first_seed=2_000_000)


def main() -> None:
    """Train what is not trained yet, measure all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('part', choices=PARTS)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--steps', type=int, default=1500)
    parser.add_argument('--episodes', type=int, default=320)
    args = parser.parse_args()
    torch.set_num_threads(1)
    seen, unseen = (_simulated(args.folder / 'episodes', config)
                    for config in (EpisodeConfig(episodes=args.episodes), HELD_OUT))
    trial = trial_of(args.part, args.steps, seen, unseen)
    print(json.dumps(describe_machine()))
    print(compare(trial, trial.shapes, args.folder / args.part))


def trial_of(part: str, steps: int, seen: Sequence[Episode], unseen: Sequence[Episode]) -> Trial:
    """Of one of PARTS, on what is seen and what is not; with the bundled model's other parts."""
    model = TabletopWorldModel.load()
    if part == 'autoencoder':
        return AutoencoderTrial(AutoencoderTraining(steps=steps), seen, unseen)
    if part == 'flow':
        return FlowTrial(FlowTraining(steps=steps), model.autoencoder, seen, unseen)
    return DenoiserTrial(DynamicsTraining(steps=steps), model, seen, unseen)


def compare(trial: Trial, shapes: Mapping[str, Any], folder: Path) -> str:
    """Return the table of shapes; what was trained is kept in the folder."""
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape in shapes.items():
        torch.manual_seed(0)
        net = trial.train(shape, Loop(folder, slug(name)))
        net.eval().requires_grad_(False)
        rows.append([name, f'{sum(p.numel() for p in net.parameters()) / 1e6:.2f}',
                     f'{trial.ms(net):.1f}', trial.score(net)])
    return table(('shape', 'weights, millions', f'{trial.timed}, one thread', trial.scored), rows)


def slug(name: str) -> str:
    """As a file may be called."""
    return '_'.join(re.findall('[a-z0-9]+', name))


def _simulated(folder: Path, config: EpisodeConfig) -> Sequence[Episode]:
    make_episodes(folder, config, workers=1)
    return load_episodes(folder, config)


if __name__ == '__main__':
    main()
