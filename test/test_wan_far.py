"""AnyFlow-FAR run chunk by chunk: the same numbers as diffusers' own rollout, without its cost."""

from __future__ import annotations

import pytest
import torch
from tiny_wan import BLOCKS, SIZE, load_tiny_wan, tiny_far

from dragstream_ros.world_models.wan.anyflow_far import AnyFlowFarWorldModel
from dragstream_ros.world_models.wan.cost import (
    transformer_parameters,
)
from dragstream_ros.world_models.wan.far_context import FarContext
from dragstream_ros.world_models.wan.memory_plan import plan_memory

CELLS, SIGMA = (SIZE[1] // 8, SIZE[0] // 8), 0.9375


@pytest.fixture(scope='module')
def model(tmp_path_factory) -> AnyFlowFarWorldModel:
    torch.set_num_threads(1)
    return load_tiny_wan(tmp_path_factory.mktemp('far'), 'anyflow_far', window=21, sink=0)


def latents(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(frames, 16, *CELLS, generator=torch.Generator().manual_seed(seed))


def remembered(model: AnyFlowFarWorldModel, *pieces: torch.Tensor) -> FarContext:
    context = model.empty_context()
    for piece in pieces:
        context = model.commit(piece, context)
    return context


@torch.no_grad()
def shipped(chunks: list[torch.Tensor], prompt: torch.Tensor) -> torch.Tensor:
    """The velocity of the last, noisy chunk, as diffusers' pipeline computes it after the others.

    It remembers with flex attention, in steps of one chunk more, all of them anew each time.
    """
    net, partition = tiny_far(), [len(chunk) for chunk in chunks]
    tokens = CELLS[0] // 2 * CELLS[1] // 2
    shape = 2, 1, net.config.num_attention_heads
    cache = {block: {
        'full_cache': torch.zeros(*shape, 3 * 3 * tokens, net.config.attention_head_dim),
        'compressed_cache': torch.zeros(*shape, 21 * tokens // 4, net.config.attention_head_dim)}
        for block in range(BLOCKS)}
    for count in range(1, len(chunks)):
        video = torch.cat(chunks[:count])[None]
        times = torch.zeros(1, video.shape[1])
        net(video, timestep=times, r_timestep=times, encoder_hidden_states=prompt,
            chunk_partition=partition[:count], kv_cache=cache, return_dict=False,
            kv_cache_flag={'num_cached_chunks': count - 1, 'is_cache_step': True})
    times = torch.full((1, partition[-1]), 1000 * SIGMA)
    velocity, _ = net(
        chunks[-1][None], timestep=times, r_timestep=torch.zeros_like(times),
        encoder_hidden_states=prompt, chunk_partition=partition, kv_cache=cache, return_dict=False,
        kv_cache_flag={'num_cached_chunks': len(chunks) - 1, 'is_cache_step': False})
    return velocity[0]


@pytest.mark.filterwarnings('ignore:flex_attention called without torch.compile')
@pytest.mark.parametrize('partition', [[3], [1, 3], [1, 3, 3, 3], [1, 3, 3, 3, 3, 3], [1, 3, 2, 3]])
def test_a_rollout_equals_the_one_that_diffusers_ships(model, partition) -> None:
    chunks = [latents(count, seed) for seed, count in enumerate(partition)]
    context = remembered(model, *chunks[:-1])
    x0 = model.wan.denoise(chunks[-1], SIGMA, context.pages).x0
    expected = chunks[-1] - SIGMA * shipped(chunks, model.wan.prompt)
    assert torch.allclose(x0, expected, atol=1e-5)
    assert (x0 - chunks[-1]).abs().max() > 0.1


def test_frames_that_come_alone_make_the_same_past_as_whole_chunks(model) -> None:
    first, *frames = latents(7).split(1)
    alone = remembered(model, first, *frames)
    whole = remembered(model, first, torch.cat(frames[:3]), torch.cat(frames[3:]))
    assert [len(chunk) for chunk in alone.chunks] == [3, 3]
    for a, b in zip(alone.pages, whole.pages, strict=True):
        assert torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values)


def test_however_long_the_stream_a_chunk_costs_the_same(tmp_path, monkeypatch) -> None:
    model = load_tiny_wan(tmp_path, 'anyflow_far', window=15, sink=2)
    ran, through_block = [], model.wan.through_block
    monkeypatch.setattr(model.wan, 'through_block', lambda *arguments: (
        ran.append((arguments[1].shape[1], sum(keys.shape[1] for keys in arguments[4])))
        or through_block(*arguments)))
    context, costs, sizes, oldest = model.empty_context(), [], [], []
    for seed in range(9):
        context = model.commit(latents(1 if seed == 0 else 3, seed), context)
        costs.append(tuple(ran))
        ran.clear()
        sizes.append(context.nbytes)
        oldest.append(context.far[:2])
    assert len(context.far) == 6 and len(context.near) == 6
    assert costs[-1] == costs[-2] == costs[-3] and sizes[-1] == sizes[-2] == sizes[-3]
    assert oldest[-1] == oldest[3]      # the sink


def test_the_window_has_far_frames_with_a_quarter_of_the_tokens_only_beyond_the_near(model) -> None:
    context = remembered(model, *(latents(3, seed) for seed in range(4)))
    assert [page.keys.shape[2] for page in context.pages] == [2] * 6 + [8] * 6


def test_guidance_matches_what_is_seen_in_full(model) -> None:
    context = remembered(model, *(latents(3, seed) for seed in range(4)))
    tap = model.wan.denoise(latents(3), SIGMA, context.pages, (1,), True).taps[1]
    assert tap.queries.shape[1] == 3 * 8 and tap.keys.shape[1] == tap.values.shape[1] == 9 * 8


@pytest.mark.parametrize('early', [True, False])
def test_gradients_to_the_latent_agree_with_finite_differences(model, early) -> None:
    pages = remembered(model, *(latents(3, seed) for seed in range(4))).pages
    direction, weights = latents(3, 4), latents(3, 5)
    direction = direction / direction.norm()

    def objective(x: torch.Tensor) -> torch.Tensor:
        seen = model.wan.denoise(x, SIGMA, pages, taps=(1, 2), stop_after_taps=early)
        if seen.x0 is not None:
            return (seen.x0 * weights).sum()
        return sum(tap.queries.sin().sum() for tap in seen.taps.values())

    x = latents(3).requires_grad_()
    slope = float((torch.autograd.grad(objective(x), x)[0] * direction).sum())
    step = 0.02
    with torch.no_grad():
        difference = float(objective(x + step * direction) - objective(x - step * direction))
    assert difference / (2 * step) == pytest.approx(slope, rel=2e-2, abs=1e-3)


def test_its_weights_and_its_past_are_planned(model) -> None:
    net = model.wan.transformer
    architecture = model.architecture
    assert transformer_parameters(architecture) == sum(p.numel() for p in net.parameters())
    context = remembered(model, *(latents(3, seed) for seed in range(9)))
    plan = plan_memory(architecture, model.config, 'float32')
    near, far = 6 * context.near[0].nbytes, 12 * context.far[0].nbytes
    past = sum(page.nbytes for page in context.pages)
    assert past == near + far == (
        plan.kept['keys and values of the past'] - 6 * context.near[0].nbytes)
