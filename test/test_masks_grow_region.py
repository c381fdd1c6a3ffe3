"""The region around a touched point, on drawn pictures and on the simulated table."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from dragstream_ros.masks.grow_region import grow_region
from dragstream_ros.simulation.episode import generate_episode
from dragstream_ros.simulation.no_graphics import NoGraphics

NOISE = np.random.default_rng(0).normal(0.0, 3.0, (128, 128, 3))


def picture(*shapes: tuple[np.ndarray, tuple[int, int, int]], noise: bool = True) -> np.ndarray:
    """A wooden-coloured table with shapes painted on it."""
    table = np.full((128, 128, 3), (150, 120, 90), np.float64)
    for mask, colour in shapes:
        table[mask] = colour
    return np.clip(table + NOISE * noise, 0, 255).astype(np.uint8)


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((128, 128), bool)
    mask[top:bottom, left:right] = True
    return mask


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return (found & true).sum() / (found | true).sum()


def test_an_object_of_one_colour_is_found_to_its_outline():
    cube = box(50, 50, 70, 68)
    assert iou(grow_region(picture((cube, (40, 60, 200))), np.array([60.0, 58.0])), cube) > 0.9


def test_the_faces_of_an_object_belong_together():
    top, front = box(50, 50, 70, 60), box(50, 60, 70, 68)
    found = grow_region(
        picture((top, (200, 60, 60)), (front, (150, 40, 40))), np.array([60.0, 55.0])
    )
    assert iou(found, top | front) > 0.9


def test_a_neighbour_that_touches_stays_out():
    left, right = box(44, 50, 60, 66), box(60, 50, 76, 66)
    found = grow_region(
        picture((left, (200, 40, 40)), (right, (40, 180, 60))), np.array([52.0, 58.0])
    )
    assert iou(found, left) > 0.8


def test_a_stripe_and_what_lies_beyond_it_are_one_thing():
    body, stripe = box(44, 50, 76, 70), box(56, 50, 62, 70)
    found = grow_region(
        picture((body, (200, 40, 40)), (stripe, (40, 180, 60))), np.array([50.0, 60.0]))
    assert iou(found, body) > 0.9


def test_a_face_in_the_shade_is_of_the_thing():
    top, front = box(50, 50, 70, 60), box(50, 60, 70, 72)
    found = grow_region(
        picture((top, (210, 210, 60)), (front, (80, 80, 23))), np.array([60.0, 54.0]))
    assert iou(found, top | front) > 0.9


def test_a_further_point_adds_what_touches_and_stands_out():
    stem, bar, apart = box(60, 44, 68, 60), box(50, 60, 78, 68), box(100, 100, 116, 116)
    thing = picture((stem, (230, 230, 225)), (bar, (180, 40, 160)), (apart, (40, 180, 60)))
    on_stem, on_bar, beyond, bare = np.array([(64, 50), (54, 64), (108, 108), (64, 30)], float)
    assert iou(grow_region(thing, on_stem, on_bar), stem | bar) > 0.85
    for further in (beyond, bare):
        assert np.array_equal(grow_region(thing, on_stem, further), grow_region(thing, on_stem))


def test_blocks_in_a_heap_stay_apart():
    blocks = [box(44, 44, 60, 60), box(60, 48, 76, 64), box(48, 60, 64, 76), box(64, 64, 80, 80)]
    colours = [(200, 40, 40), (40, 180, 60), (40, 60, 200), (220, 200, 40)]
    heap = picture(*zip(blocks, colours, strict=True))
    for block in blocks:
        rows, columns = np.nonzero(block)
        assert iou(grow_region(heap, np.array([columns.mean(), rows.mean()])), block) > 0.7


def test_a_shadow_is_no_part_of_what_casts_it():
    cube, shadow = box(50, 50, 66, 66), box(66, 50, 74, 66)
    found = grow_region(
        picture((cube, (40, 60, 200)), (shadow, (90, 72, 54))), np.array([58.0, 58.0]))
    assert iou(found, cube) > 0.8


def test_an_arm_in_front_is_no_part_of_what_it_covers():
    cube, arm = box(50, 50, 70, 68), box(70, 0, 80, 128)
    found = grow_region(
        picture((cube, (40, 60, 200)), (arm, (235, 235, 235))), np.array([60.0, 58.0]))
    assert iou(found, cube) > 0.8


def test_an_arm_that_leaves_the_window_is_followed_to_its_rim():
    arm = box(58, 0, 68, 70)
    found = grow_region(picture((arm, (235, 235, 235))), np.array([63.0, 64.0]))
    reach = 26
    assert iou(found, arm & box(0, 64 - reach, 128, 128)) > 0.85


def test_an_object_at_the_edge_of_the_picture_is_not_taken_for_its_surroundings():
    cube = box(0, 50, 16, 68)
    assert iou(grow_region(picture((cube, (40, 60, 200))), np.array([4.0, 58.0])), cube) > 0.9


def test_a_touch_on_the_outline_means_the_object_not_the_table():
    cube = box(50, 50, 70, 70)
    assert iou(grow_region(picture((cube, (40, 60, 200))), np.array([50.0, 60.0])), cube) > 0.8


@pytest.mark.parametrize('noise', [True, False])
def test_on_a_bare_table_the_region_is_the_fallback_disc(noise):
    found = grow_region(picture(noise=noise), np.array([60.0, 40.0]), fallback_radius_px=5.0)
    y, x = np.mgrid[:128, :128]
    assert np.array_equal(found, (x - 60) ** 2 + (y - 40) ** 2 <= 25)


@pytest.mark.parametrize('size', [(1, 1), (2, 2), (9, 200), (480, 640)])
def test_any_size_and_any_corner_gives_a_region_that_is_not_empty(size):
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
    for point in ((-0.5, -0.5), (size[1] - 0.5, size[0] - 0.5)):
        found = grow_region(image, np.array(point))
        assert found.shape == size and found.dtype == bool and found.any()


def test_a_picture_five_times_as_large_gives_the_same_region():
    cube = box(50, 50, 70, 68)
    small = picture((cube, (40, 60, 200)))
    large = cv2.resize(small, (640, 640), interpolation=cv2.INTER_NEAREST)
    found = grow_region(large, np.array([302.0, 292.0]))
    assert iou(found, np.kron(cube, np.ones((5, 5), bool))) > 0.9


@pytest.mark.alone
def test_objects_on_the_simulated_table_are_found_in_milliseconds():
    overlaps, secs = [], []
    for seed in range(500, 506):
        try:
            recorded = generate_episode(seed, secs=0.1)
        except NoGraphics as error:
            pytest.skip(str(error))
        for point, thing in zip(recorded.points_px[0], recorded.point_thing, strict=True):
            true = recorded.masks[0] == thing + 1
            x, y = np.rint(point).astype(int).clip(0, 127)
            if recorded.things[thing].kind == 'object' and true[y, x]:
                start = time.perf_counter()
                found = grow_region(recorded.frames[0], point)
                secs.append(time.perf_counter() - start)
                overlaps.append(iou(found, true))
    assert np.mean(overlaps) > 0.65
    assert np.median(secs) < 0.1
