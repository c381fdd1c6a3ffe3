"""Simulated episodes, whose truth is known: made in parallel once and kept in a cache folder."""
from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dragstream_ros.simulation.camera import Camera
from dragstream_ros.simulation.surfaces import Surfaces
from dragstream_ros.training.episodes import SeenFlow, Tracks
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.whole_file import whole_file

# Picture shapes that the model meets: square, and letter-boxed 4:3 and 16:9 cameras.
ASPECTS = (1.0, 4 / 3, 16 / 9)
ASPECT_SHARE = (0.76, 0.14, 0.10)


@dataclass(frozen=True)
class EpisodeConfig:
    """Seeds from 1,000,000 on are held out for the benchmarks; these never get there."""

    episodes: int = 480
    episode_secs: float = 6.0
    first_seed: int = 0


@dataclass(frozen=True, eq=False)
class SimulatedEpisode:
    """An episodes.Episode.

    points_px: (T, P, 2) float32; visible: (T, P) bool; point_thing: (P,) int16, -1 for static
    points; masks: (T, 128, 128) uint8, thing + 1; bare: (128, 128, 3) uint8, the scene with nothing
    on the table; surfaces tell the true flow.
    """

    frames: np.ndarray
    points_px: np.ndarray
    visible: np.ndarray
    point_thing: np.ndarray
    masks: np.ndarray
    bare: np.ndarray
    surfaces: Surfaces

    def tracks(self, first: int, count: int) -> Tracks:
        return Tracks(self.points_px[first:first + count], self.visible[first], self.point_thing)

    def things(self, index: int) -> np.ndarray:
        return np.asarray(self.masks[index] > 0)

    def thing_at(self, index: int, point_px: np.ndarray) -> np.ndarray:
        """Bare table is taken for a thing as well."""
        mask = self.masks[index]
        x, y = np.round(point_px).astype(int)
        return np.asarray(mask == mask[y, x] if mask[y, x] else np.ones_like(mask, bool))

    def flow_back(self, now: int, before: int, *, stride: int) -> SeenFlow:
        displacement_px, hidden = self.surfaces.flow_back(now, before, stride=stride)
        return SeenFlow(displacement_px, hidden, np.ones_like(hidden))


def make_episodes(folder: Path, config: EpisodeConfig, workers: int) -> None:
    """Simulate what the cache folder does not hold yet; safe to interrupt and call again."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [s for s in _seeds(config) if not _path(folder, s).is_file()]
    if not seeds:
        return
    make = partial(_make_episode, folder, config.episode_secs)
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(make, seeds, chunksize=4), 1):
            if done % 20 == 0 or done == len(seeds):
                print(f'episodes: {done}/{len(seeds)}', flush=True)


def load_episodes(folder: Path, config: EpisodeConfig) -> list[SimulatedEpisode]:
    """Load all episodes of the configuration into memory (about 7 MB each)."""
    return [_load(_path(folder, seed)) for seed in _seeds(config)]


def _seeds(config: EpisodeConfig) -> range:
    return range(config.first_seed, config.first_seed + config.episodes)


def _path(folder: Path, seed: int) -> Path:
    return folder / f'episode_{seed:07d}.npz'


def _make_episode(folder: Path, secs: float, seed: int) -> None:
    from dragstream_ros.simulation.episode import generate_episode
    aspect = np.random.default_rng(seed).choice(ASPECTS, p=ASPECT_SHARE)
    episode = generate_episode(seed, secs=secs, aspect=float(aspect))
    kinds = [thing.kind for thing in episode.things]
    thing = np.array([-1 if kinds[t] == 'static' else t for t in episode.point_thing], np.int16)
    arrays: dict[str, Any] = {
        'frames': episode.frames, 'points_px': episode.points_px.astype(np.float32),
        'visible': episode.point_visible, 'point_thing': thing, 'masks': episode.masks,
        'bare': episode.bare,
        **pack_surfaces(episode.surfaces)}
    with whole_file(_path(folder, seed)) as path, path.open('wb') as file:
        np.savez(file, **arrays)


def _load(path: Path) -> SimulatedEpisode:
    arrays = dict(np.load(path))
    try:
        return _unpack(arrays)
    except KeyError as error:
        raise TrainingError(
            f'{path} has no {error}: an older version of this package simulated it. Delete '
            f'{path.parent}, and the same command simulates them anew.') from error


def _unpack(arrays: dict[str, np.ndarray]) -> SimulatedEpisode:
    return SimulatedEpisode(
        frames=arrays['frames'], points_px=arrays['points_px'], visible=arrays['visible'],
        point_thing=arrays['point_thing'], masks=arrays['masks'], bare=arrays['bare'],
        surfaces=unpack_surfaces(arrays))


def pack_surfaces(surfaces: Surfaces) -> dict[str, np.ndarray]:
    """Surfaces as plain arrays."""
    camera = surfaces.camera
    return {'body': surfaces.body, 'depth_m': surfaces.depth_m, 'poses': surfaces.poses,
            'camera': np.concatenate([camera.position, camera.rotation.ravel(), [camera.focal_px],
                                      camera.size, surfaces.corner_px])}


def unpack_surfaces(arrays: dict[str, np.ndarray]) -> Surfaces:
    """Undo pack_surfaces."""
    numbers = arrays['camera']
    camera = Camera(position=numbers[:3], rotation=numbers[3:12].reshape(3, 3),
                    focal_px=float(numbers[12]), size=(int(numbers[13]), int(numbers[14])))
    return Surfaces(body=arrays['body'], depth_m=arrays['depth_m'], poses=arrays['poses'],
                    camera=camera, corner_px=(int(numbers[15]), int(numbers[16])))
