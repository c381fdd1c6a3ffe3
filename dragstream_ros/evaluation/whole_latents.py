"""Video in the lengths that a world model takes: one frame, then as many as make a latent frame."""

from __future__ import annotations

import numpy as np

from dragstream_ros.core.world_model import WorldModel


def whole_length(count: int, frames_per_latent: int) -> int:
    """The most of count frames that a stream can begin with and end at the newest."""
    return 1 + (count - 1) // frames_per_latent * frames_per_latent


def through_autoencoder(world_model: WorldModel, pictures: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB as well as the model can show it, of any length.

    Where it must be longer, it begins with its first picture standing still.
    """
    missing = -(len(pictures) - 1) % world_model.frames_per_latent
    longer = np.concatenate([pictures[:1].repeat(missing, 0), pictures])
    return world_model.decode(world_model.encode(longer))[missing:]
