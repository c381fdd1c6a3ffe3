"""Does a stream that lives on its own frames stay in the world? A minute of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dragstream_ros.core.rollout import latent_drift
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.colour_area import SceneObjects
from dragstream_ros.evaluation.drag_cases import FIRST_SEED
from dragstream_ros.evaluation.drag_score import AREA_TOLERANCE
from dragstream_ros.evaluation.held_out_scenes import (
    Scene,
    SceneConfig,
    frame_index,
    make_scenes,
)
from dragstream_ros.evaluation.metrics import gradient_energy

Moment = tuple[np.ndarray, float]   # a frame (H, W, 3) uint8 RGB, and its chunk's drift


@dataclass(frozen=True, kw_only=True)
class FreeRunConfig:
    """How many scenes, and when one looks, in s after the last real frame; rising."""

    scenes: int = 12
    first_seed: int = FIRST_SEED
    times_secs: tuple[float, ...] = (5.0, 15.0, 30.0, 60.0)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a stream is at one moment, against the last real frame.

    sharpness: gradient energy over that frame's. drift: distance of the newest chunk's latent
    statistics, channel by channel, from those of the real frames (core.rollout.latent_drift).
    area_ratios: how much is seen of each of that frame's objects, in their areas there.
    """

    sharpness: float
    drift: float
    area_ratios: tuple[float, ...]


def run_free(world_model: WorldModel, config: FreeRunConfig) -> dict[str, Any]:
    """Let the model dream in each scene, and the world go on; plain data for JSON.

    The yardstick is 'truth': what becomes of the real scene in that time.
    """
    scenes = list(make_scenes(SceneConfig(
        scenes=config.scenes, first_seed=config.first_seed, future_secs=config.times_secs[-1])))
    return {
        'seeds': [scene.seed for scene in scenes],
        **{name: _summarise([_look_at(scene, moments(world_model, scene, config))
                             for scene in scenes], config)
           for name, moments in (('truth', _happened), ('free_running', _dreamt))}}


def _happened(world_model: WorldModel, scene: Scene, config: FreeRunConfig) -> Iterator[Moment]:
    """The true frames at the moments."""
    count = world_model.frames_per_chunk
    start = world_model.encode(scene.past[-count:])
    for index in map(frame_index, config.times_secs):
        latents = world_model.encode(scene.future[index + 1 - count:index + 1])
        yield scene.future[index], latent_drift(latents, start)


def _dreamt(world_model: WorldModel, scene: Scene, config: FreeRunConfig) -> Iterator[Moment]:
    """The predicted frames at the moments."""
    stream = DragStream(world_model, config=StreamConfig(mode='free_running', seed=config.seed))
    stream.reset(scene.past, scene.stamps_ns())
    chunk = None
    for index in map(frame_index, config.times_secs):
        number, place = divmod(index, world_model.frames_per_chunk)
        while chunk is None or chunk.chunk_index < number:
            chunk = stream.step()
        yield chunk.frames[place], chunk.drift


def _look_at(scene: Scene, moments: Iterable[Moment]) -> list[Look]:
    start = scene.past[-1]
    objects = SceneObjects(start[None], scene.masks[:1], scene.objects)
    areas_px, steep = objects.areas_px(start), gradient_energy(start).sum()
    return [
        Look(sharpness=float(gradient_energy(frame).sum() / steep), drift=drift,
             area_ratios=tuple((objects.areas_px(frame) / areas_px).tolist()))
        for frame, drift in moments]


def _summarise(scenes: Sequence[Sequence[Look]], config: FreeRunConfig) -> list[dict[str, Any]]:
    """For each moment: medians over scenes and over all their objects, and what they are of."""
    return [
        {'secs': secs,
         'median_sharpness': float(np.median([look.sharpness for look in looks])),
         'median_drift': float(np.median([look.drift for look in looks])),
         'objects': _summarise_areas([ratio for look in looks for ratio in look.area_ratios]),
         'scenes': [asdict(look) for look in looks]}
        for secs, looks in zip(config.times_secs, zip(*scenes))]


def _summarise_areas(ratios: Sequence[float]) -> dict[str, Any] | None:
    if not ratios:
        return None
    return {'n': len(ratios), 'median_area_ratio': float(np.median(ratios)),
            'kept_share': float(np.mean(np.abs(np.array(ratios) - 1) <= AREA_TOLERANCE))}
