"""Points followed through pictures whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dragstream_ros.masks.track_points import track_points, track_through

TEXTURE = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8), (0, 0), 2.0
)
TEXTURE = cv2.normalize(TEXTURE, None, 0, 255, cv2.NORM_MINMAX)
POINTS = np.array([[40.0, 50.0], [90.3, 30.7], [64.0, 64.0]])


def moved(dx: float, dy: float) -> np.ndarray:
    """The texture, so much to the right and down, through a window of 128x128."""
    shift = np.float64([[1, 0, dx - 36], [0, 1, dy - 36]])
    return cv2.warpAffine(TEXTURE, shift, (128, 128))


def plain_with(square_px: tuple[int, int], side_px: int = 20) -> np.ndarray:
    picture = np.full((128, 128, 3), 90, np.uint8)
    x, y = square_px
    picture[y : y + side_px, x : x + side_px] = (200, 40, 40)
    return picture


@pytest.mark.parametrize('motion', [(0.0, 0.0), (1.5, -0.75), (-7.0, 6.0), (14.0, 3.0)])
def test_points_go_with_the_picture_to_a_fraction_of_a_pixel(motion):
    tracked, found = track_points(moved(0, 0), moved(*motion), POINTS)
    assert found.all()
    np.testing.assert_allclose(tracked, POINTS + motion, atol=0.2)


def test_a_small_thing_of_one_colour_is_carried_by_its_outline():
    before, after = plain_with((50, 50), 9), plain_with((53, 48), 9)
    tracked, found = track_points(before, after, np.array([[54.0, 54.0]]))
    assert found.all()
    np.testing.assert_allclose(tracked, [[57.0, 52.0]], atol=0.5)


def test_a_point_whose_thing_has_vanished_is_lost_and_stays():
    other = np.ascontiguousarray(moved(0, 0)[::-1, ::-1])
    tracked, found = track_points(moved(0, 0), other, POINTS[:2])
    assert not found.any()
    assert np.array_equal(tracked, POINTS[:2])


def test_a_point_on_nothing_but_a_plain_wall_is_lost():
    _, found = track_points(plain_with((90, 90)), plain_with((90, 90)), np.array([[20.0, 20.0]]))
    assert not found.any()


def test_points_follow_many_frames_without_drifting():
    frames = [moved(1.5 * t, -0.5 * t) for t in range(11)]
    positions, found = track_through(frames, POINTS)
    assert found.all() and positions.shape == (11, 3, 2)
    np.testing.assert_allclose(positions[10], POINTS + (15.0, -5.0), atol=0.5)


def test_a_point_once_lost_never_comes_back():
    frames = [moved(0, 0), np.zeros((128, 128, 3), np.uint8), moved(0, 0), moved(0, 0)]
    positions, found = track_through(frames, POINTS)
    assert found[0].all() and not found[1:].any()
    assert np.array_equal(positions[3], POINTS)


def test_a_point_that_leaves_the_picture_is_lost():
    frames = [moved(5.0 * t, 0) for t in range(8)]
    positions, found = track_through(frames, np.array([[115.0, 60.0]]))
    assert found[1, 0] and not found[-1, 0]
    assert positions.max() <= 127.5


def test_no_points_are_no_trouble():
    tracked, found = track_points(moved(0, 0), moved(1, 0), np.zeros((0, 2)))
    assert tracked.shape == (0, 2) and found.shape == (0,)
