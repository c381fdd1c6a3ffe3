"""A path through clicked points."""

from __future__ import annotations

import numpy as np

from dragstream_ros.core.smooth_path import clamped_b_spline, smooth_path


def test_two_clicks_are_a_straight_line_in_equal_steps():
    np.testing.assert_allclose(
        smooth_path(np.array([[0.0, 0.0], [30.0, 60.0]]), 4),
        [(0, 0), (10, 20), (20, 40), (30, 60)],
        atol=1e-9,
    )


def test_one_click_is_a_path_that_stays():
    assert np.array_equal(smooth_path(np.array([[3.0, 4.0]]), 3), [(3, 4)] * 3)


def test_three_and_four_clicks_are_the_bezier_curve_of_their_degree():
    control = np.array([[0.0, 0.0], [8.0, 16.0], [24.0, 0.0], [32.0, 8.0]])
    # By hand at u = 1/2: (p0 + 2 p1 + p2) / 4 and (p0 + 3 p1 + 3 p2 + p3) / 8.
    np.testing.assert_allclose(clamped_b_spline(control[:3], np.array([0.5])), [(10, 8)])
    np.testing.assert_allclose(clamped_b_spline(control, np.array([0.5])), [(16, 7)])


def test_five_clicks_have_an_inner_knot_where_the_curve_is_the_known_mean():
    control = np.array([[0.0, 0.0], [4.0, 0.0], [8.0, 12.0], [12.0, 0.0], [16.0, 0.0]])
    # At the one inner knot of a clamped cubic the basis is (1/4, 1/2, 1/4) of p1, p2, p3.
    np.testing.assert_allclose(clamped_b_spline(control, np.array([0.5])), [(8, 6)])


def test_the_path_keeps_its_ends_and_its_steps_are_equal_in_length():
    clicks = np.array([[0.0, 0.0], [50.0, 0.0], [50.0, 10.0], [80.0, 90.0], [10.0, 95.0]])
    path = smooth_path(clicks, 25)
    np.testing.assert_allclose(path[[0, -1]], clicks[[0, -1]], atol=1e-9)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.03)


def test_clicks_on_the_same_spot_are_a_path_that_stays():
    np.testing.assert_allclose(smooth_path(np.full((3, 2), 7.0), 5), np.full((5, 2), 7.0))
