"""``dragstream train``: from nothing to the shipped weights of the tabletop model."""
from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
import yaml

from dragstream_ros.errors import DragStreamError
from dragstream_ros.training.checkpoint import whole_file
from dragstream_ros.training.episodes import (
    EpisodeConfig,
    forget_episodes,
    load_episodes,
    make_episodes,
)
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.sample_drags import DragSampling
from dragstream_ros.training.train_autoencoder import (
    AutoencoderTraining,
    encode_episodes,
    train_autoencoder,
)
from dragstream_ros.training.train_dynamics import DynamicsTraining, train_dynamics
from dragstream_ros.training.train_flow import FlowTraining, train_flow
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

STAGES = ('episodes', 'autoencoder', 'flow', 'dynamics')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=Path, help='a YAML file like config/train_tabletop.yaml')
    parser.add_argument('--folder', type=Path, default=Path('output/training'),
                        help='cache of episodes, checkpoints, curves and the result')
    parser.add_argument('--from', dest='first', choices=STAGES,
                        help='do this stage and those after it anew; without it, a training that '
                             'was stopped or killed goes on where it was')


def main(args: argparse.Namespace) -> None:
    settings = yaml.safe_load(args.config.read_text())
    args.folder.mkdir(parents=True, exist_ok=True)
    _forget(args.folder, settings, STAGES[STAGES.index(args.first):] if args.first else ())
    try:
        _train(args.folder, settings)
    except DragStreamError as error:
        raise SystemExit(f'dragstream train: {error}') from error


def _forget(folder: Path, settings: dict[str, Any], stages: Sequence[str]) -> None:
    """Forget stages; what the folder holds of the others must have the same settings."""
    path = folder / 'settings.json'
    before = json.loads(path.read_text()) if path.is_file() else settings
    for stage in STAGES:
        if stage not in stages and before.get(stage) != settings.get(stage):
            raise SystemExit(
                f'dragstream train: {folder} was begun with other settings of {stage}. Use '
                f'another --folder, or --from {stage} to do it anew.')
    for stage in stages:
        if stage == 'episodes':
            forget_episodes(folder / 'episodes')
        else:
            Loop(folder, stage).forget()
    with whole_file(path) as partial:
        partial.write_text(json.dumps(settings, indent=1) + '\n')


def _train(folder: Path, settings: dict[str, Any]) -> None:
    """Do all stages; those that had ended take no more steps."""
    episode_config = EpisodeConfig(**settings['episodes'])
    make_episodes(folder / 'episodes', episode_config, workers=os.cpu_count() or 1)
    episodes = load_episodes(folder / 'episodes', episode_config)
    torch.manual_seed(0)
    model = TabletopWorldModel(sigmas=settings['sigmas'])
    train_autoencoder(model.autoencoder, episodes,
                      _filled(AutoencoderTraining, settings['autoencoder']),
                      Loop(folder, 'autoencoder'))
    latents = encode_episodes(model.autoencoder, episodes)
    train_flow(model.flow, latents, episodes, _filled(FlowTraining, settings['flow']),
               Loop(folder, 'flow'))
    model.flow.eval()
    train_dynamics(model, latents, episodes, _filled(DynamicsTraining, settings['dynamics']),
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
