"""Fit the network that paints the table where things hide it (world_models/tabletop/bare_table.py).

To the same scenes without anything on the table, shadows included: those are of what may leave.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from dragstream_ros.training.device import DEVICE, autocast
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.pictures import Strips
from dragstream_ros.training.simulated_episodes import SimulatedEpisode
from dragstream_ros.training.train_flow import repaint
from dragstream_ros.world_models.tabletop.bare_table import BareTable

RIM_PX = (1, 3)         # around a thing: where it ends is found to a pixel or two
BAR_PX = (6, 34)        # wide, of what is hidden for practice
LIGHT = 20              # levels, at most


@dataclass(frozen=True)
class TableTraining:
    """A step shows ``batch`` pictures."""

    steps: int = 4000
    batch: int = 16
    learning_rate: float = 2e-3
    repainted: float = 0.75         # of samples: in other colours
    overlooked: float = 0.15        # of samples, in which one thing is not told
    barred: float = 0.5             # of samples, in which a bar hides more of the table
    hidden_weight: float = 4.0      # of a pixel that is hidden, against 1
    slope_weight: float = 0.5       # of the error of differences between neighbours: sharp edges


def train_table(net: BareTable, episodes: Sequence[SimulatedEpisode], config: TableTraining,
                loop: Loop) -> None:
    """Fit it."""
    shown = _batch([_draw([episode], config, np.random.default_rng(1))
                    for episode in episodes[:3]])

    def pictures() -> Strips:
        seen, hidden, truth = shown
        return {'table': torch.stack([seen * (1 - hidden), net(seen, hidden), truth], 1)}

    net.to(DEVICE)
    for _ in loop.steps(net, steps=config.steps, learning_rate=config.learning_rate,
                        pictures=pictures):
        seen, hidden, truth = _batch(
            [_draw(episodes, config, loop.rng) for _ in range(config.batch)])
        with autocast():
            found = net(seen, hidden)
        loss = table_loss(found.float(), hidden, truth, config)
        off = (found.detach() - truth).abs()
        loop.update(loss, hidden_error=(off * hidden).sum() / (3 * hidden.sum()).clamp_min(1),
                    seen_error=(off * (1 - hidden)).mean())


def table_loss(found: torch.Tensor, hidden: torch.Tensor, truth: torch.Tensor,
               config: TableTraining) -> torch.Tensor:
    """found, truth: (B, 3, H, W) in 0..1; hidden: (B, 1, H, W)."""
    off, weight = found - truth, 1 + (config.hidden_weight - 1) * hidden
    slopes = sum((off.diff(dim=dim).abs() * weight.narrow(dim, 1, off.shape[dim] - 1)).mean()
                 for dim in (2, 3))
    return (off.abs() * weight).mean() + config.slope_weight * slopes


def _draw(episodes: Sequence[SimulatedEpisode], config: TableTraining, rng: np.random.Generator,
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame and its table (H, W, 3) uint8, and what is told to hide that, (H, W) bool."""
    episode = episodes[int(rng.integers(len(episodes)))]
    index = int(rng.integers(len(episode.frames)))
    pictures, mask = np.stack([episode.frames[index], episode.bare]), episode.masks[index]
    if rng.random() < 0.5:
        pictures, mask = pictures[:, :, ::-1], mask[:, ::-1]
    if rng.random() < config.repainted:
        pictures = repaint(pictures, rng)
    pictures = np.clip(pictures + rng.uniform(-LIGHT, LIGHT), 0, 255).astype(np.uint8)
    hidden = (mask > 0).astype(np.uint8)
    if rng.random() < config.overlooked:
        hidden[mask == rng.choice(np.unique(mask))] = 0
    side = 1 + 2 * int(rng.integers(*RIM_PX, endpoint=True))
    hidden = cv2.dilate(hidden, np.ones((side, side), np.uint8))
    if rng.random() < config.barred:
        _bar(hidden, rng)
    return pictures[0], pictures[1], hidden > 0


def _bar(hidden: np.ndarray, rng: np.random.Generator) -> None:
    """Hide what lies on a straight way through the picture, as an arm does."""
    ends = rng.uniform(-0.2, 1.2, (2, 2)) * hidden.shape[::-1]
    start, end = (tuple(np.rint(point).astype(int).tolist()) for point in ends)
    cv2.line(hidden, start, end, 1, int(rng.integers(*BAR_PX, endpoint=True)))


def _batch(samples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
           ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frames, what is hidden and tables: (B, 3 or 1, H, W) float32 in 0..1."""
    frames, tables, hidden = (torch.from_numpy(np.stack(part)).to(DEVICE).float()
                              for part in zip(*samples))
    return frames.permute(0, 3, 1, 2) / 255, hidden[:, None], tables.permute(0, 3, 1, 2) / 255
