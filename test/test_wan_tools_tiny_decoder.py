"""The tiny video decoder: its layout, streaming, and what it refuses."""

from __future__ import annotations

import pathlib

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.wan.tiny_decoder import TinyDecoderConfig, TinyVideoDecoder

SMALL = TinyDecoderConfig(latent_channels=4, widths=(12, 8, 6, 6))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def decoder() -> TinyVideoDecoder:
    torch.manual_seed(0)
    return TinyVideoDecoder(SMALL).double().eval().requires_grad_(False)


def latents_of(frames: int) -> torch.Tensor:
    return torch.randn(frames, 4, 3, 5, dtype=torch.float64,
                       generator=torch.Generator().manual_seed(1))


def test_its_weights_are_named_and_shaped_as_taew2_1() -> None:
    with torch.device('meta'):
        shapes = {name: tuple(value.shape)
                  for name, value in TinyVideoDecoder().state_dict().items()}
    expected = {'decoder.1.weight': (256, 16, 3, 3), 'decoder.1.bias': (256,),
                'decoder.22.weight': (3, 64, 3, 3), 'decoder.22.bias': (3,),
                'decoder.7.conv.weight': (256, 256, 1, 1),
                'decoder.13.conv.weight': (256, 128, 1, 1),
                'decoder.19.conv.weight': (128, 64, 1, 1),
                'decoder.8.weight': (128, 256, 3, 3), 'decoder.14.weight': (64, 128, 3, 3),
                'decoder.20.weight': (64, 64, 3, 3)}
    for first, width in ((3, 256), (9, 128), (15, 64)):
        for block in range(first, first + 3):
            for conv, inputs in ((0, 2 * width), (2, width), (4, width)):
                expected[f'decoder.{block}.conv.{conv}.weight'] = (width, inputs, 3, 3)
                expected[f'decoder.{block}.conv.{conv}.bias'] = (width,)
    assert shapes == expected


def test_it_decodes_what_the_published_description_says(decoder: TinyVideoDecoder) -> None:
    """Frame by frame, block by block, from the weights alone."""
    weights = decoder.state_dict()

    def conv(x: torch.Tensor, name: str, padding: int = 1) -> torch.Tensor:
        return functional.conv2d(x, weights[f'{name}.weight'], weights.get(f'{name}.bias'),
                                 padding=padding)

    def remembering(frames: list[torch.Tensor], block: int) -> list[torch.Tensor]:
        earlier = [torch.zeros_like(frames[0]), *frames[:-1]]
        outputs = []
        for now, before in zip(frames, earlier, strict=True):
            x = torch.cat([now, before], 1)
            for index in (0, 2, 4):
                x = conv(functional.relu(x) if index else x, f'decoder.{block}.conv.{index}')
            outputs.append(functional.relu(x + now))
        return outputs

    frames = [conv(torch.tanh(latent[None] / 3) * 3, 'decoder.1').relu()
              for latent in latents_of(3)]
    for first, factor in ((3, 1), (9, 2), (15, 2)):
        for block in range(first, first + 3):
            frames = remembering(frames, block)
        large = [functional.interpolate(frame, scale_factor=2) for frame in frames]
        frames = [part for frame in large
                  for part in conv(frame, f'decoder.{first + 4}.conv', 0).chunk(factor, 1)]
        frames = [conv(frame, f'decoder.{first + 5}') for frame in frames]
    wanted = torch.cat([conv(frame.relu(), 'decoder.22') for frame in frames])[3:].clamp(0, 1)
    assert torch.allclose(decoder.decode(latents_of(3))[0], wanted.float(), atol=1e-6)


@pytest.mark.parametrize('pieces', [[1] * 7, [3, 3, 1], [1, 6]])
def test_a_stream_decodes_each_frame_once_and_as_the_whole_clip(
        decoder: TinyVideoDecoder, pieces: list[int]) -> None:
    whole, _ = decoder.decode(latents_of(7))
    state, parts = None, []
    for piece in latents_of(7).split(pieces):
        frames, state = decoder.decode(piece, state)
        parts.append(frames)
    assert whole.shape == (25, 3, 24, 40)       # 1 + 6 * 4 frames, 8 times the size
    assert len(parts[0]) == 4 * pieces[0] - 3
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)


def test_a_stream_branches_where_its_state_is_kept(decoder: TinyVideoDecoder) -> None:
    _, state = decoder.decode(latents_of(4))
    before = [memory.clone() for memory in state.memories]
    first, _ = decoder.decode(latents_of(2) + 1, state)
    decoder.decode(latents_of(3) - 1, state)
    again, _ = decoder.decode(latents_of(2) + 1, state)
    assert torch.equal(first, again)
    assert all(torch.equal(a, b) for a, b in zip(before, state.memories, strict=True))


def test_its_state_keeps_no_more_than_one_frame_of_each_block(decoder: TinyVideoDecoder) -> None:
    _, state = decoder.decode(latents_of(6))
    assert len(state.memories) == 9
    assert state.nbytes == sum(
        memory.untyped_storage().nbytes() for memory in state.memories)


def test_a_file_with_an_encoder_loads_and_equals_the_model_it_came_from(
        tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'taew2_1.safetensors'
    torch.manual_seed(0)
    decoder = TinyVideoDecoder()
    save_file({**decoder.state_dict(), 'encoder.0.weight': torch.zeros(64, 3, 3, 3)}, path)
    latents = torch.randn(2, 16, 2, 3)
    with torch.no_grad():
        wanted, _ = decoder.decode(latents)
    assert torch.equal(TinyVideoDecoder.load(path).decode(latents)[0], wanted)


def test_files_that_are_none_are_refused_with_what_to_do(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'taew2_1.safetensors'
    with pytest.raises(DragStreamError, match=r'does not exist: put taew2_1') as refusal:
        TinyVideoDecoder.load(path)
    assert refusal.value.code == ErrorCode.WEIGHTS_MISSING
    torch.save(TinyVideoDecoder(SMALL).state_dict(), path)
    with pytest.raises(DragStreamError, match='`dragstream convert`') as refusal:
        TinyVideoDecoder.load(path)
    assert refusal.value.code == ErrorCode.WEIGHTS_UNREADABLE
    save_file(TinyVideoDecoder(SMALL).state_dict(), path)
    with pytest.raises(DragStreamError, match='not those of a tiny decoder') as refusal:
        TinyVideoDecoder.load(path)
    assert refusal.value.code == ErrorCode.WEIGHTS_MISMATCH
