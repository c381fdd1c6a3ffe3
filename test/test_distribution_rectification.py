"""Latents whose mean and deviation are put back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dragstream_ros.core.distribution_rectification import (
    GLOBAL,
    PER_CHANNEL,
    PER_FRAME_AND_CHANNEL,
    DistributionRectificationConfig,
    DistributionRectifier,
    Moments,
    match_mean_std,
    neighbour_latents,
    rectify_x0,
)

torch.set_num_threads(1)


def latent(seed: int, frames: int = 4, *, scale: float = 1.0, offset: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    level = torch.arange(8.0)[:, None, None] / 8  # channels differ
    return (torch.randn(frames, 8, 16, 16, generator=generator) + level) * scale + offset


def numpy_match(x: np.ndarray, reference: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    x, reference = x.astype(np.float64), reference.astype(np.float64)
    kept = {'axis': axes, 'keepdims': True}
    standard = (x - x.mean(**kept)) / x.std(ddof=1, **kept)
    return standard * reference.std(ddof=1, **kept) + reference.mean(**kept)


@pytest.mark.parametrize('dims', [PER_FRAME_AND_CHANNEL, PER_CHANNEL, GLOBAL])
def test_a_matched_latent_has_the_mean_and_the_deviation_of_the_reference(dims):
    reference = latent(2)
    matched = match_mean_std(latent(1, scale=3.0, offset=-2.0), reference, dims)
    for statistic in (torch.mean, torch.std):
        torch.testing.assert_close(
            statistic(matched, dims), statistic(reference, dims), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize('dims', [PER_FRAME_AND_CHANNEL, PER_CHANNEL, GLOBAL])
def test_matching_equals_the_formula_in_numpy(dims):
    x, reference = latent(1, scale=3.0, offset=-2.0), latent(2)
    expected = numpy_match(x.numpy(), reference.numpy(), dims)
    np.testing.assert_allclose(match_mean_std(x, reference, dims).numpy(), expected, atol=1e-5)


def test_the_deviation_is_the_unbiased_one():
    x = torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2)
    assert Moments.of(x, PER_FRAME_AND_CHANNEL).std.item() == pytest.approx(2**0.5)


def test_a_constant_latent_becomes_the_mean_of_the_reference_and_never_nan():
    reference = latent(2)
    matched = match_mean_std(torch.full((4, 8, 16, 16), 5.0), reference, GLOBAL)
    torch.testing.assert_close(matched, torch.full_like(matched, reference.mean().item()))


def test_the_moments_of_a_noised_latent_need_no_noise():
    clean = latent(3, frames=64, scale=2.0)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(9))
    drawn = Moments.of(0.3 * clean + 0.7 * noise, PER_CHANNEL)
    foretold = Moments.of(clean, PER_CHANNEL).noised(0.7)
    torch.testing.assert_close(foretold.mean, drawn.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(foretold.std, drawn.std, atol=0.03, rtol=0)


def test_chunks_0_and_1_have_no_neighbours_and_are_left_alone():
    assert neighbour_latents([], next_index=0, n_chunks=2) is None
    assert neighbour_latents([latent(0)], next_index=1, n_chunks=2) is None
    x0 = latent(5)
    assert rectify_x0(x0, None) is x0


def test_neighbours_are_the_newest_chunks_and_never_chunk_0():
    chunks = [torch.full((4, 8, 2, 2), float(i)) for i in range(5)]

    def numbers(n_known: int, n_chunks: int) -> list[float]:
        found = neighbour_latents(chunks[:n_known], next_index=n_known, n_chunks=n_chunks)
        assert found is not None
        return sorted(set(found.flatten().tolist()))

    assert numbers(2, 2) == [1.0]
    assert numbers(3, 2) == [1.0, 2.0]
    assert numbers(5, 2) == [3.0, 4.0]
    assert numbers(5, 9) == [1.0, 2.0, 3.0, 4.0]


def test_a_stream_that_has_forgotten_its_old_chunks_still_knows_its_neighbours():
    recent = [latent(7), latent(8)]
    found = neighbour_latents(recent, next_index=40, n_chunks=3)
    assert torch.equal(found, torch.cat(recent))


def test_no_chunks_asked_means_no_neighbours():
    assert neighbour_latents([latent(7)], next_index=40, n_chunks=0) is None


def test_x0_is_matched_to_its_neighbours_and_itself_as_one():
    x0, neighbours = latent(1, scale=3.0, offset=4.0), latent(2, frames=8)
    together = np.concatenate([neighbours.numpy(), x0.numpy()])
    expected = numpy_match(x0.numpy(), together, GLOBAL)
    np.testing.assert_allclose(rectify_x0(x0, neighbours).numpy(), expected, atol=1e-5)


def test_the_code_profile_goes_back_to_the_chunk_itself_frame_by_frame_then_as_a_whole():
    before, pushed = latent(1), latent(2, scale=1.5, offset=1.0)
    rectifier = DistributionRectifier(
        DistributionRectificationConfig(), before, sigma=0.9, neighbours=latent(3)
    )
    expected = numpy_match(pushed.numpy(), before.numpy(), PER_FRAME_AND_CHANNEL)
    np.testing.assert_allclose(rectifier.in_loop(pushed).numpy(), expected, atol=1e-5)
    expected = numpy_match(pushed.numpy(), before.numpy(), GLOBAL)
    np.testing.assert_allclose(rectifier.after_loop(pushed).numpy(), expected, atol=1e-5)


def test_the_paper_profile_goes_to_the_neighbours_at_the_same_noise_level():
    config = DistributionRectificationConfig(in_loop='neighbours', after_loop=False, x0=False)
    pushed, neighbours = latent(2, scale=1.5, offset=1.0), latent(3, frames=8, scale=2.0)
    rectified = DistributionRectifier(
        config, latent(1), sigma=0.8, neighbours=neighbours
    ).in_loop(pushed)
    clean = neighbours.numpy().astype(np.float64)
    for channel in range(8):
        mean = 0.2 * clean[:, channel].mean()
        std = np.sqrt(0.04 * clean[:, channel].var(ddof=1) + 0.64)
        for frame in range(4):
            plane = rectified[frame, channel]
            assert plane.mean().item() == pytest.approx(mean, abs=1e-5)
            assert plane.std().item() == pytest.approx(std, abs=1e-5)


def test_the_paper_profile_without_neighbours_goes_back_to_the_chunk_itself():
    config = DistributionRectificationConfig(in_loop='neighbours')
    before, pushed = latent(1), latent(2, scale=1.5)
    torch.testing.assert_close(
        DistributionRectifier(config, before, sigma=0.8).in_loop(pushed),
        match_mean_std(pushed, before, PER_FRAME_AND_CHANNEL),
    )


def test_switched_off_it_does_nothing():
    config = DistributionRectificationConfig(in_loop='off', after_loop=False)
    rectifier, pushed = DistributionRectifier(config, latent(1), sigma=0.8), latent(2)
    assert rectifier.in_loop(pushed) is pushed
    assert rectifier.after_loop(pushed) is pushed
