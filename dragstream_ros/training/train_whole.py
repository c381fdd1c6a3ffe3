"""Fit the network that says how things go on where they are hidden (tabletop/whole_thing.py).

On things that lie alone, and arms and things of other pictures in front of them: so what is hidden
is known.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.training.device import DEVICE, autocast
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.pictures import Strips
from dragstream_ros.training.simulated_episodes import SimulatedEpisode
from dragstream_ros.training.train_flow import repaint
from dragstream_ros.world_models.tabletop.whole_thing import WholeThing, cut_out, view_of

LEAST_AREA_PX, LEAST_SEEN_PX = 60, 20
ALONE_PX = 2            # to the next thing
HIDDEN = 0.04, 0.85     # of a thing
ASIDE_PX = 8            # what hides it lies askew
RIM_PX = 2              # around that, at most: where it ends is found to a pixel or two


@dataclass(frozen=True)
class WholeTraining:
    """A step shows ``batch`` things."""

    steps: int = 6000
    batch: int = 32
    learning_rate: float = 4e-3
    repainted: float = 0.75         # of samples: in other colours
    armed: float = 0.6              # of samples, in which an arm hides it
    behind: float = 0.25            # of samples, in which the other is behind it and hides nothing
    frayed: float = 0.3             # of samples, in which less of it is found
    hidden_weight: float = 4.0      # of a pixel where others are, against 1


@dataclass(frozen=True, eq=False)
class Shapes:
    """alone: pictures (H, W, 3) uint8 with (H, W) bool, a thing that nothing touches.

    arms, all: (H, W) bool, what may hide it.
    """

    alone: list[tuple[np.ndarray, np.ndarray]]
    arms: list[np.ndarray]
    all: list[np.ndarray]

    @classmethod
    def of(cls, episodes: Sequence[SimulatedEpisode]) -> Shapes:
        """Look at the first and the last frames. Raises TrainingError where nothing is alone."""
        alone, arms, every = [], [], []
        for episode in episodes:
            for index in {0, len(episode.frames) - 1}:
                for thing, reaches_in, is_alone in _things_of(episode.masks[index]):
                    every.append(thing)
                    if reaches_in:
                        arms.append(thing)
                    elif is_alone and thing.sum() >= LEAST_AREA_PX:
                        alone.append((episode.frames[index], thing))
        if not alone:
            raise TrainingError('In no episode a thing lies alone, to learn from how things are '
                                'whole; simulate more episodes.')
        return cls(alone, arms or every, every)


def train_whole(net: WholeThing, episodes: Sequence[SimulatedEpisode], config: WholeTraining,
                loop: Loop) -> None:
    """Fit it."""
    shapes, rng = Shapes.of(episodes), np.random.default_rng(1)
    shown, _, truths = _batch([draw_view(shapes, config, rng) for _ in range(6)])

    def pictures() -> Strips:
        whole = torch.stack([net(shown).sigmoid(), truths], 1)[:, :, None].expand(-1, -1, 3, -1, -1)
        return {'seen, whole, truth': torch.cat([shown[:, None, :3], whole], 1)}

    net.to(DEVICE)
    for _ in loop.steps(net, steps=config.steps, learning_rate=config.learning_rate,
                        pictures=pictures):
        views, asked, truth = _batch(
            [draw_view(shapes, config, loop.rng) for _ in range(config.batch)])
        with autocast():
            found = net(views).float()
        loss = whole_loss(found, asked, truth, config)
        there, true = (found > 0) & (asked > 1), (truth > 0) & (asked > 1)
        loop.update(loss, overlap=(there & true).sum() / (there | true).sum().clamp_min(1))


def whole_loss(found: torch.Tensor, asked: torch.Tensor, truth: torch.Tensor,
               config: WholeTraining) -> torch.Tensor:
    """found: (B, h, w) logits; asked: 2 where others are, 1 where it is seen, else 0."""
    weight = (asked > 0) + (config.hidden_weight - 1) * (asked > 1)
    off = functional.binary_cross_entropy_with_logits(found, truth, reduction='none')
    return (off * weight).sum() / weight.sum()


def draw_view(shapes: Shapes, config: WholeTraining, rng: np.random.Generator,
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the network is shown (5, h, w), where it is asked (h, w), see whole_loss, the truth."""
    while True:
        picture, thing = shapes.alone[int(rng.integers(len(shapes.alone)))]
        if rng.random() < 0.5:
            picture, thing = picture[:, ::-1], thing[:, ::-1]
        other = _put_before(thing, shapes, config, rng)
        behind = rng.random() < config.behind
        if behind:
            other = other & ~thing
        seen = thing & ~other
        if not behind and not HIDDEN[0] < 1 - seen.sum() / thing.sum() < HIDDEN[1]:
            continue
        if rng.random() < config.frayed:
            seen = cv2.erode(seen.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0
        others = _grown(other, int(rng.integers(0, RIM_PX, endpoint=True))) & ~seen
        if seen.sum() < LEAST_SEEN_PX or not (_grown(seen, 1) & others).any():
            continue
        if rng.random() < config.repainted:
            picture = repaint(picture[None], rng)[0]
        asked = cut_out(seen + 2.0 * others, seen)
        return view_of(picture, seen, others), asked, cut_out(thing, seen)


def _put_before(thing: np.ndarray, shapes: Shapes, config: WholeTraining,
                rng: np.random.Generator) -> np.ndarray:
    """Something (H, W) bool, so that a pixel of it is near one of the thing."""
    others = shapes.arms if rng.random() < config.armed else shapes.all
    other = others[int(rng.integers(len(others)))]
    if rng.random() < 0.5:
        other = other[:, ::-1]
    start, end = (np.argwhere(of)[int(rng.integers(of.sum()))] for of in (other, thing))
    down, right = end - start + rng.integers(-ASIDE_PX, ASIDE_PX, 2, endpoint=True)
    way = np.array([[1, 0, right], [0, 1, down]], float)
    return cv2.warpAffine(other.astype(np.uint8), way, other.shape[::-1],
                          flags=cv2.INTER_NEAREST) > 0


def _things_of(mask: np.ndarray) -> Iterator[tuple[np.ndarray, bool, bool]]:
    """Of a mask (H, W), 0 the table: each thing, whether it touches the rim, and nothing else."""
    rim = np.ones(mask.shape, bool)
    rim[1:-1, 1:-1] = False
    for number in np.unique(mask[mask > 0]):
        thing = mask == number
        yield thing, bool((thing & rim).any()), not ((mask > 0) & ~thing
                                                     & _grown(thing, ALONE_PX)).any()


def _grown(mask: np.ndarray, rim_px: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * rim_px + 1,) * 2, np.uint8)) > 0


def _batch(samples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
           ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    views, asked, truth = (torch.from_numpy(np.stack(part)).to(DEVICE).float()
                           for part in zip(*samples))
    return views, asked, truth
