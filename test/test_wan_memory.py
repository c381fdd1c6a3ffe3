"""What Wan takes of the memory: counted tensor by tensor, small and in its published size."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from live_bytes import LiveBytes
from torch.nn import functional

pytest.importorskip('diffusers')
from diffusers import AutoencoderKLWan, WanTransformer3DModel  # noqa: E402
from tiny_wan import TEXT_DIM, tiny_transformer  # noqa: E402

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode  # noqa: E402
from dragstream_ros.core.drag_guidance import DragGuidance, Reference  # noqa: E402
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig  # noqa: E402
from dragstream_ros.world_models.wan import block  # noqa: E402
from dragstream_ros.world_models.wan.autoencoder import WanAutoencoder  # noqa: E402
from dragstream_ros.world_models.wan.compiled import random_pages  # noqa: E402
from dragstream_ros.world_models.wan.config import WanConfig  # noqa: E402
from dragstream_ros.world_models.wan.context import Page, WanContext  # noqa: E402
from dragstream_ros.world_models.wan.cost import WanArchitecture  # noqa: E402
from dragstream_ros.world_models.wan.memory_plan import GB, SAVED, plan_memory  # noqa: E402
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel  # noqa: E402
from dragstream_ros.world_models.wan.tiny_decoder import TinyVideoDecoder  # noqa: E402
from dragstream_ros.world_models.wan.transformer import CausalWan  # noqa: E402

PUBLISHED = WanArchitecture()
CONFIG = WanConfig(window=9, decoder='tiny')        # 832x480
# As wide and as many tokens, but less deep: it shall not take long.
SHALLOW, SHALLOW_CONFIG = replace(PUBLISHED, layers=5), replace(CONFIG, taps=(1, 2, 3, 4))
SIGMA, TAPS = 0.9, (1, 2)


# --- in a small model, with numbers -------------------------------------------------------------

@pytest.fixture(scope='module')
def wan() -> CausalWan:
    torch.set_num_threads(1)
    prompt = torch.randn(8, TEXT_DIM, generator=torch.Generator().manual_seed(3))
    return CausalWan(tiny_transformer(), prompt, grid=(3, 4), frames=9)


def gradient_of(wan: CausalWan, *, early: bool = True, taps: tuple[int, ...] = TAPS,
                ) -> tuple[torch.Tensor, int]:
    """The gradient to a chunk, and the bytes that are held for it after the forward pass."""
    past = random_pages(wan, 6)
    x = torch.randn(3, 16, 6, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with LiveBytes() as live:
        seen = wan.denoise(x, SIGMA, past, taps, stop_after_taps=early)
        loss = sum(tap.queries.sin().sum() for tap in seen.taps.values())
        if seen.x0 is not None:
            loss = loss + seen.x0.square().sum()
        del seen
        held = live.now
    return torch.autograd.grad(loss, x)[0], held


@pytest.mark.parametrize('early', [True, False])
def test_what_is_computed_again_changes_no_bit_of_a_gradient_and_spares_memory(
        wan, monkeypatch, early) -> None:
    spared, little = gradient_of(wan, early=early)
    monkeypatch.setattr(block, 'checkpoint', lambda work, *arguments, **_: work(*arguments))
    plain, much = gradient_of(wan, early=early)
    assert torch.equal(spared, plain) and plain.abs().max() > 0
    assert little < much


def test_a_gradient_holds_of_a_block_what_is_planned(wan, monkeypatch) -> None:
    def of_a_block() -> int:
        return gradient_of(wan, taps=(2,))[1] - gradient_of(wan, taps=(1,))[1]

    spared = of_a_block()
    assert spared == pytest.approx(SAVED * 4 * 3 * 12 * 48, rel=0.1)
    monkeypatch.setattr(block, 'checkpoint', lambda work, *arguments, **_: work(*arguments))
    assert of_a_block() > 1.7 * spared


def test_attention_and_square_products_are_computed_once(wan, monkeypatch) -> None:
    ran = []
    attention = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, 'scaled_dot_product_attention',
                        lambda *tensors: ran.append('forward') or attention(*tensors))

    class Products(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            name = operation.overloadpacket.__name__
            if name == 'addmm' and args[-1].shape[0] == args[-1].shape[1]:
                ran.append('product')
            elif name == '_scaled_dot_product_flash_attention_for_cpu':
                ran.append('attention')
            return operation(*args, **(kwargs or {}))

    with Products():
        gradient_of(wan)
    of_a_block = {'product': 6, 'attention': 2}
    assert {name: ran.count(name) for name in of_a_block} == {
        name: 3 * count for name, count in of_a_block.items()}


def test_without_a_gradient_nothing_is_held(wan) -> None:
    x = torch.zeros(3, 16, 6, 8)
    with torch.no_grad(), LiveBytes() as live:
        x0 = wan.denoise(x, SIGMA, random_pages(wan, 6)).x0
        assert live.now == x0.nbytes


# --- in the published size, without numbers -----------------------------------------------------

@pytest.fixture
def published(monkeypatch) -> SelfForcingWorldModel:
    """In bfloat16 on the device without numbers, with attention as fused kernels have it."""
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    monkeypatch.setattr(functional, 'scaled_dot_product_attention',
                        lambda *tensors: fused(*tensors)[0])
    monkeypatch.setattr('dragstream_ros.core.region.gaussian',      # needs numbers
                        lambda mask, **_: torch.zeros(mask.shape, device=mask.device))
    with torch.device('meta'):
        transformer = WanTransformer3DModel(
            num_attention_heads=12, ffn_dim=8960, num_layers=SHALLOW.layers)
        vae, tiny = AutoencoderKLWan(), TinyVideoDecoder()
        prompt = torch.zeros(512, 4096)
    for part in (transformer, vae, tiny):
        part.bfloat16().eval().requires_grad_(False)
    wan = CausalWan(transformer, prompt.bfloat16(), grid=CONFIG.token_grid, frames=CONFIG.window)
    return SelfForcingWorldModel(SHALLOW_CONFIG, wan, WanAutoencoder(vae).to('meta'), tiny)


def meta_pages(config: WanConfig) -> tuple[Page, ...]:
    shape = (SHALLOW.layers, SHALLOW.heads, config.tokens_per_latent, SHALLOW.head_dim)
    return tuple(Page(*(torch.empty(shape, dtype=torch.bfloat16, device='meta') for _ in 'kv'))
                 for _ in range(config.past_latents))


def drag() -> DragCommand:
    return DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=CONFIG.image_size,
        stamp_ns=0, handles=(DragHandle(
            path_px=np.array([(300.0, 200.0), (400.0, 240.0)]), radius_px=40.0),))


def test_an_iteration_of_guidance_takes_what_is_planned(published, monkeypatch) -> None:
    variants = itertools.count()
    monkeypatch.setattr(FrequencySelectionConfig, 'choose', lambda *_: next(variants) % 4)
    conditions = published.condition(
        WanContext(meta_pages(CONFIG)), np.zeros((480, 832, 3), np.uint8))
    z = torch.zeros(3, *published.latent_shape, device='meta')
    guidance = DragGuidance(published, replace(published.profiles['fast'], max_segments=1))
    with LiveBytes() as live, torch.no_grad():
        guidance.optimise(z, conditions, Reference(z, z, conditions), drag(), np.arange(4.0),
                          neighbours=z, seed=0)
    assert next(variants) == 4      # each has been made
    planned = plan_memory(SHALLOW, SHALLOW_CONFIG, 'bfloat16').steps['guidance']
    assert live.peak == pytest.approx(planned, rel=0.02)


def test_all_other_steps_take_hardly_more_than_is_planned(published) -> None:
    plan = plan_memory(SHALLOW, SHALLOW_CONFIG, 'bfloat16')
    x = torch.zeros(3, *published.latent_shape, device='meta')
    context = WanContext(meta_pages(CONFIG))
    _, before = published.autoencoder.encode(torch.zeros(9, 3, 480, 832, device='meta'))
    frames = torch.zeros(4, 3, 480, 832, device='meta')
    _, decoded = published.decoder.decode(x)
    peaks = {}
    for name, work in {
            'denoise': lambda: published.wan.denoise(x, SIGMA, context.pages),
            'remember': lambda: published.commit(x, context),
            'encode': lambda: published.autoencoder.encode(frames, before),
            'decode': lambda: published.decoder.decode(x, decoded)}.items():
        with torch.no_grad(), LiveBytes() as live:
            kept = work()
        peaks[name] = live.peak
        del kept
    for name in ('denoise', 'remember', 'encode'):
        assert 0.6 * plan.steps[name] < peaks[name] < 1.01 * plan.steps[name], name
    assert 0.6 * plan.beside < peaks['decode'] < 1.01 * plan.beside


def test_the_whole_stays_below_16_gb_at_the_published_size() -> None:
    assert plan_memory(PUBLISHED, CONFIG, 'bfloat16').total < 16 * GB
