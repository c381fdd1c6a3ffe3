"""A film for measuring speed and memory: coloured blocks that shift, with no need of graphics."""

from __future__ import annotations

import numpy as np

BLOCK_PX = 8


def block_film(image_size: tuple[int, int], count: int) -> np.ndarray:
    """(count, H, W, 3) uint8 RGB; image_size is (width, height), multiples of 8."""
    width, height = image_size
    blocks = np.random.default_rng(0).integers(
        0, 255, (height // BLOCK_PX, width // BLOCK_PX, 3), np.uint8)
    picture = blocks.repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1)
    return np.stack([np.roll(picture, 2 * index, axis=1) for index in range(count)])
