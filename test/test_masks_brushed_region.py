"""What is painted over roughly is meant up to where it ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dragstream_ros.console.outline import brushed_outline
from dragstream_ros.masks.brushed_region import brushed_region

GREY, RED, GREEN = (120, 120, 120), (180, 40, 40), (40, 170, 60)


def box_with_a_lid(scale: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A picture, with noise as of a camera, and the lid."""
    picture = np.full((96, 96, 3), GREY, np.uint8)
    picture[30:66, 30:66], picture[34:50, 32:64] = RED, GREEN
    lid = np.zeros((96, 96), bool)
    lid[34:50, 32:64] = True
    noise = np.random.default_rng(0).normal(0, 3, (96 * scale, 96 * scale, 3))
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    return (np.clip(large + noise, 0, 255).astype(np.uint8),
            lid.repeat(scale, 0).repeat(scale, 1))


def to_and_fro(left: float, right: float, rows: list[float]) -> list[tuple[float, float]]:
    return [(x, y) for n, y in enumerate(rows)
            for x in ((left, right) if n % 2 == 0 else (right, left))]


def painted(stroke: list[tuple[float, float]], radius_px: float, side: int) -> list[np.ndarray]:
    """By the brush, and by its middle; (side, side) bool."""
    points = np.rint(stroke).astype(np.int32)
    return [cv2.polylines(np.zeros((side, side), np.uint8), [points], False, 1, thickness) > 0
            for thickness in (round(2 * radius_px), 1)]


def overlap(region: np.ndarray, truth: np.ndarray) -> float:
    return (region & truth).sum() / (region | truth).sum()


@pytest.mark.parametrize('scale', [1, 8])
def test_paint_beyond_the_rim_of_a_lid_is_not_meant(scale) -> None:
    picture, lid = box_with_a_lid(scale)
    rough, middle = painted([(scale * x, scale * y) for x, y in to_and_fro(33, 62, [35, 41, 48])],
                            4 * scale, len(picture))
    assert overlap(rough, lid) < 0.75
    assert overlap(brushed_region(picture, rough, middle, 4 * scale), lid) > 0.9


def test_paint_that_leaves_a_little_of_a_lid_out_means_that_too() -> None:
    picture, lid = box_with_a_lid()
    rough, middle = painted(to_and_fro(37, 58, [38, 45]), 4, 96)
    assert (lid & ~rough).sum() > 40
    assert overlap(brushed_region(picture, rough, middle, 4), lid) > 0.9


def test_where_nothing_ends_all_that_is_painted_is_meant() -> None:
    picture, _ = box_with_a_lid()
    rough, middle = painted([(15.0, 80.0), (22.0, 84.0)], 5, 96)
    region = brushed_region(picture, rough, middle, 5)
    assert (region & rough).sum() > 0.95 * rough.sum()
    assert (region & ~cv2.dilate(rough.astype(np.uint8), np.ones((5, 5))).astype(bool)).sum() == 0


def test_all_of_a_picture_may_be_painted() -> None:
    picture, _ = box_with_a_lid()
    everything = np.ones((96, 96), bool)
    assert brushed_region(picture, everything, everything, 50).all()


def test_a_stroke_beyond_the_picture_is_as_one_at_its_edge() -> None:
    picture, _ = box_with_a_lid()
    for stroke in (((-20.0, 5.0), (6.0, 5.0)), ((95.0, 95.0), (300.0, 95.0)), ((-9.0, -9.0),)):
        brushed_outline(stroke, radius_px=3, size=(96, 96), picture=picture)
