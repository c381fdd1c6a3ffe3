"""Wan's autoencoder as a stream: the same as a whole clip, each frame once, and it can branch."""

from __future__ import annotations

import pytest
import torch
from tiny_wan import tiny_vae

from dragstream_ros.world_models.wan.autoencoder import WanAutoencoder


@pytest.fixture(scope='module')
def autoencoder() -> WanAutoencoder:
    torch.set_num_threads(1)
    return WanAutoencoder(tiny_vae())


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def frames(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def latents(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 16, 4, 6, generator=torch.Generator().manual_seed(seed))


def test_encoding_frame_groups_as_they_come_equals_the_whole_clip(autoencoder) -> None:
    clip = frames(9)
    state, parts = None, []
    for group in (clip[:1], clip[1:5], clip[5:]):
        part, state = autoencoder.encode(group, state)
        parts.append(part)
    whole = autoencoder.vae.encode((clip * 2 - 1).transpose(0, 1)[None]).latent_dist.mode()[0]
    assert torch.equal(torch.cat(parts), ((whole - autoencoder.mean) / autoencoder.std)
                       .transpose(0, 1))
    assert torch.equal(autoencoder.encode(clip)[0], torch.cat(parts))


def test_decoding_latents_as_they_come_equals_the_whole_clip(autoencoder) -> None:
    z = latents(4)
    state, parts = None, []
    for group in (z[:1], z[1:3], z[3:]):
        part, state = autoencoder.decode(group, state)
        parts.append(part)
    assert [len(part) for part in parts] == [1, 8, 4]
    raw = (z.transpose(0, 1) * autoencoder.std + autoencoder.mean)[None]
    whole = autoencoder.vae.decode(raw).sample[0].transpose(0, 1)
    assert torch.equal(torch.cat(parts), (whole / 2 + 0.5).clamp(0, 1))


def test_a_stream_branches_without_disturbing_the_one_it_came_from(autoencoder) -> None:
    _, state = autoencoder.decode(latents(2))
    before = [x.clone() for x in state.memories if isinstance(x, torch.Tensor)]
    one, other = (autoencoder.decode(latents(1, seed), state)[0] for seed in (1, 2))
    assert not torch.equal(one, other)
    assert torch.equal(autoencoder.decode(latents(1, 1), state)[0], one)
    after = [x for x in state.memories if isinstance(x, torch.Tensor)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_stream_remembers_the_same_amount_however_long_it_is(autoencoder) -> None:
    clip = frames(17)
    state, sizes = autoencoder.encode(clip[:1])[1], []
    for start in range(1, 17, 4):
        _, state = autoencoder.encode(clip[start:start + 4], state)
        sizes.append(state.nbytes)
    assert sizes[0] > 0 and len(set(sizes[1:])) == 1


def test_frames_that_do_not_fill_a_latent_are_refused(autoencoder) -> None:
    with pytest.raises(AssertionError):
        autoencoder.encode(frames(3))
