"""Sums of measurements against numbers known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from dragstream_ros.evaluation.metrics import (
    median_with_interval,
    moving_pixels,
    percentiles,
    psnr_db,
    share_with_interval,
    slope_with_interval,
)


def test_psnr_of_an_error_of_ten_levels_everywhere():
    truth = np.full((2, 4, 4, 3), 100, np.uint8)
    assert psnr_db(truth + 10, truth) == pytest.approx(20 * np.log10(25.5))


def test_psnr_looks_only_where_it_is_told():
    truth = np.zeros((2, 4, 4, 3), np.uint8)
    picture = truth.copy()
    picture[0, 0, 0] = 255
    where = np.zeros((2, 4, 4), bool)
    where[0, 0, 0] = True
    assert psnr_db(picture, truth, where) == pytest.approx(0)
    assert psnr_db(picture, truth, ~where) > 70
    assert np.isnan(psnr_db(picture, truth, np.zeros_like(where)))


def test_only_pixels_that_change_visibly_move():
    start = np.full((4, 4, 3), 100, np.uint8)
    future = np.stack([start, start + 10, start])
    future[2, 1, 2, 0] = 50
    moving = moving_pixels(future, start)
    assert np.argwhere(moving).tolist() == [[2, 1, 2]]


def test_a_median_lies_in_its_interval_which_narrows_with_the_sample():
    draw = np.random.default_rng(1).normal(3, 1, 1000)
    few, many = median_with_interval(draw[:20]), median_with_interval(draw)
    assert many.low < 3 < many.high
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 3


def test_intervals_of_shares_are_wilsons():
    found = share_with_interval(35, 50)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.7, 0.562, 0.809)
    assert share_with_interval(50, 50).low == pytest.approx(0.929, abs=1e-3)


def test_a_slope_is_found_under_noise_and_spikes():
    rng = np.random.default_rng(0)
    values = 0.5 * np.arange(400) + rng.normal(0, 5, 400)
    values[rng.integers(400, size=20)] += 1000
    found = slope_with_interval(values)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.1


def test_the_slope_of_noise_around_a_constant_is_not_told_from_zero():
    found = slope_with_interval(np.random.default_rng(2).normal(100, 5, 400))
    assert found.low < 0 < found.high


def test_a_leak_in_rare_steps_is_a_slope():
    memory = 4096.0 * (np.arange(1000) // 50)
    found = slope_with_interval(memory)
    assert found.value == pytest.approx(4096 / 50, rel=0.05)
    assert found.low > 0


def test_percentiles_come_with_the_maximum():
    assert percentiles(list(range(101))) == {'p50': 50, 'p95': 95, 'max': 100}
