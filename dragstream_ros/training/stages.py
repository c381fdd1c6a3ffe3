"""The stages of a training, each on the results of those before it."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from dragstream_ros.training.device import DEVICE
from dragstream_ros.training.episodes import Episode
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import EpisodeConfig
from dragstream_ros.training.train_autoencoder import (
    AutoencoderTraining,
    encode_episodes,
    encode_frames,
    normalise_latents,
    start_from_components,
    train_autoencoder,
)
from dragstream_ros.training.train_dynamics import DynamicsTraining, train_dynamics
from dragstream_ros.training.train_flow import FlowTraining, train_flow
from dragstream_ros.training.train_table import TableTraining
from dragstream_ros.training.train_things import ThingTraining
from dragstream_ros.training.train_whole import WholeTraining
from dragstream_ros.whole_file import whole_file
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

STAGES = ('autoencoder', 'flow', 'dynamics')
TABLETOP_STAGES = (*STAGES, 'table', 'whole', 'things')     # the last need simulated truth


@dataclass(frozen=True)
class StagesConfig:
    """What a YAML file like config/train_own_robot.yaml says."""

    autoencoder: AutoencoderTraining = field(default_factory=AutoencoderTraining)
    flow: FlowTraining = field(default_factory=FlowTraining)
    dynamics: DynamicsTraining = field(default_factory=DynamicsTraining)


@dataclass(frozen=True)
class TabletopConfig(StagesConfig):
    """What config/train_tabletop.yaml says: also what the model is, and what is simulated."""

    table: TableTraining = TableTraining()
    whole: WholeTraining = WholeTraining()
    things: ThingTraining = ThingTraining()
    sigmas: tuple[float, ...] = (0.5,)
    episodes: EpisodeConfig = EpisodeConfig()


Config = TypeVar('Config', bound=StagesConfig)


def read_config(path: Path, config: Config) -> Config:
    """Replace values by those of a YAML file; TrainingError names what is wrong."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise TrainingError(f'{path} cannot be read ({error.strerror}).') from error
    except yaml.YAMLError as error:
        raise TrainingError(f'{path} is no YAML: {" ".join(str(error).split())}.') from error
    filled: Config = fill(config, values or {}, str(path))
    return filled


def fill(config: Any, values: Any, where: str) -> Any:
    """A config dataclass with some values replaced; an unknown key is an error that names it."""
    known = {f.name for f in fields(config)}
    if not isinstance(values, dict):
        raise TrainingError(f'{where} must be settings with values, not {values!r}.')
    if unknown := sorted(map(str, set(values) - known)):
        raise TrainingError(
            f'{where} has no setting {unknown[0]!r}; it has {", ".join(sorted(known))}.')
    changes = {}
    for key, value in values.items():
        before = getattr(config, key)
        if is_dataclass(before):
            value = fill(before, value, f'{where}: {key}')
        elif isinstance(before, tuple):
            value = tuple(value)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TrainingError(f'{where}: {key} must be a number, not {value!r}.')
        changes[key] = value
    return replace(config, **changes)


def begin(folder: Path, settings: Mapping[str, Any], first: str | None) -> None:
    """Forget the stages from ``first`` on; the others must have been begun with these settings.

    settings: by part; a part that is no stage is what all of them stand on.
    """
    settings = json.loads(json.dumps(settings))     # as it is read back
    path = folder / 'settings.json'
    before = json.loads(path.read_text()) if path.is_file() else settings
    anew = TABLETOP_STAGES[TABLETOP_STAGES.index(first):] if first else ()
    for part in settings:
        if part not in anew and before.get(part) != settings[part]:
            raise TrainingError(
                f'{folder} was begun with other settings of {part}. Use another --folder' + (
                    f', or --from {part} to do it anew.' if part in TABLETOP_STAGES else '.'))
    for stage in anew:
        Loop(folder, stage).forget()
    with whole_file(path) as partial:
        partial.write_text(json.dumps(settings, indent=1) + '\n')


def train_stages(model: TabletopWorldModel, episodes: Sequence[Episode], config: StagesConfig,
                 folder: Path, *, anew: bool) -> None:
    """Do all stages, in place; those that had ended take no more steps.

    anew: the model knows nothing yet; else it goes on from what it knows, on the latents it has.
    """
    model.to(DEVICE).requires_grad_(True)
    if anew:
        start_from_components(model.autoencoder, episodes)
    train_autoencoder(model.autoencoder, episodes, config.autoencoder,
                      Loop(folder, 'autoencoder'))
    model.autoencoder.eval().requires_grad_(False)
    if anew:
        normalise_latents(model.autoencoder, episodes)
    latents = encode_episodes(model.autoencoder, episodes)
    train_flow(model.flow, latents, episodes, config.flow, Loop(folder, 'flow'),
               partial(encode_frames, model.autoencoder))
    model.flow.eval().requires_grad_(False)
    train_dynamics(model, latents, episodes, config.dynamics, Loop(folder, 'dynamics'))
    model.cpu().eval().requires_grad_(False)
