"""What a Wan stream costs: the formulas against PyTorch's own counts, and the published numbers."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.goal_queue import GoalQueue

diffusers = pytest.importorskip('diffusers')
from dragstream_ros.world_models.wan.autoencoder import WanAutoencoder  # noqa: E402
from dragstream_ros.world_models.wan.config import WanConfig  # noqa: E402
from dragstream_ros.world_models.wan.context import Page  # noqa: E402
from dragstream_ros.world_models.wan.cost import (  # noqa: E402
    WanArchitecture,
    chunk_flop,
    guidance_iteration_flop,
    pass_flop,
    tiny_decode_flop,
    transformer_parameters,
    vae_parameters,
    wan_decode_flop,
    wan_decoder,
    wan_encode_flop,
    wan_encoder,
)
from dragstream_ros.world_models.wan.memory_plan import (  # noqa: E402
    GB,
    fit_memory,
    page_bytes,
    plan_memory,
)
from dragstream_ros.world_models.wan.tiny_decoder import (  # noqa: E402
    TinyDecoderConfig,
    TinyVideoDecoder,
)
from dragstream_ros.world_models.wan.transformer import CausalWan  # noqa: E402

PUBLISHED = WanArchitecture()
SMALL = WanArchitecture(layers=3, heads=2, head_dim=16, ffn_dim=80, time_dim=16, text_dim=8,
                        text_tokens=4, vae_base=8, tiny=TinyDecoderConfig(widths=(32, 16, 8, 8)))
CONFIG = WanConfig(image_size=(96, 64), window=9, taps=(1,))
TERA = 1e12
REPOSITORY = pathlib.Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small_wan() -> CausalWan:
    transformer = diffusers.WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, ffn_dim=80, freq_dim=16, text_dim=8,
        num_layers=3).requires_grad_(False)
    return CausalWan(transformer, torch.zeros(4, 8), grid=CONFIG.token_grid, frames=CONFIG.window)


def small_pages() -> list[Page]:
    return [Page(*(torch.randn(3, 2, CONFIG.tokens_per_latent, 16) for _ in 'kv'))
            for _ in range(CONFIG.past_latents)]


def counted(work: Callable[[], object]) -> int:
    """Attention as plain products, since the counter knows no fused kernels of a CPU."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_weights_are_counted_as_in_the_published_models() -> None:
    with torch.device('meta'):
        transformer = diffusers.WanTransformer3DModel(
            num_attention_heads=12, ffn_dim=8960, num_layers=30)
        autoencoder = diffusers.AutoencoderKLWan()
    assert WanArchitecture.of(transformer.config, autoencoder.config) == PUBLISHED
    assert transformer_parameters(PUBLISHED) == sum(p.numel() for p in transformer.parameters())
    assert vae_parameters(PUBLISHED) == sum(p.numel() for p in autoencoder.parameters())


@torch.no_grad()
def test_a_pass_and_the_decoders_cost_what_pytorch_counts() -> None:
    wan, pages = small_wan(), small_pages()
    latents = torch.randn(3, 16, 8, 12)
    wan.denoise(latents, 0.9, pages, (0,), True)        # the noise level is embedded but once
    # Embeddings and the output layer, a hundredth of the real model, are a part of the small one.
    whole = counted(lambda: wan.denoise(latents, 0.9, pages, (2,), True))
    shorter = counted(lambda: wan.denoise(latents, 0.9, pages, (1,), True))
    assert whole - shorter == pass_flop(SMALL, CONFIG, blocks=1)
    autoencoder = WanAutoencoder(diffusers.AutoencoderKLWan(base_dim=8).requires_grad_(False))
    frames = torch.rand(12, 3, 64, 96)
    _, encoded = autoencoder.encode(torch.rand(9, 3, 64, 96))
    _, decoded = autoencoder.decode(latents)
    quantisers = (2 * 32 * 32 + 2 * 16 * 16) * 3 * 8 * 12
    assert counted(lambda: autoencoder.decode(latents, decoded)) == pytest.approx(
        wan_decode_flop(SMALL, CONFIG), abs=quantisers)
    assert counted(lambda: autoencoder.encode(frames, encoded)) == pytest.approx(
        wan_encode_flop(SMALL, CONFIG), abs=quantisers)
    tiny = TinyVideoDecoder(SMALL.tiny)
    assert counted(lambda: tiny.decode(latents)) == tiny_decode_flop(SMALL, CONFIG)


def test_a_guidance_iteration_costs_what_pytorch_counts() -> None:
    wan, pages = small_wan(), small_pages()

    def iterate(tap: int) -> None:
        z = torch.randn(3, 16, 8, 12, requires_grad=True)
        tapped = wan.denoise(z, 0.9, pages, (tap,), True).taps[tap]
        out = functional.scaled_dot_product_attention(
            tapped.queries[None], tapped.keys.detach()[None], tapped.values.detach()[None])
        out.square().mean().backward()

    difference = counted(lambda: iterate(2)) - counted(lambda: iterate(1))
    # Plain products of attention are computed again on the way back, two of them; of a fused kernel
    # the result is kept, and it computes one again, that of queries and keys.
    product = 2 * 3 * CONFIG.tokens_per_latent * (9 * CONFIG.tokens_per_latent + 4) * 32
    assert difference - product == pytest.approx(
        guidance_iteration_flop(SMALL, CONFIG, blocks=1), rel=0.02)


def test_the_published_size_costs_what_is_known_of_it() -> None:
    at_9, at_21 = WanConfig(window=9), WanConfig(window=21)
    assert pass_flop(PUBLISHED, at_21) / TERA == pytest.approx(40.4, abs=0.05)
    assert pass_flop(PUBLISHED, at_9) / TERA == pytest.approx(24.3, abs=0.05)
    assert [round(guidance_iteration_flop(PUBLISHED, config, blocks=blocks) / TERA)
            for config in (at_21, at_9) for blocks in (16, 30)] == [68, 128, 38, 71]
    assert wan_decode_flop(PUBLISHED, at_9) / TERA == pytest.approx(40.6, abs=0.1)
    assert tiny_decode_flop(PUBLISHED, at_9) / TERA == pytest.approx(1.58, abs=0.01)
    assert page_bytes(PUBLISHED, at_9, 'bfloat16') / GB == pytest.approx(0.29, abs=0.005)
    assert 2 * transformer_parameters(PUBLISHED) / GB == pytest.approx(2.84, abs=0.01)


def test_the_written_budget_is_what_the_formulas_give() -> None:
    """docs/wan_budget.md: frames a second, free-running / guided, by attainable TFLOP/s."""
    text = (REPOSITORY / 'docs' / 'wan_budget.md').read_text()
    runs = [WanConfig(window=9), WanConfig(image_size=(576, 320), window=9),
            WanConfig(image_size=(576, 320), window=6, sink=2),
            WanConfig(image_size=(576, 320), window=9, latents_per_chunk=1, sigmas=(1.0, 0.625))]
    rows = re.findall(r'^\| (\d+), .*?\| (.* / .*) \|$', text, re.MULTILINE)
    assert len(rows) == 6
    for attainable, cells in rows:
        rate = 0.45 * float(attainable) * TERA
        assert cells.split(' | ') == [
            ' / '.join(f'{rate * 4 * run.latents_per_chunk / flop:.1f}' for flop in (
                chunk_flop(PUBLISHED, run), chunk_flop(PUBLISHED, run, guidance_iterations=4)))
            for run in runs]


@torch.no_grad()
def test_what_streams_remember_is_planned() -> None:
    autoencoder = WanAutoencoder(diffusers.AutoencoderKLWan(base_dim=8).requires_grad_(False))
    state = None
    for frames in (9, 12):
        _, state = autoencoder.encode(torch.rand(frames, 3, 64, 96), state)
    planned = 4 * sum(conv.remembered for conv in wan_encoder(SMALL, CONFIG))
    assert state.nbytes <= planned <= 1.02 * state.nbytes
    state = None
    for _ in range(2):
        _, state = autoencoder.decode(torch.randn(3, 16, 8, 12), state)
    assert state.nbytes == 4 * sum(conv.remembered for conv in wan_decoder(SMALL, CONFIG))
    _, tiny = TinyVideoDecoder(SMALL.tiny).decode(torch.randn(3, 16, 8, 12))
    plan = plan_memory(SMALL, WanConfig(image_size=(96, 64), decoder='tiny'), 'float32')
    assert plan.kept['video as the decoder left it'] == 4 * tiny.nbytes
    page, = small_wan().remember(torch.randn(1, 16, 8, 12), [])
    assert page.nbytes == page_bytes(SMALL, CONFIG, 'float32')


def test_a_budget_takes_precision_then_the_decoder_then_the_window() -> None:
    def fitted(budget_gb: float | None, *, tiny: bool = True) -> tuple[str, str, int, int]:
        plan = fit_memory(PUBLISHED, WanConfig(), 'float32', budget_gb, has_tiny_decoder=tiny)
        assert budget_gb is None or plan.total <= budget_gb * GB
        return plan.dtype, plan.config.decoder, plan.config.window, plan.config.sink

    assert fitted(None) == ('float32', 'wan', 21, 3)
    assert fitted(60) == ('float32', 'wan', 21, 3)
    assert fitted(32) == ('bfloat16', 'wan', 21, 3)
    assert fitted(24) == ('bfloat16', 'tiny', 21, 3)
    assert fitted(23, tiny=False) == ('bfloat16', 'wan', 9, 3)
    assert fitted(14) == ('bfloat16', 'tiny', 9, 3)
    assert fitted(13.5) == ('bfloat16', 'tiny', 6, 2)
    told = fit_memory(PUBLISHED, WanConfig(), 'bfloat16', 13.5, has_tiny_decoder=True).describe()
    assert told.endswith('given up for memory: decoder wan -> tiny, window 21 -> 6')


def test_a_budget_that_nothing_fits_is_refused_in_one_sentence() -> None:
    with pytest.raises(DragStreamError) as refused:
        fit_memory(PUBLISHED, WanConfig(), 'bfloat16', 8, has_tiny_decoder=True)
    assert refused.value.code == ErrorCode.OUT_OF_MEMORY
    assert str(refused.value).startswith(
        'This model needs 12.8 GB even with a window of 6 latent frames, and memory_budget_gb '
        'allows 8: raise it')


def test_a_plan_is_printed_part_by_part() -> None:
    text = plan_memory(PUBLISHED, WanConfig(window=9, decoder='tiny'), 'bfloat16').describe()
    assert text.splitlines()[0] == (
        'memory planned, 832x480, window 9, bfloat16, decoder tiny:')
    assert 'largest step: guidance' in text
    assert text.splitlines()[-2].split() == ['in', 'all', '13.89', 'GB']


def test_goals_of_planners_are_as_many_as_there_is_room_for() -> None:
    config = WanConfig(window=9, decoder='tiny')

    def room(budget_gb: float) -> int | None:
        return fit_memory(
            PUBLISHED, config, 'bfloat16', budget_gb, has_tiny_decoder=True).most_goals

    assert plan_memory(PUBLISHED, config, 'bfloat16').most_goals is None
    assert [room(budget_gb) for budget_gb in (18, 22, 26, 80)] == [1, 2, 3, 16]
    told = fit_memory(PUBLISHED, config, 'bfloat16', 22, has_tiny_decoder=True).describe()
    assert "each planner's goal besides" in told
    assert told.endswith("room for planners' goals at once: 2")
    queue = GoalQueue(room(22))
    goals = [SimpleNamespace(goal_id=number) for number in range(2)]
    for goal in goals:
        queue.add(lambda goal=goal: goal)
    with pytest.raises(DragStreamError, match='room for, 2') as refused:
        queue.add(lambda: goals[0])
    assert refused.value.code == ErrorCode.BUSY
