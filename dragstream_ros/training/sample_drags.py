"""Draw training drags from true tracks: which points an operator might have held."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.core.body import Body
from dragstream_ros.core.drag_maps import N_PLANES, drag_maps
from dragstream_ros.core.held import Held
from dragstream_ros.core.pose import Pose
from dragstream_ros.core.region import dilate, disc
from dragstream_ros.training.episodes import Episode, Tracks


@dataclass(frozen=True)
class DragSampling:
    """Shares of samples; what is dropped makes the same weights a plain, undragged model."""

    undragged: float = 0.35         # of clips: no handle at all
    alone: float = 0.4              # of dragged clips: one thing, most often one that moves
    thing_kept: float = 0.5         # of things, in other dragged clips
    second_point: float = 0.3       # of kept things: a second point of it (tells its turning)
    static_point: float = 0.15      # of dragged clips: a point that stays put
    jitter_px: float = 0.5          # operators do not click to the pixel


def sample_handles(tracks: Tracks, config: DragSampling, rng: np.random.Generator) -> np.ndarray:
    """Choose points that are seen at the start of a clip: (T, n, 2), a track a handle."""
    points_px, seen_points, thing = tracks.points_px, tracks.seen, tracks.thing
    chosen: list[int] = []
    if rng.random() >= config.undragged:
        travelled = np.linalg.norm(points_px[-1] - points_px[0], axis=-1)
        kept = [t for t in np.unique(thing[(thing >= 0) & seen_points])
                if rng.random() < config.thing_kept]
        if rng.random() < config.alone and (thing[seen_points] >= 0).any():
            movable = np.flatnonzero((thing >= 0) & seen_points)
            share = travelled[movable] + 1.0
            kept = [thing[rng.choice(movable, p=share / share.sum())]]
        for t in kept:
            candidates = np.flatnonzero((thing == t) & seen_points)
            if len(candidates):
                count = 2 if rng.random() < config.second_point else 1
                chosen.extend(rng.permutation(candidates)[:count])
        candidates = np.flatnonzero((thing < 0) & seen_points)
        if len(candidates) and rng.random() < config.static_point:
            chosen.append(rng.choice(candidates))
    return points_px[:, chosen] + rng.normal(0, config.jitter_px, (1, len(chosen), 2))


def sample_held(episode: Episode, index: int, tracks_px: np.ndarray,
                rng: np.random.Generator) -> Held | None:
    """Return what the handles of a chunk hold, as an operator's tool would find it.

    index: of the frame before the chunk; tracks_px: (1 + F, n, 2) from it.  A region is the thing
    that is seen at the handle as far as it is near, since nobody holds a whole arm, up to two
    pixels too small or too large.
    """
    picture = episode.frames[index]
    height, width = picture.shape[:2]
    regions, chosen = [], []
    for n, point in enumerate(tracks_px[0]):
        x, y = np.round(point).astype(int)
        if not (0 <= x < width and 0 <= y < height):
            continue
        near = disc((float(point[0]), float(point[1])), rng.uniform(10, 28), (width, height))
        thing = torch.from_numpy(episode.thing_at(index, point))
        rim = int(rng.integers(-2, 3))
        region = ~dilate(~(thing & near), -rim) if rim < 0 else dilate(thing & near, rim)
        if region.any():
            regions.append(region)
            chosen.append(n)
    if not chosen:
        return None
    start, *poses = [[Pose(delta_px=track[n] - tracks_px[0, n]) for n in chosen]
                     for track in tracks_px]
    bodies = [Body.flat(picture, region, tracks_px[0, n])
              for region, n in zip(regions, chosen, strict=True)]
    masks = torch.stack(regions)
    return Held(picture, masks, torch.zeros_like(masks), bodies, start, poses, None)


def chunk_maps(tracks_px: np.ndarray, latent_size: int, image_size: int) -> torch.Tensor:
    """(1 + F, n, 2) tracks, the last known frame first -> (F, 6, h, w) maps."""
    cells = torch.from_numpy((tracks_px + 0.5) * (latent_size / image_size) - 0.5).float()
    if cells.shape[1] == 0:
        return torch.zeros(len(cells) - 1, N_PLANES, latent_size, latent_size)
    return drag_maps(cells[0], cells[1:].transpose(0, 1), (latent_size, latent_size))
