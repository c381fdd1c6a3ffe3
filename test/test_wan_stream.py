"""A drag on the real models' code with random weights: all verbs, from camera frames to frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_wan import SIZE, load_tiny_wan

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.drag_guidance import DragGuidance
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig
from dragstream_ros.core.stream import DragStream, PredictedChunk, StreamConfig
from dragstream_ros.world_models.wan import model_folder
from dragstream_ros.world_models.wan.model import WanWorldModel

PERIOD_NS = 62_500_000
PIXELS = np.random.default_rng(0).integers(0, 255, (5, *SIZE[::-1], 3), np.uint8)


@pytest.fixture(scope='module', params=model_folder.KINDS.values())
def kind(request) -> str:
    torch.set_num_threads(1)
    return request.param


@pytest.fixture(scope='module')
def model(tmp_path_factory, kind) -> WanWorldModel:
    return load_tiny_wan(tmp_path_factory.mktemp('wan'), kind)


def started(model: WanWorldModel, profile: str = 'fast', **config: object) -> DragStream:
    guidance = replace(model.profiles[profile], iterations_per_segment=2, max_segments=1)
    stream = DragStream(model, guidance, StreamConfig(**config))  # type: ignore[arg-type]
    stream.reset(PIXELS, [i * PERIOD_NS for i in range(len(PIXELS))])
    return stream


def drag(mode: DragMode = DragMode.ANIMATE) -> DragCommand:
    return DragCommand(
        drag_id='d', operator_id='o', mode=mode, image_size=SIZE, stamp_ns=4 * PERIOD_NS,
        handles=(DragHandle(path_px=np.array([(20.0, 20.0), (44.0, 24.0)]), radius_px=10.0),))


def next_chunk(stream: DragStream) -> PredictedChunk:
    chunk = stream.step()
    assert chunk is not None
    return chunk


def test_a_prediction_starts_from_the_first_picture(model) -> None:
    stream = DragStream(model)
    stream.observe(PIXELS[0], 0)
    chunk = next_chunk(stream)
    assert chunk.frames.shape == (12, *SIZE[::-1], 3)
    assert chunk.offsets_secs == pytest.approx(np.arange(1, 13) / 16)


def test_frames_count_once_their_latent_is_full_and_each_is_encoded_once(model) -> None:
    seen = []
    hook = model.autoencoder.vae.encoder.register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0].shape[2]))
    stream, stamps = DragStream(model), []
    for i in range(9):
        assert stream.observe(PIXELS[i % 5], i * PERIOD_NS)
        stamps.append(stream.stamp_ns // PERIOD_NS)
    hook.remove()
    assert stamps == [0] * 4 + [4] * 4 + [8]
    # Self-Forcing's first stands still for the 9 frames of a chunk.
    assert seen == [1, 4, 4] + [4, 4] * (model.name == 'self_forcing')


@pytest.mark.parametrize('profile', ['code', 'fast', 'paper'])
def test_guidance_moves_its_objective_down(model, profile, monkeypatch) -> None:
    losses = []
    loss = DragGuidance._loss

    def noted(*arguments):
        losses.append(loss(*arguments))
        return losses[-1]

    monkeypatch.setattr(DragGuidance, '_loss', noted)
    guidance = replace(model.profiles[profile], iterations_per_segment=6, max_segments=1,
                       frequency=FrequencySelectionConfig(cutoffs=(None,)))
    stream = DragStream(model, guidance, StreamConfig(control='guidance'))
    stream.reset(PIXELS, [i * PERIOD_NS for i in range(5)])
    stream.push_drag(drag())
    assert next_chunk(stream).tracks_px.shape == (1, 12, 2)
    assert len(losses) == 6 and losses[-1] < losses[0]


def test_a_drag_is_guided_also_where_the_parameter_asks_for_a_model_that_follows(model) -> None:
    stream = started(model, control='conditioned')
    plain = next_chunk(stream)
    stream.push_drag(drag())
    assert not np.array_equal(next_chunk(stream).frames, plain.frames)


def test_an_edit_redoes_the_newest_chunk_and_a_release_lets_the_stream_go_on(model) -> None:
    stream = started(model, mode='free_running', control='guidance')
    first = next_chunk(stream)
    stream.push_drag(drag(DragMode.EDIT))
    edited, after = next_chunk(stream), next_chunk(stream)
    assert edited.chunk_index == 0 and after.chunk_index == 1 and after.drag_id == ''
    assert not np.array_equal(edited.frames, first.frames)


def test_same_seed_same_bytes(model) -> None:
    def run() -> bytes:
        stream = started(model, control='guidance')
        stream.push_drag(drag())
        return next_chunk(stream).frames.tobytes()

    assert run() == run()


def test_a_branch_shares_the_past_and_leaves_the_live_context_as_it_was(model) -> None:
    stream = started(model, control='guidance', horizon_secs=2.0)
    live = stream._past.context
    before = [(page.keys.clone(), page.values.clone()) for page in live.pages]
    branch = stream.branch()
    branch.push_drag(drag())
    next_chunk(branch), next_chunk(branch)
    dragged = branch._rollout.context
    assert dragged.pages[-1] is not live.pages[-1]
    if model.name == 'self_forcing':        # the other remembers anew what it sees otherwise
        assert dragged.pages[0] is live.pages[0]
    assert stream._past.context is live
    for page, (keys, values) in zip(live.pages, before, strict=True):
        assert torch.equal(page.keys, keys) and torch.equal(page.values, values)


def test_only_the_live_past_remembers_where_the_encoder_stands(model) -> None:
    """It is a gigabyte in the published model."""
    stream = started(model, control='guidance', horizon_secs=2.0)
    stream.push_drag(drag())
    next_chunk(stream)
    rollout, live = stream._rollout, stream._past.context
    assert live.encoder is not None and live.decoder is not None
    assert rollout.context.encoder is rollout.newest.conditions.context.encoder is None
    assert rollout.context.decoder is not None
    for _, context, _ in stream._past._recent:
        assert context.encoder is context.decoder is None and context.pages is not None
    assert rollout.reference.conditions.context.encoder is None


def test_a_lighter_model_has_a_shorter_window_and_the_same_weights(model) -> None:
    light = model.lighter(0.5)
    assert light.given_up == 'window 9 -> 6' and light.config.sink == 2
    assert light.wan.transformer is model.wan.transformer and light.lighter(0.5) is None
    stream = started(light, mode='free_running')
    for _ in range(3):
        next_chunk(stream)
    assert len(stream._rollout.context.pages) == 3 and model.config.window == 9


def test_the_prediction_after_a_branch_is_what_it_would_have_been(model) -> None:
    expected = next_chunk(started(model))
    stream = started(model)
    branch = stream.branch()
    branch.push_drag(drag())
    next_chunk(branch)
    assert np.array_equal(next_chunk(stream).frames, expected.frames)


def test_memory_stays_the_same_while_the_stream_lives_on_its_own_frames(model) -> None:
    stream, sizes = started(model, mode='free_running'), []
    for _ in range(5):
        next_chunk(stream)
        sizes.append(stream.context_bytes)
    pages = stream._rollout.context.pages
    assert len(pages) == model.config.window - 3
    if model.name == 'self_forcing':        # the other's sink are far pages, and it has none here
        assert pages[:3] == stream._past.context.pages[:3]
    assert sizes[0] > 0 and len(set(sizes[1:])) == 1


@pytest.mark.parametrize('sigmas', [[1.0, 0.5], [1.0]])
def test_a_frame_wise_model_of_one_or_two_steps_is_a_matter_of_configuration(
        tmp_path, kind, sigmas) -> None:
    model = load_tiny_wan(tmp_path, kind, latents_per_chunk=1, sigmas=sigmas, window=5, sink=1,
                          guided_step=0)
    stream = started(model, control='guidance', horizon_secs=0.5)
    stream.push_drag(drag())
    chunks = [next_chunk(stream), next_chunk(stream)]
    assert [len(chunk.frames) for chunk in chunks] == [4, 4] and chunks[1].last


def test_an_upright_picture_of_another_size_is_a_matter_of_configuration(tmp_path, kind) -> None:
    model = load_tiny_wan(tmp_path, kind, image_size=(32, 96))
    stream = DragStream(model)
    stream.observe(np.zeros((96, 32, 3), np.uint8), 0)
    assert next_chunk(stream).frames.shape == (12, 96, 32, 3)


def test_a_whole_clip_goes_there_and_back(model) -> None:
    latents = model.encode(PIXELS)
    assert latents.shape == (2, 16, SIZE[1] // 8, SIZE[0] // 8)
    assert model.decode(latents).shape == PIXELS.shape


@pytest.mark.parametrize('profile', ['code', 'fast', 'paper'])
def test_everything_that_is_computed_stays_on_the_models_device(
        tmp_path, monkeypatch, kind, profile) -> None:
    # The device without numbers stands in for a GPU: it too refuses what is elsewhere.
    model = load_tiny_wan(tmp_path, kind, device=torch.device('meta'), dtype=torch.bfloat16)
    monkeypatch.setattr('dragstream_ros.world_models.wan.side_stream.PendingFrames.__array__',
                        lambda *_: np.zeros((12, *SIZE[::-1], 3), np.uint8))
    monkeypatch.setattr('dragstream_ros.core.stream.latent_drift', lambda *_: 0.0)
    monkeypatch.setattr('dragstream_ros.core.region.gaussian',
                        lambda mask, **_: torch.zeros(mask.shape, device=mask.device))
    stream = started(model, profile, control='guidance')
    stream.push_drag(replace(drag(), frozen=np.ones(SIZE[::-1], bool)))
    next_chunk(stream)
    page, (neighbour, *_) = stream._rollout.context.pages[-1], stream._rollout.neighbours
    assert page.keys.is_meta and page.keys.dtype == torch.bfloat16
    assert neighbour.is_meta and neighbour.dtype == torch.float32
