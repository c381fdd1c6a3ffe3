"""Fit the network that finds the touched thing (masks/thing_net.py), on the simulation's masks.

Of a gripper the thing is the whole arm, since all of it follows a drag; of a thing with a lid or a
link all of it, wherever it is touched.
"""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.nn import functional

from dragstream_ros.masks.thing_net import SIDE_PX, WEIGHTS
from dragstream_ros.training.device import DEVICE, autocast
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.pictures import Strips
from dragstream_ros.training.simulated_episodes import SimulatedEpisode
from dragstream_ros.training.thing_module import ThingModule
from dragstream_ros.training.train_flow import repaint
from dragstream_ros.whole_file import not_written, whole_file

LEAST_AREA_PX = 12      # of what is worth touching
ZOOM, TURN_RAD = (0.7, 1.4), 0.35
BLUR_PX = (0.4, 1.1)
LIGHT, NOISE = 20, 8    # levels, at most


@dataclass(frozen=True)
class ThingTraining:
    """A step shows ``batch`` pictures with ``touches`` each."""

    steps: int = 9000
    batch: int = 6
    touches: int = 12
    learning_rate: float = 2e-3
    bare: float = 0.12              # share of touches on the table
    pixel_weight: float = 4.0       # of the cross-entropy of pixels, against 1 - overlap / union


def train_things(module: ThingModule, episodes: Sequence[SimulatedEpisode], config: ThingTraining,
                 loop: Loop) -> None:
    rng = loop.rng
    shown = [episode.frames[0] for episode in episodes[:3]]
    touched = [draw_touches(episode.masks[0], config, np.random.default_rng(1))[0][:6]
               for episode in episodes[:3]]

    def pictures() -> Strips:
        seen = _pixels(shown)
        found = module(seen, torch.from_numpy(np.stack(touched)).to(DEVICE)).sigmoid()[:, :, None]
        return {'found': torch.cat([seen[:, None], seen[:, None] * (0.2 + 0.8 * found)], 1)}

    module.to(DEVICE)
    for _ in loop.steps(module, steps=config.steps, learning_rate=config.learning_rate,
                        pictures=pictures):
        drawn = [draw_sample(episodes, config, rng) for _ in range(config.batch)]
        frames, touches, masks = zip(*drawn)
        with autocast():
            found = module(_pixels(frames), torch.from_numpy(np.stack(touches)).to(DEVICE))
        truth = torch.from_numpy(np.stack(masks)).to(DEVICE)
        overlap = overlap_of(found > 0, truth)
        loss = thing_loss(found.float(), truth.float(), config)
        loop.update(loss, overlap=overlap[truth.flatten(2).any(2)].mean())


def thing_loss(found: torch.Tensor, truth: torch.Tensor, config: ThingTraining) -> torch.Tensor:
    """found: (B, N, H, W) logits; truth: 0 or 1."""
    pixels = functional.binary_cross_entropy_with_logits(found, truth)
    share = found.sigmoid()
    both = (share * truth).sum((2, 3))
    either = (share + truth).sum((2, 3)) - both
    return config.pixel_weight * pixels + (1 - (both + 1) / (either + 1)).mean()


def overlap_of(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Intersection over union of masks (..., H, W) bool."""
    return (found & truth).sum((-2, -1)) / (found | truth).sum((-2, -1)).clamp_min(1)


def draw_sample(episodes: Sequence[SimulatedEpisode], config: ThingTraining,
                rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame (H, W, 3) uint8, as another camera might show it, touches (N, 2), their masks."""
    episode = episodes[int(rng.integers(len(episodes)))]
    index = int(rng.integers(len(episode.frames)))
    frame, things = _moved(episode.frames[index], episode.masks[index], rng)
    if rng.random() < 0.75:
        frame = repaint(frame[None], rng)[0]
    if rng.random() < 0.3:
        frame = cv2.GaussianBlur(frame, (0, 0), rng.uniform(*BLUR_PX))
    if rng.random() < 0.1:
        frame = np.repeat(frame.mean(-1, keepdims=True), 3, -1)
    noise = rng.normal(rng.uniform(-LIGHT, LIGHT), rng.uniform(0, NOISE), frame.shape)
    frame = np.clip(frame + noise, 0, 255).astype(np.uint8)
    return frame, *draw_touches(things, config, rng)


def _moved(frame: np.ndarray, things: np.ndarray, rng: np.random.Generator,
           ) -> tuple[np.ndarray, np.ndarray]:
    """Both mirrored, zoomed and turned a little; bars come in, or the rim goes on."""
    if rng.random() < 0.5:
        frame, things = frame[:, ::-1], things[:, ::-1]
    if rng.random() < 0.4:
        return frame, things
    zoom, angle = np.exp(rng.uniform(*np.log(ZOOM))), rng.uniform(-TURN_RAD, TURN_RAD)
    aside = rng.uniform(-0.3, 0.3, 2) * max(zoom - 1, 0) * SIDE_PX
    middle = (SIDE_PX - 1) / 2
    how = cv2.getRotationMatrix2D((middle, middle), np.degrees(angle), zoom)
    how[:, 2] += aside
    rim = int(rng.choice([cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT]))
    return (cv2.warpAffine(np.ascontiguousarray(frame), how, (SIDE_PX, SIDE_PX), borderMode=rim),
            cv2.warpAffine(np.ascontiguousarray(things), how, (SIDE_PX, SIDE_PX), borderMode=rim,
                           flags=cv2.INTER_NEAREST))


def draw_touches(things: np.ndarray, config: ThingTraining,
                 rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Touches (N, 2) int64, (x, y), on all things alike, and what each means, (N, H, W) bool.

    things: (H, W) uint8, what a frame shows, 0 the table.
    """
    sizes = np.bincount(things.ravel())
    worth = np.flatnonzero(sizes >= LEAST_AREA_PX)
    worth = worth[worth > 0]
    touches, masks = [], []
    for _ in range(config.touches):
        bare = not len(worth) or rng.random() < config.bare
        rows, columns = np.nonzero(things == (0 if bare else rng.choice(worth)))
        if not len(rows):       # no table to be seen
            rows, columns = np.nonzero(things >= 0)
        which = rng.integers(len(rows))
        thing = things[rows[which], columns[which]]
        touches.append((columns[which], rows[which]))
        masks.append((things == thing) & (things > 0))
    return np.array(touches, np.int64), np.stack(masks)


def _pixels(frames: Sequence[np.ndarray]) -> torch.Tensor:
    pixels = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
    return pixels.to(DEVICE).float() / 255


def save_things(module: ThingModule, folder: Path, card: dict[str, Any]) -> Path:
    """Write the weights (float16) with the facts of how they were made in the file's header."""
    path = folder / WEIGHTS.name
    try:
        with whole_file(path) as partial:
            save_file({name: value.half().contiguous().cpu()
                       for name, value in module.state_dict().items()}, partial,
                      {'card': json.dumps(card)})
    except SafetensorError as error:
        raise not_written(path, error) from error
    return path
