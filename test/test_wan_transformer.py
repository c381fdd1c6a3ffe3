"""Wan run chunk by chunk: the same numbers as in one piece, over a past that is only read."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('diffusers')

from diffusers.models.transformers.transformer_wan import WanAttnProcessor  # noqa: E402
from tiny_wan import BLOCKS, TEXT_DIM, tiny_transformer  # noqa: E402

from dragstream_ros.world_models.wan.context import Page, WanContext  # noqa: E402
from dragstream_ros.world_models.wan.transformer import CausalWan  # noqa: E402

GRID, CELLS, SIGMA = (3, 4), (6, 8), 0.9375
TOKENS = GRID[0] * GRID[1]


@pytest.fixture(scope='module')
def prompt() -> torch.Tensor:
    torch.set_num_threads(1)
    return torch.randn(512, TEXT_DIM, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope='module')
def wan(prompt) -> CausalWan:
    return CausalWan(tiny_transformer(), prompt, grid=GRID, frames=9)


def latents(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(frames, 16, *CELLS, generator=torch.Generator().manual_seed(seed))


def remembered(wan: CausalWan, *chunks: torch.Tensor) -> tuple[Page, ...]:
    context = WanContext()
    for chunk in chunks:
        context = context.append(wan.remember(chunk, context.pages), sink=1, most=99)
    return context.pages


@torch.no_grad()
def shipped(video: torch.Tensor, sigmas: list[float], prompt: torch.Tensor,
            chunk: int) -> torch.Tensor:
    """Velocity of a whole video in one forward of diffusers' model, each chunk blind to later ones.

    sigmas: of every frame.
    """
    model = tiny_transformer()
    of_chunk = torch.arange(len(video)).div(chunk, rounding_mode='floor').repeat_interleave(TOKENS)
    mask = of_chunk[None, :] <= of_chunk[:, None]

    class BlockCausal(WanAttnProcessor):
        def __call__(self, attn, hidden_states, text, _, rotary):
            return super().__call__(attn, hidden_states, text, mask, rotary)

    for block in model.blocks:
        block.attn1.set_processor(BlockCausal())
    times = 1000 * torch.tensor(sigmas).repeat_interleave(TOKENS)[None]
    out = model(video.transpose(0, 1)[None], times, prompt[None], return_dict=False)[0]
    return out[0].transpose(0, 1)


def test_one_chunk_without_a_past_equals_the_forward_that_diffusers_ships(wan, prompt) -> None:
    x = latents(3)
    expected = x - SIGMA * tiny_transformer()(
        x.transpose(0, 1)[None], torch.tensor([1000 * SIGMA]), prompt[None],
        return_dict=False)[0][0].transpose(0, 1)
    assert torch.equal(wan.denoise(x, SIGMA, ()).x0, expected)


@pytest.mark.parametrize('chunk', [3, 1])
def test_chunks_over_a_remembered_past_equal_one_block_causal_forward(wan, prompt, chunk) -> None:
    video = latents(3 * chunk)
    first, second, noisy = video.split(chunk)
    velocity = shipped(video, [0.0] * 2 * chunk + [SIGMA] * chunk, prompt, chunk)[-chunk:]
    x0 = wan.denoise(noisy, SIGMA, remembered(wan, first, second)).x0
    assert torch.allclose(x0, noisy - SIGMA * velocity, atol=1e-5)


def test_the_past_matters_and_so_does_its_order(wan) -> None:
    x = latents(3)
    pages = remembered(wan, latents(3, 1), latents(3, 2))
    seen = wan.denoise(x, SIGMA, pages).x0
    assert (seen - wan.denoise(x, SIGMA, ()).x0).abs().max() > 1e-4
    assert (seen - wan.denoise(x, SIGMA, pages[::-1]).x0).abs().max() > 1e-6


def test_the_prompt_matters(wan, prompt) -> None:
    other = CausalWan(tiny_transformer(), torch.zeros_like(prompt), grid=GRID, frames=9)
    x = latents(3)
    assert (wan.denoise(x, SIGMA, ()).x0 - other.denoise(x, SIGMA, ()).x0).abs().max() > 1e-4


def test_stopping_early_gives_the_same_features_and_no_estimate(wan) -> None:
    x, pages = latents(3), remembered(wan, latents(3, 1))
    whole = wan.denoise(x, SIGMA, pages, taps=(1, 2))
    early = wan.denoise(x, SIGMA, pages, taps=(1, 2), stop_after_taps=True)
    assert early.x0 is None and sorted(early.taps) == sorted(whole.taps) == [1, 2]
    for block in (1, 2):
        for name in ('queries', 'keys', 'values'):
            assert torch.equal(getattr(early.taps[block], name), getattr(whole.taps[block], name))


def test_stopping_early_runs_no_block_beyond_the_last_tap(wan, monkeypatch) -> None:
    ran, through_block = [], wan.through_block
    monkeypatch.setattr(wan, 'through_block', lambda block, *arguments: (
        ran.append(block) or through_block(block, *arguments)))
    wan.denoise(latents(3), SIGMA, (), taps=(1,), stop_after_taps=True)
    assert ran == list(wan.transformer.blocks[:2]) and BLOCKS > 2


@pytest.mark.parametrize('early', [True, False])
def test_gradients_to_the_latent_agree_with_finite_differences(wan, early) -> None:
    pages = remembered(wan, latents(3, 1))
    direction, weights = latents(3, 4), latents(3, 5)
    direction = direction / direction.norm()

    def objective(x: torch.Tensor) -> torch.Tensor:
        seen = wan.denoise(x, SIGMA, pages, taps=(1, 2), stop_after_taps=early)
        if seen.x0 is not None:
            return (seen.x0 * weights).sum()
        return sum(tap.queries.sin().sum() for tap in seen.taps.values())

    x = latents(3).requires_grad_()
    slope = float((torch.autograd.grad(objective(x), x)[0] * direction).sum())
    step = 0.02
    with torch.no_grad():
        difference = float(objective(x + step * direction) - objective(x - step * direction))
    assert difference / (2 * step) == pytest.approx(slope, rel=2e-2, abs=1e-3)


def test_half_precision_weights_take_and_give_full_precision_latents(wan, prompt) -> None:
    half = CausalWan(tiny_transformer().to(torch.bfloat16), prompt.bfloat16(), grid=GRID, frames=9)
    x = latents(3)
    pages = remembered(half, latents(3, 1))
    x0 = half.denoise(x, SIGMA, pages).x0
    assert pages[0].keys.dtype == torch.bfloat16 and x0.dtype == torch.float32
    exact = wan.denoise(x, SIGMA, remembered(wan, latents(3, 1))).x0
    assert (x0 - exact).norm() < 0.05 * exact.norm()


def test_the_sink_stays_and_the_window_rolls_in_memory_that_does_not_grow(wan) -> None:
    context, sizes = WanContext(), []
    first = wan.remember(latents(1), ())[0]
    context = context.append([first], sink=1, most=4)
    for seed in range(8):
        context = context.append(wan.remember(latents(1, seed), context.pages), sink=1, most=4)
        sizes.append(context.nbytes)
    assert context.pages[0] is first and len(context.pages) == 4
    assert sizes[-1] == sizes[2] == 4 * first.nbytes
    # What a page holds is its own: no view that keeps a larger tensor alive.
    page = wan.remember(latents(3), ())[0]
    assert page.keys.untyped_storage().nbytes() == page.keys.nbytes == first.keys.nbytes
