"""A camera for measuring speed and memory: an arm over blocks on a chequered table, drawn flat.

It needs no graphics, and has about as many pieces of one colour as the simulation's pictures.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np

NS = 1_000_000_000
TILES, ARM, HAND = ((168, 160, 150), (132, 126, 120)), (52, 44, 48), (226, 224, 230)
# Middle, as shares of the picture's sides, and colour; the first is in the middle, to be dragged.
BLOCKS = (((0.5, 0.5), (226, 62, 48)), ((0.22, 0.3), (58, 120, 214)), ((0.3, 0.74), (240, 190, 40)),
          ((0.68, 0.26), (60, 170, 90)), ((0.78, 0.78), (150, 80, 190)))
TILES_DOWN = 5
BLOCK_SHARE = 0.14          # side, of the picture's height
GRAIN, GRAINS_DOWN = 12.0, 40   # levels of brightness
CIRCLE_SECS = 4.0           # the hand goes round in


def camera_frames(
        image_size: tuple[int, int], *, rate_hz: float) -> Iterator[tuple[np.ndarray, int]]:
    """An endless camera: (H, W, 3) uint8 RGB of (width, height), and stamps, ns."""
    table = _table(*image_size)
    for number in itertools.count():
        secs = number / rate_hz
        yield _with_arm(table.copy(), 2 * np.pi * secs / CIRCLE_SECS), round(secs * NS)


def camera_film(image_size: tuple[int, int], count: int, *, rate_hz: float = 10.0) -> np.ndarray:
    """The first (count, H, W, 3) of them."""
    frames = itertools.islice(camera_frames(image_size, rate_hz=rate_hz), count)
    return np.stack([frame for frame, _ in frames])


def _table(width: int, height: int) -> np.ndarray:
    """The table with its blocks, each with a darker side."""
    rows, columns = (np.arange(size) * TILES_DOWN // height for size in (height, width))
    table = np.array(TILES, np.uint8)[(rows[:, None] + columns) % 2]
    side = round(BLOCK_SHARE * height)
    for (x, y), colour in BLOCKS:
        left, top = round(x * width) - side // 2, round(y * height) - side // 2
        _rectangle(table, left, top + side // 3, side, side, tuple(c // 2 for c in colour))
        _rectangle(table, left, top, side, side, colour)
    # Of some grain, as everything real, by which points can be followed.
    grain = np.random.default_rng(0).uniform(-GRAIN, GRAIN, (GRAINS_DOWN, GRAINS_DOWN, 1))
    fine = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    return (table + fine[..., None]).clip(0, 255).astype(np.uint8)


def _with_arm(frame: np.ndarray, angle_rad: float) -> np.ndarray:
    """From the right border to a hand that goes round, drawn into the frame."""
    height, width = frame.shape[:2]
    thick = max(height // 12, 1)
    x = round(width * (0.76 + 0.1 * np.cos(angle_rad)))
    y = round(height * (0.46 + 0.1 * np.sin(angle_rad)))
    cv2.line(frame, (x, y), (width, height // 3), ARM, thick)
    _rectangle(frame, x - thick, y - thick, 2 * thick, 2 * thick, HAND)
    return frame


def _rectangle(picture: np.ndarray, left: int, top: int, width: int, height: int,
               colour: tuple[int, ...]) -> None:
    cv2.rectangle(picture, (left, top), (left + width - 1, top + height - 1), colour, cv2.FILLED)
