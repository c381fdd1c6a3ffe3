"""A drag with a known answer that needs no simulation: a two-coloured square over a tiled table."""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.evaluation.drag_case import DragCase

SIZE = 64
SIDE = 14
START = np.array([20.0, 30.0])


def table() -> np.ndarray:
    tiles = np.random.default_rng(1).integers(90, 150, (SIZE // 8, SIZE // 8, 1)).repeat(3, -1)
    return tiles.repeat(8, 0).repeat(8, 1).astype(np.uint8)


def square(centre: np.ndarray, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) of red over green on black, and coverage (H, W) 0..1; subpixel exact."""
    scale = 8
    big = np.zeros((SIZE * scale, SIZE * scale, 3), np.uint8)
    corner = np.round((centre - side / 2 + 0.5) * scale).astype(int)
    x, y = slice(corner[0], corner[0] + side * scale), corner[1]
    half = side * scale // 2
    big[y:y + half, x] = (220, 30, 30)
    big[y + half:y + 2 * half, x] = (30, 180, 40)
    covered = (big.any(-1) * 255).astype(np.uint8)
    small = cv2.resize(big, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return small, cv2.resize(covered, (SIZE, SIZE), interpolation=cv2.INTER_AREA) / 255


def scene(centre: np.ndarray, *, opacity: float = 1.0, side: int = SIDE,
          behind: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8: the square at centre (x, y) over the table or another picture."""
    colours, covered = square(np.asarray(centre, float), side)
    background = table() if behind is None else behind
    mixed = background * (1 - opacity * covered[..., None]) + opacity * colours
    return np.clip(mixed, 0, 255).round().astype(np.uint8)


def make_case(way: tuple[float, float] = (20.0, 5.0)) -> DragCase:
    """The square moves by ``way`` px in a second."""
    path = START + np.linspace(0, 1, 11)[:, None] * way
    masks = np.stack([square(point)[1] > 0.5 for point in path])
    frames = np.stack([scene(point) for point in path])
    return DragCase(
        seed=0, start_index=9, thing='object_0', kind='object', point=0, path_px=path,
        past=np.repeat(frames[:1], 10, axis=0), future=frames[1:], start_mask=masks[0],
        future_masks=masks[1:], start_whole=masks[0], future_whole=masks[1:],
        start_table=~masks[0], end_table=~masks[-1],
        still_objects=np.zeros((0, SIZE, SIZE), bool))
