"""From nothing to the bundled weights, on the simulation alone."""
from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import torch

from dragstream_ros.training.checkpoint import save_model
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import load_episodes, make_episodes
from dragstream_ros.training.stages import TabletopConfig, begin, train_stages
from dragstream_ros.training.thing_module import ThingModule
from dragstream_ros.training.train_table import train_table
from dragstream_ros.training.train_things import save_things, train_things
from dragstream_ros.training.train_whole import train_whole
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel


def train_tabletop(folder: Path, config: TabletopConfig, first: str | None) -> Path:
    """Train, or go on; returns the weights file. ``first``: the stage to begin anew with."""
    begin(folder, asdict(config), first)
    make_episodes(folder / 'episodes', config.episodes, workers=os.cpu_count() or 1)
    torch.manual_seed(0)
    model = TabletopWorldModel(sigmas=config.sigmas)
    episodes = load_episodes(folder / 'episodes', config.episodes)
    train_stages(model, episodes, config, folder, anew=True)
    assert model.bare_table is not None and model.whole_thing is not None
    train_table(model.bare_table.requires_grad_(True), episodes, config.table,
                Loop(folder, 'table'))
    train_whole(model.whole_thing.requires_grad_(True), episodes, config.whole,
                Loop(folder, 'whole'))
    for net in (model.bare_table, model.whole_thing):
        net.cpu().eval().requires_grad_(False)
    things = ThingModule()
    train_things(things, episodes, config.things, Loop(folder, 'things'))
    card = {'trained_on': 'the simulated tabletop of this package, nothing else',
            'settings': asdict(config)}
    save_things(things, folder, card)
    return save_model(model, folder, card)
