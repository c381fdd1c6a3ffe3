"""The training set: simulated episodes, made in parallel once and kept in a cache folder."""
from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragstream_ros.simulation.camera import Camera
from dragstream_ros.simulation.surfaces import Surfaces

# Picture shapes that the model meets: square, and letter-boxed 4:3 and 16:9 cameras.
ASPECTS = (1.0, 4 / 3, 16 / 9)
ASPECT_SHARE = (0.76, 0.14, 0.10)
MOVING_PX = 0.3         # per frame: slower than this, a thing counts as still


@dataclass(frozen=True)
class EpisodeConfig:
    """Seeds from 1,000,000 on are held out for the benchmarks; these never get there."""

    episodes: int = 480
    episode_secs: float = 6.0
    first_seed: int = 0


@dataclass
class EpisodeSet:
    """Episodes of equal length, E of T frames, with P points each, padded with invisible ones.

    frames: (E, T, 128, 128, 3) uint8; points_px: (E, T, P, 2) float32; visible: (E, T, P) bool;
    point_thing: (E, P) int16, -1 for static points; masks: (E, T, 128, 128) uint8, thing + 1;
    surfaces: one for each episode; they tell the true flow.
    """

    frames: np.ndarray
    points_px: np.ndarray
    visible: np.ndarray
    point_thing: np.ndarray
    masks: np.ndarray
    surfaces: list[Surfaces]


def make_episodes(folder: Path, config: EpisodeConfig, workers: int) -> None:
    """Simulate what the cache folder does not hold yet; safe to interrupt and call again."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [s for s in range(config.first_seed, config.first_seed + config.episodes)
             if not _path(folder, s).is_file()]
    if not seeds:
        return
    make = partial(_make_episode, folder, config.episode_secs)
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(make, seeds, chunksize=4), 1):
            if done % 20 == 0 or done == len(seeds):
                print(f'episodes: {done}/{len(seeds)}', flush=True)


def forget_episodes(folder: Path) -> None:
    """Empty the cache."""
    for path in folder.glob('episode_*.npz'):
        path.unlink()


def load_episodes(folder: Path, config: EpisodeConfig) -> EpisodeSet:
    """Load all episodes of the configuration into memory (about 7 MB each)."""
    seeds = range(config.first_seed, config.first_seed + config.episodes)
    loaded = [dict(np.load(_path(folder, s))) for s in seeds if _path(folder, s).is_file()]
    points = max(e['point_thing'].shape[0] for e in loaded)

    def padded(key: str, axis: int, fill: float) -> np.ndarray:
        arrays = []
        for e in loaded:
            pad = [(0, 0)] * e[key].ndim
            pad[axis] = (0, points - e[key].shape[axis])
            arrays.append(np.pad(e[key], pad, constant_values=fill))
        return np.stack(arrays)

    return EpisodeSet(frames=np.stack([e['frames'] for e in loaded]),
                      points_px=padded('points_px', 1, 0.0), visible=padded('visible', 1, 0),
                      point_thing=padded('point_thing', 0, -1),
                      masks=np.stack([e['masks'] for e in loaded]),
                      surfaces=[unpack_surfaces(e) for e in loaded])


def draw_lively(latents: torch.Tensor, frames: int,
                rng: np.random.Generator) -> tuple[int, int]:
    """Draw an episode and where in it so many frames begin, never with its first one.

    latents: (E, T, C, h, w). Of two draws the one that changes more: in half of them hardly
    anything moves.
    """
    def change(at: tuple[int, int]) -> float:
        episode, start = at
        return float((latents[episode, start + frames - 1] - latents[episode, start]).abs().mean())

    return max(((int(rng.integers(len(latents))),
                 int(rng.integers(1, latents.shape[1] - frames + 1))) for _ in range(2)),
               key=change)


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


def _path(folder: Path, seed: int) -> Path:
    return folder / f'episode_{seed:07d}.npz'


def _make_episode(folder: Path, secs: float, seed: int) -> int:
    from dragstream_ros.simulation.episode import generate_episode
    aspect = np.random.default_rng(seed).choice(ASPECTS, p=ASPECT_SHARE)
    episode = generate_episode(seed, secs=secs, aspect=float(aspect))
    kinds = [thing.kind for thing in episode.things]
    thing = np.array([-1 if kinds[t] == 'static' else t for t in episode.point_thing], np.int16)
    path = _path(folder, seed)
    # A killed run leaves no half episode under the real name, nor do workers that outlive it.
    partial_path = path.with_suffix(f'.{os.getpid()}.part')
    arrays: dict[str, Any] = {
        'frames': episode.frames, 'points_px': episode.points_px.astype(np.float32),
        'visible': episode.point_visible, 'point_thing': thing, 'masks': episode.masks,
        **pack_surfaces(episode.surfaces)}
    with partial_path.open('wb') as file:
        np.savez(file, **arrays)
    partial_path.replace(path)
    return seed
