"""A whole training of few steps, on a square that moves: ``python training_program.py FOLDER``.

It keeps a checkpoint of every step, and says every step, so that it can be killed at any.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from dragstream_ros.training.checkpoint import save_model
from dragstream_ros.training.episodes import SeenFlow, Tracks
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.stages import StagesConfig, fill, train_stages
from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig
from dragstream_ros.world_models.tabletop.dynamics import DynamicsConfig
from dragstream_ros.world_models.tabletop.flow import FlowConfig
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

SIDE, STEP_PX = 24, 3
STEPS = {'autoencoder': 5, 'flow': 4, 'dynamics': 4}
SETTINGS = {stage: {'steps': steps, 'batch': 1} for stage, steps in STEPS.items()}


class MovingSquare:
    """An episodes.Episode whose truth is plain: a square goes to the right on a noisy table."""

    def __init__(self, seed: int, length: int = 18) -> None:
        rng = np.random.default_rng(seed)
        table = rng.integers(60, 120, (128, 128, 3), np.uint8)
        colour = rng.integers(130, 255, 3, np.uint8)
        self.corners = np.stack([20 + STEP_PX * np.arange(length), np.full(length, 40 + seed)], -1)
        self.frames = np.stack([np.where(self._mask(t)[..., None], colour, table)
                                for t in range(length)])

    def _mask(self, index: int) -> np.ndarray:
        x, y = self.corners[index]
        mask = np.zeros((128, 128), bool)
        mask[y:y + SIDE, x:x + SIDE] = True
        return mask

    def tracks(self, first: int, count: int) -> Tracks:
        centres = self.corners[first:first + count, None] + SIDE / 2
        still = np.full_like(centres, 110.0)
        return Tracks(np.concatenate([centres, still], 1).astype(np.float32),
                      np.ones(2, bool), np.array([0, -1]))

    def things(self, index: int) -> np.ndarray:
        return self._mask(index)

    def thing_at(self, index: int, point_px: np.ndarray) -> np.ndarray:
        mask = self._mask(index)
        x, y = np.round(point_px).astype(int)
        return mask if mask[y, x] else ~mask

    def flow_back(self, now: int, before: int, *, stride: int) -> SeenFlow:
        every = slice(stride // 2, None, stride)
        here, there = (self._mask(index)[every, every] for index in (now, before))
        came = self.corners[now] - self.corners[before]
        return SeenFlow((here[..., None] * came).astype(np.float32), there & ~here,
                        np.ones_like(here))


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    assert Loop.__init__.__kwdefaults__ is not None
    Loop.__init__.__kwdefaults__.update(checkpoint_secs=0.0, picture_secs=0.5)
    model = TabletopWorldModel(
        AutoencoderConfig(encoder_channels=(16, 16), decoder_channels=(16, 16, 16)),
        FlowConfig(channels=16, width=24, heads=2, blocks=1),
        DynamicsConfig(channels=16, width=32, heads=2, blocks=2))
    episodes = [MovingSquare(seed) for seed in range(2)]
    train_stages(model, episodes, fill(StagesConfig(), SETTINGS, 'the test'), folder, anew=True)
    save_model(model, folder, {})


if __name__ == '__main__':
    main(Path(sys.argv[1]))
