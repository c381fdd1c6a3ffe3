"""A world model like the bundled one on a slow computer: every pass takes a while longer.

Its networks are small and untrained: what they compute themselves is no part of the time.

Chosen with the world model name 'slow_world_model:load'.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from typing import Any

from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig
from dragstream_ros.world_models.tabletop.dynamics import DynamicsConfig
from dragstream_ros.world_models.tabletop.flow import FlowConfig
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel


class SlowWorldModel:
    """wait: called with pass_secs by every denoise pass, and with camera_secs by every frame."""

    def __init__(self, *, pass_secs: float, camera_secs: float = 0.0,
                 wait: Callable[[float], None] = time.sleep) -> None:
        self._model = TabletopWorldModel(
            AutoencoderConfig(encoder_channels=(16, 16), decoder_channels=(16, 16, 16)),
            FlowConfig(channels=16, width=24, heads=2, blocks=1),
            DynamicsConfig(channels=16, width=32, heads=2, blocks=2)).eval().requires_grad_(False)
        self.pass_secs, self.camera_secs, self.wait = pass_secs, camera_secs, wait

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def denoise(self, *arguments: Any, **options: Any) -> Any:
        self.wait(self.pass_secs)
        return self._model.denoise(*arguments, **options)

    def take(self, *arguments: Any) -> Any:
        self.wait(self.camera_secs)
        return self._model.take(*arguments)


def load(folder: pathlib.Path | None) -> SlowWorldModel:
    return SlowWorldModel(pass_secs=0.6)
