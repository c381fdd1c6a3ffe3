"""``dragstream train``: from nothing to the shipped weights of the tabletop model."""
from __future__ import annotations

import argparse
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file

from dragstream_ros.training.episodes import EpisodeConfig, load_episodes, make_episodes
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.sample_drags import DragSampling
from dragstream_ros.training.train_autoencoder import (
    AutoencoderTraining,
    encode_episodes,
    train_autoencoder,
)
from dragstream_ros.training.train_dynamics import DynamicsTraining, train_dynamics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

STAGES = ('episodes', 'autoencoder', 'dynamics')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=Path, help='a YAML file like config/train_tabletop.yaml')
    parser.add_argument('--folder', type=Path, default=Path('output/training'),
                        help='cache of episodes, checkpoints, curves and the result')
    parser.add_argument('--from', dest='first', choices=STAGES, default='episodes',
                        help='start at this stage, with what the folder holds of those before')


def main(args: argparse.Namespace) -> None:
    settings = yaml.safe_load(args.config.read_text())
    folder: Path = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    episode_config = EpisodeConfig(**settings['episodes'])
    if args.first == 'episodes':
        make_episodes(folder / 'episodes', episode_config, workers=os.cpu_count() or 1)
    episodes = load_episodes(folder / 'episodes', episode_config)
    torch.manual_seed(0)
    model = TabletopWorldModel(sigmas=settings['sigmas'])
    if args.first == 'dynamics':
        model.autoencoder.load_state_dict(load_file(folder / 'autoencoder.safetensors'))
    else:
        train_autoencoder(model.autoencoder, episodes,
                          _filled(AutoencoderTraining, settings['autoencoder']),
                          Loop(folder, 'autoencoder'))
    latents = encode_episodes(model.autoencoder, episodes)
    dynamics = _filled(DynamicsTraining, settings['dynamics'])
    train_dynamics(model.dynamics, model.autoencoder, latents, episodes, dynamics,
                   Loop(folder, 'dynamics'))
    card = {'trained_on': 'the simulated tabletop of this package, nothing else',
            'episodes': asdict(episode_config), 'settings': settings}
    print('written:', model.save(folder, card))


def _filled(cls: Any, values: dict[str, Any]) -> Any:
    """Fill a config dataclass; an unknown key is an error that names it."""
    known = {f.name for f in fields(cls)}
    if unknown := set(values) - known:
        raise SystemExit(f'{cls.__name__} has no setting {min(unknown)!r}; it has {sorted(known)}.')
    if isinstance(values.get('drags'), dict):
        values = {**values, 'drags': _filled(DragSampling, values['drags'])}
    return cls(**values)
