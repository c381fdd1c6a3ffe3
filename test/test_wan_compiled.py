"""What a full window runs is one graph for all blocks, and the same numbers as uncompiled."""

from __future__ import annotations

import logging

import pytest
import torch

pytest.importorskip('diffusers')

from tiny_wan import TEXT_DIM, tiny_transformer  # noqa: E402

from dragstream_ros.world_models.wan.block import through_block  # noqa: E402
from dragstream_ros.world_models.wan.compiled import (  # noqa: E402
    CompiledBlock,
    compile_blocks,
    random_pages,
)
from dragstream_ros.world_models.wan.transformer import CausalWan  # noqa: E402

PAST, CHUNK, SIGMA, TAPS = 6, (3, 16, 6, 8), 0.9, (1, 2)


@pytest.fixture
def wan() -> CausalWan:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)    # pytest would collect what the compiler logs
    prompt = torch.randn(8, TEXT_DIM, generator=torch.Generator().manual_seed(3))
    yield CausalWan(tiny_transformer(), prompt, grid=(3, 4), frames=9)
    torch._dynamo.reset()
    logging.disable(logging.NOTSET)


def compiled(wan: CausalWan, backend: str) -> bool:
    return compile_blocks(wan, past_frames=PAST, chunk=CHUNK, sigma=SIGMA, taps=TAPS,
                          backend=backend)


def everything(wan: CausalWan, past_frames: int = PAST) -> list[torch.Tensor]:
    """A pass, what a chunk and a frame leave, features and their gradient."""
    past = random_pages(wan, past_frames)
    x = torch.randn(CHUNK, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        numbers = [wan.denoise(x, SIGMA, past).x0]
    numbers += [page.keys for frames in (x, x[:1]) for page in wan.remember(frames, past)]
    x.requires_grad_()
    taps = wan.denoise(x, SIGMA, past, TAPS, stop_after_taps=True).taps
    loss = sum(tap.queries.square().sum() for tap in taps.values())
    return [*numbers, *(tap.keys for tap in taps.values()), *torch.autograd.grad(loss, x)]


def test_passes_and_gradients_compile_without_a_break_and_give_the_same_numbers(wan) -> None:
    expected = everything(wan)
    torch._dynamo.utils.counters.clear()
    assert compiled(wan, 'aot_eager')
    found = everything(wan)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    counters = torch._dynamo.utils.counters
    # A chunk, a frame of the camera, and a chunk with its gradient; all blocks share each.
    assert counters['stats']['unique_graphs'] == 3
    assert not counters['graph_break']


def test_a_window_that_is_not_full_yet_compiles_nothing(wan) -> None:
    expected = everything(wan, PAST - 1)
    assert compiled(wan, 'eager')
    torch._dynamo.utils.counters.clear()
    found = everything(wan, PAST - 1)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not torch._dynamo.utils.counters['stats']


def test_where_the_compiler_fails_one_warning_says_so_and_the_blocks_stay_as_they_are(
        wan, capfd) -> None:
    expected = everything(wan)

    def broken(graph: torch.fx.GraphModule, inputs: list) -> None:
        raise RuntimeError('no C compiler here\nand many more lines')

    assert not compile_blocks(wan, past_frames=PAST, chunk=CHUNK, sigma=SIGMA, taps=TAPS,
                              backend=broken)
    told = [line for line in capfd.readouterr().err.splitlines() if 'uncompiled' in line]
    assert len(told) == 1 and 'no C compiler here' in told[0]
    assert wan.through_block is through_block
    assert torch.equal(everything(wan)[0], expected[0])


def test_memory_that_runs_out_is_no_fault_of_the_compiler(wan, monkeypatch) -> None:
    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(CompiledBlock, '__call__', no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        compiled(wan, 'eager')
