"""Low-passed keys and values, and the draw among them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dragstream_ros.core.frequency_selection import (
    FrequencySelectionConfig,
    butterworth_gain,
    low_pass,
)

torch.set_num_threads(1)
GRID = (30, 52)


def tokens(heads=2, frames=3, grid=GRID, channels=4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(heads, frames * grid[0] * grid[1], channels, generator=generator)


@pytest.mark.parametrize(
    ('cutoff', 'radius', 'gain'),
    [
        (0.2, 0.1, 0.996),
        (0.2, 0.3, 0.038),
        (0.4, 0.5, 0.144),
        (0.6, 0.4, 0.962),
        (1.0, 0.5, 0.996),
    ],
)
def test_the_gain_has_the_published_values(cutoff, radius, gain):
    along_x = butterworth_gain((10, 10), cutoff, order=4)[0]
    assert along_x[round(radius * 10)].item() == pytest.approx(gain, abs=5e-4)


def test_the_gain_is_one_at_dc_and_a_half_at_the_cutoff_in_every_direction():
    gain = butterworth_gain((50, 50), 0.2, order=4)
    assert gain[0, 0] == 1.0
    for row, column in [(0, 10), (10, 0), (6, 8), (44, 42), (-10, 0)]:  # R = 0.2
        assert gain[row, column].item() == pytest.approx(0.5, abs=1e-5)


def test_the_gain_never_rises_with_the_frequency():
    fy, fx = np.fft.fftfreq(GRID[0])[:, None], np.fft.fftfreq(GRID[1])[None]
    order = np.argsort(np.hypot(fy, fx).ravel())
    sorted_gain = butterworth_gain(GRID, 0.4, order=4).numpy().ravel()[order]
    assert (np.diff(sorted_gain) <= 1e-7).all()


def test_a_constant_input_comes_out_unchanged():
    constant = torch.full((2, 3 * 30 * 52, 4), 1.7)
    torch.testing.assert_close(low_pass(constant, GRID, 0.2, 4), constant)


@pytest.mark.parametrize('grid', [(30, 52), (16, 16), (7, 5), (8, 9)])
def test_filtering_equals_the_full_complex_transform_frame_by_frame(grid):
    given = tokens(grid=grid)
    fy, fx = np.fft.fftfreq(grid[0])[:, None], np.fft.fftfreq(grid[1])[None]
    gain = 1 / (1 + ((fy**2 + fx**2) ** 0.5 / 0.2) ** 8)
    expected = np.zeros(given.shape)
    n = grid[0] * grid[1]
    for head in range(2):
        for frame in range(3):
            for channel in range(4):
                at = (head, slice(frame * n, (frame + 1) * n), channel)
                plane = given.numpy().astype(np.float64)[at].reshape(grid)
                spectrum = np.fft.fft2(plane) * gain
                expected[at] = np.fft.ifft2(spectrum).real.ravel()
    filtered = low_pass(given, grid, 0.2, 4)
    assert filtered.is_contiguous() and not filtered.is_complex()
    np.testing.assert_allclose(filtered.numpy(), expected, atol=2e-6)


def test_without_a_cutoff_the_tokens_are_the_same_object():
    given = tokens()
    assert low_pass(given, GRID, None, 4) is given


def test_half_precision_is_filtered_in_float32_and_comes_back_in_half():
    given = tokens().bfloat16()
    filtered = low_pass(given, GRID, 0.2, 4)
    assert filtered.dtype == torch.bfloat16
    assert torch.equal(filtered, low_pass(given.float(), GRID, 0.2, 4).bfloat16())


def test_the_same_seed_draws_the_same_variants_and_all_of_them_alike():
    config = FrequencySelectionConfig()

    def draws(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [config.choose(generator) for _ in range(2000)]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)
    np.testing.assert_allclose(np.bincount(draws(3), minlength=4) / 2000, 0.25, atol=0.04)
