"""Does a stream stay in the world while it is dragged again and again, on its own frames?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.drag_guidance import PROFILES, DragGuidanceConfig
from dragstream_ros.core.rollout import Control
from dragstream_ros.core.stream import DragStream, PredictedChunk, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.colour_area import SceneObjects
from dragstream_ros.evaluation.drag_case import NS
from dragstream_ros.evaluation.drag_cases import FIRST_SEED
from dragstream_ros.evaluation.drag_score import AREA_TOLERANCE
from dragstream_ros.evaluation.drag_systems import NO_RECTIFICATION
from dragstream_ros.evaluation.frechet import frechet_distance
from dragstream_ros.evaluation.held_out_scenes import Scene, SceneConfig, make_scenes
from dragstream_ros.evaluation.metrics import gradient_energy
from dragstream_ros.masks.touched_region import touched_region

FAST = PROFILES['fast']
SYSTEMS: dict[str, tuple[Control, DragGuidanceConfig]] = {
    'conditioned': ('conditioned', FAST),
    'guidance': ('guidance', FAST),
    'no_rectification': ('guidance', replace(FAST, rectification=NO_RECTIFICATION)),
}
WINDOW_CHUNKS = 5       # of which a look is taken


@dataclass(frozen=True, kw_only=True)
class DriftConfig:
    """way_px: each drag takes an object there, the next one back, a chunk each.

    looks: after so many chunks; the first is what the others are compared with.
    """

    scenes: int = 6
    first_seed: int = FIRST_SEED
    way_px: float = 12.0
    looks: tuple[int, ...] = (5, 20, 40, 60)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DriftLook:
    """How the newest chunks are, decoded.

    sharpness: gradient energy over that of the last real frame. objects_kept: share of its objects
    that are there with their area. frechet: distance of the frames' latents, encoded again, from
    those of the real ones, see frechet.py.
    """

    sharpness: float
    objects_kept: float | None
    frechet: float


def run_drift(world_model: WorldModel, config: DriftConfig) -> dict[str, Any]:
    """Drag for so many chunks in each scene; plain data for JSON, by system and look: means."""
    scenes = list(make_scenes(SceneConfig(
        scenes=config.scenes, first_seed=config.first_seed, future_secs=0.1)))
    found: dict[str, Any] = {}
    for name in SYSTEMS:
        by_look = zip(*(_looks(world_model, scene, name, config) for scene in scenes))
        found[name] = [
            {'chunk': chunk,
             **{key: _mean([getattr(look, key) for look in looks])
                for key in ('sharpness', 'objects_kept', 'frechet')}}
            for chunk, looks in zip(config.looks, by_look)]
    return found


def _looks(world_model: WorldModel, scene: Scene, name: str,
           config: DriftConfig) -> Iterator[DriftLook]:
    start = scene.past[-1]
    objects = SceneObjects(start[None], scene.masks[:1], scene.objects)
    areas_px = objects.areas_px(start)
    real = _features(world_model, scene.past)
    frames: list[np.ndarray] = []
    for number, chunk in enumerate(_dragged_chunks(world_model, scene, name, config), 1):
        frames = [*frames, *chunk.frames][-WINDOW_CHUNKS * len(chunk.frames):]
        if number not in config.looks:
            continue
        kept = np.abs(objects.areas_px(frames[-1]) / areas_px - 1) <= AREA_TOLERANCE
        yield DriftLook(
            sharpness=float(gradient_energy(frames[-1]).sum() / gradient_energy(start).sum()),
            objects_kept=float(kept.mean()) if len(kept) else None,
            frechet=frechet_distance(_features(world_model, np.stack(frames)), real))


def _dragged_chunks(world_model: WorldModel, scene: Scene, name: str,
                    config: DriftConfig) -> Iterator[PredictedChunk]:
    """An object, there and back; where it lies is known from the drags, as to an operator."""
    control, guidance = SYSTEMS[name]
    stream = DragStream(
        world_model, guidance, StreamConfig(mode='free_running', control=control, seed=config.seed),
        grow=touched_region)
    stream.reset(scene.past, scene.stamps_ns())
    rows, columns = np.nonzero(scene.masks[0] == _largest(scene))
    here = np.array([columns.mean(), rows.mean()])
    middle = np.array(scene.masks.shape[:0:-1]) / 2
    way = config.way_px * np.array([np.sign(middle[0] - here[0]) or 1.0, 0.0])
    secs = world_model.frames_per_chunk * world_model.frame_period_secs
    for number in range(config.looks[-1]):
        stream.push_drag(DragCommand(
            drag_id=str(number), operator_id='bench', mode=DragMode.ANIMATE,
            handles=(DragHandle(path_px=np.stack([here, here + way])),),
            image_size=(scene.past.shape[2], scene.past.shape[1]),
            stamp_ns=scene.stamps_ns()[-1] + round(number * secs * NS), duration_secs=secs))
        chunk = stream.step()
        assert chunk is not None, 'a free-running stream always goes on'
        yield chunk
        here, way = here + way, -way


def _largest(scene: Scene) -> int:
    """The label of the object that most is seen of."""
    return max(scene.objects, key=lambda label: int((scene.masks[0] == label).sum()))


def _features(world_model: WorldModel, frames: np.ndarray) -> np.ndarray:
    """Latents of frames (T, H, W, 3), a vector for each cell: (T h w, C)."""
    latents = world_model.encode(frames).detach().numpy()
    return latents.transpose(0, 2, 3, 1).reshape(-1, latents.shape[1])


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
