"""``dragstream train``: from nothing to the shipped weights of the tabletop model."""
from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dragstream_ros.training.checkpoint import remove_partial_files, save_model, whole_file
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import (
    forget_episodes,
    load_episodes,
    make_episodes,
)
from dragstream_ros.training.stages import STAGES, TrainingConfig, read_config, train_stages
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

EPISODES = 'episodes'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=Path, help='a YAML file like config/train_tabletop.yaml')
    parser.add_argument('--folder', type=Path, default=Path('output/training'),
                        help='cache of episodes, checkpoints, curves and the result')
    parser.add_argument('--from', dest='first', choices=(EPISODES, *STAGES),
                        help='do this stage and those after it anew; without it, a training that '
                             'was stopped or killed goes on where it was')


def main(args: argparse.Namespace) -> None:
    try:
        _train(args.folder, read_config(args.config), args.first)
    except TrainingError as error:
        raise SystemExit(f'dragstream train: {error}') from error


def _train(folder: Path, config: TrainingConfig, first: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial_files(folder)
    _begin(folder, {'sigmas': list(config.sigmas), **{
        stage: asdict(getattr(config, stage)) for stage in (EPISODES, *STAGES)}}, first)
    make_episodes(folder / EPISODES, config.episodes, workers=os.cpu_count() or 1)
    torch.manual_seed(0)
    model = TabletopWorldModel(sigmas=config.sigmas)
    train_stages(model, load_episodes(folder / EPISODES, config.episodes), config, folder,
                 anew=True)
    card = {'trained_on': 'the simulated tabletop of this package, nothing else',
            'settings': asdict(config)}
    print('written:', save_model(model, folder, card))


def _begin(folder: Path, settings: dict[str, Any], first: str | None) -> None:
    """Forget the stages from ``first`` on; the others must have been begun with these settings."""
    settings = json.loads(json.dumps(settings))     # as it is read back
    path = folder / 'settings.json'
    before = json.loads(path.read_text()) if path.is_file() else settings
    order = (EPISODES, *STAGES)
    anew = order[order.index(first):] if first else ()
    for part in settings:
        if part not in anew and before.get(part) != settings[part]:
            raise TrainingError(
                f'{folder} was begun with other settings of {part}. Use another --folder, or '
                f'--from {part if part in order else EPISODES} to do it anew.')
    for stage in anew:
        if stage == EPISODES:
            forget_episodes(folder / EPISODES)
        else:
            Loop(folder, stage).forget()
    with whole_file(path) as partial:
        partial.write_text(json.dumps(settings, indent=1) + '\n')
