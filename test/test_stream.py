"""The five verbs of the streaming predictor, on an untrained model: order, time, seeds, limits."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.core.drag_guidance import DragGuidance, DragGuidanceConfig
from dragstream_ros.core.stream import LONGEST_GAP_SECS, DragStream, PredictedChunk, StreamConfig
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.session import HOLE_SECS
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

PERIOD_NS = 100_000_000
QUICK = replace(DragGuidanceConfig.profile('fast'), iterations_per_segment=1, max_segments=1)


@pytest.fixture(scope='module')
def model() -> TabletopWorldModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # Noise would be strange to one that knows tables, and stand.
    model = TabletopWorldModel(bare_table=None, whole_thing=None).eval().requires_grad_(False)
    torch.nn.init.normal_(model.dynamics.conv_out.weight, std=0.05)
    return model


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 128, 128, 3)).astype(np.uint8)


def started(model: TabletopWorldModel, **config: object) -> DragStream:
    stream = DragStream(model, QUICK, StreamConfig(**config))  # type: ignore[arg-type]
    stream.reset(pictures(6), [i * PERIOD_NS for i in range(6)])
    return stream


def drag(*path: tuple[float, float], mode: DragMode = DragMode.ANIMATE, **handle: object,
         ) -> DragCommand:
    return DragCommand(
        drag_id='d', operator_id='o', mode=mode, image_size=(128, 128), stamp_ns=5 * PERIOD_NS,
        handles=(DragHandle(path_px=np.array(path, float), **handle),))  # type: ignore[arg-type]


def drained(stream: DragStream) -> list[PredictedChunk]:
    chunks = []
    while (chunk := stream.step()) is not None:
        chunks.append(chunk)
    return chunks


def test_nothing_is_predicted_before_the_first_frame(model) -> None:
    assert DragStream(model).step() is None


def test_an_anchor_is_predicted_up_to_the_horizon_and_then_input_is_awaited(model) -> None:
    chunks = drained(started(model, horizon_secs=1.0))
    assert [c.chunk_index for c in chunks] == [0, 1]
    assert [c.last for c in chunks] == [False, True]
    offsets = np.concatenate([c.offsets_secs for c in chunks])
    assert offsets == pytest.approx(0.1 * np.arange(1, 11))
    assert {c.source_stamp_ns for c in chunks} == {5 * PERIOD_NS}


def test_the_next_anchor_is_taken_when_its_time_has_come(model) -> None:
    stream = started(model, anchor_rate_hz=2.0)
    first = drained(stream)[-1]
    for i in range(6, 10):
        stream.observe(pictures(1)[0], i * PERIOD_NS)
    assert stream.step() is None
    stream.observe(pictures(1)[0], 10 * PERIOD_NS)
    chunk = stream.step()
    assert chunk is not None and chunk.anchor == first.anchor + 1 and chunk.epoch == first.epoch
    assert chunk.source_stamp_ns == 10 * PERIOD_NS


def test_a_fast_camera_is_resampled_to_the_models_frame_period(model) -> None:
    stream = DragStream(model)
    taken = [stream.observe(pictures(1)[0], round(i * 1e9 / 30)) for i in range(10)]
    assert taken == [True, False, False] * 3 + [True]


def test_the_worker_takes_the_same_gap_for_a_new_start_as_the_stream() -> None:
    assert HOLE_SECS == LONGEST_GAP_SECS


@pytest.mark.parametrize('jump_ns', [-PERIOD_NS, 20 * PERIOD_NS])
def test_a_clock_that_jumps_starts_a_new_epoch(model, jump_ns) -> None:
    stream = started(model)
    before = drained(stream)[-1]
    stream.observe(pictures(1)[0], 5 * PERIOD_NS + jump_ns)
    chunk = stream.step()
    assert chunk is not None and chunk.epoch == before.epoch + 1


def test_a_drag_starts_a_new_anchor_at_once_and_says_where_its_handle_shall_be(model) -> None:
    stream = started(model)
    drained(stream)
    stream.push_drag(drag((40, 40), (60, 50)))
    chunks = drained(stream)
    assert [c.drag_id for c in chunks] == ['d', 'd']
    assert chunks[1].tracks_px[0, 0] == pytest.approx([52, 46])        # 0.6 s of 1 s
    assert chunks[1].tracks_px[0, -1] == pytest.approx([60, 50])


def test_a_drag_changes_the_prediction_and_a_release_brings_the_old_one_back(model) -> None:
    stream = started(model)
    plain = drained(stream)[0]
    stream.push_drag(drag((40, 40), (80, 60)))
    dragged = drained(stream)[0]
    stream.release()
    released = stream.step()
    assert not np.array_equal(plain.frames, dragged.frames)
    assert released is not None and released.drag_id == ''
    assert np.array_equal(released.frames, plain.frames)


def test_a_drag_below_half_a_pixel_does_nothing(model) -> None:
    stream = started(model)
    drained(stream)
    stream.push_drag(drag((40, 40), (40.3, 40)))
    assert stream.step() is None


def test_a_drag_that_makes_no_sense_is_refused_and_the_stream_goes_on(model) -> None:
    stream = started(model)
    with pytest.raises(DragStreamError) as error:
        stream.push_drag(drag((500, 40), (60, 40)))
    assert error.value.code == ErrorCode.DRAG_OUTSIDE_IMAGE
    assert stream.step() is not None


@pytest.mark.parametrize('control', ['conditioned', 'guidance'])
def test_an_edit_redoes_the_newest_chunk_and_adds_none(model, control) -> None:
    stream = started(model, control=control, mode='free_running')
    chunks = [stream.step(), stream.step()]
    stream.push_drag(drag((40, 40), (60, 40), mode=DragMode.EDIT))
    edited, after = stream.step(), stream.step()
    assert edited is not None and after is not None and chunks[1] is not None
    assert edited.chunk_index == 1 and after.chunk_index == 2
    assert not np.array_equal(edited.frames, chunks[1].frames)
    assert after.drag_id == ''


@pytest.mark.parametrize('control', ['conditioned', 'guidance', 'refined'])
def test_same_seed_same_bytes(model, control) -> None:
    def run() -> bytes:
        stream = started(model, control=control)
        stream.push_drag(drag((40, 40), (60, 50)))
        return b''.join(c.frames.tobytes() for c in drained(stream))

    assert run() == run()


def test_refined_is_told_of_the_drag_and_optimised(model) -> None:
    def first(control: str) -> PredictedChunk:
        stream = started(model, control=control)
        stream.push_drag(drag((40, 40), (60, 50)))
        return drained(stream)[0]

    refined = first('refined')
    assert 'guide' in refined.timings_secs
    for other in ('conditioned', 'guidance'):
        assert not np.array_equal(refined.frames, first(other).frames)


def test_a_turn_moves_the_handle_around_its_centre_to_where_it_is_dragged(model) -> None:
    stream = started(model)
    stream.push_drag(drag((64, 44), (84, 64), operation=Operation.ROTATE,
                          centre_px=np.array([64.0, 64.0])))
    end = drained(stream)[-1].tracks_px[0, -1]
    # Around a quarter of a circle in the picture, which on this model's table is an ellipse about
    # a point below the one that was said.
    assert end == pytest.approx([84, 64], abs=0.5)


def test_several_handles_each_stop_at_the_end_of_their_own_path(model) -> None:
    stream = started(model)
    command = drag((20, 20), (40, 20))
    command = replace(command, handles=(
        replace(command.handles[0], times_secs=np.array([0.0, 0.2])),
        DragHandle(path_px=np.array([[90.0, 90.0], [90.0, 60.0]]))))
    stream.push_drag(command)
    first = drained(stream)[0]
    assert first.tracks_px[0, 1:] == pytest.approx(np.array([[40, 20]] * 4))
    assert first.tracks_px[1, -1] == pytest.approx([90, 75])


@pytest.mark.parametrize('mode', ['anchored', 'free_running'])
def test_what_was_dragged_rests_at_the_end_of_its_path_for_a_chunk(model, mode) -> None:
    stream = started(model, mode=mode, horizon_secs=2.0)
    stream.push_drag(replace(drag((40, 40), (60, 40)), duration_secs=0.5))
    chunks = [stream.step() for _ in range(3)]
    assert [chunk.drag_id for chunk in chunks] == ['d', 'd', '']
    assert chunks[1].tracks_px[0].tolist() == [[60.0, 40.0]] * 5


def test_following_a_drag_goes_on_along_its_path_by_the_clock(model) -> None:
    stream = started(model, replay='follow')
    stream.push_drag(drag((40, 40), (60, 40)))
    drained(stream)
    for i in range(6, 11):
        stream.observe(pictures(1)[0], i * PERIOD_NS)
    chunk = stream.step()
    assert chunk is not None and chunk.source_stamp_ns == 10 * PERIOD_NS
    assert chunk.tracks_px[0, 0] == pytest.approx([52, 40])             # 0.5 s and 0.1 s on


def test_a_preview_asks_where_the_handle_is_at_every_anchor(model) -> None:
    asked = []

    def locate(command: DragCommand, stamp_ns: int) -> DragCommand:
        asked.append(stamp_ns)
        return command

    stream = DragStream(model, QUICK, StreamConfig(), locate)
    stream.reset(pictures(6), [i * PERIOD_NS for i in range(6)])
    stream.push_drag(drag((40, 40), (60, 40)))
    drained(stream)
    for i in range(6, 11):
        stream.observe(pictures(1)[0], i * PERIOD_NS)
    drained(stream)
    assert asked == [5 * PERIOD_NS, 10 * PERIOD_NS]


def test_a_chunk_says_what_is_held_and_how_far_it_is_asked_to_have_moved(model) -> None:
    def square(picture: np.ndarray, point_px: np.ndarray) -> np.ndarray:
        region = np.zeros(picture.shape[:2], bool)
        region[30:50, 30:50] = True
        return region

    stream = DragStream(model, QUICK, StreamConfig(), grow=square)
    stream.reset(pictures(6), [i * PERIOD_NS for i in range(6)])
    assert drained(stream)[0].regions == ()
    stream.push_drag(drag((40, 40), (60, 40)))
    stream.observe(pictures(1)[0], 6 * PERIOD_NS)
    for chunk in drained(stream):
        (region,) = chunk.regions
        assert region is not None and region.sum() == 400
        moved = np.array([pose.apply(np.array([40.0, 40.0])) for (pose,) in chunk.poses])
        assert moved == pytest.approx(chunk.tracks_px[0], abs=1e-4)


@pytest.mark.parametrize(('profile', 'grows'), [('fast', True), ('code', False)])
def test_what_comes_nearer_grows_but_not_by_the_published_methods(model, profile, grows) -> None:
    guidance = replace(DragGuidanceConfig.profile(profile), iterations_per_segment=1,
                       max_segments=1)
    stream = DragStream(model, guidance, StreamConfig(control='guidance'))
    stream.reset(pictures(6), [i * PERIOD_NS for i in range(6)])
    stream.push_drag(drag((40, 20), (40, 100), radius_px=8.0))
    (last,) = drained(stream)[-1].poses[-1]
    horizon_px = model.table_view.horizon * 128
    expected = (100.5 - horizon_px) / (20.5 - horizon_px)
    assert last.scale == (pytest.approx(expected) if grows else 1.0)


def test_a_branch_predicts_the_same_past_and_leaves_the_stream_alone(model) -> None:
    stream = started(model)
    expected = drained(started(model))
    branch = stream.branch(horizon_secs=0.5)
    branch.push_drag(drag((40, 40), (80, 80)))
    assert [c.last for c in drained(branch)] == [True]
    assert all(np.array_equal(a.frames, b.frames)
               for a, b in zip(drained(stream), expected, strict=True))


def test_the_live_context_is_bit_identical_after_a_guided_drag(model) -> None:
    stream = started(model, control='guidance')
    keys = torch.stack(stream._past.context.keys)
    stream.push_drag(drag((40, 40), (60, 40)))
    drained(stream)
    assert torch.equal(torch.stack(stream._past.context.keys), keys)


def test_an_optimisation_that_is_broken_off_leaves_no_trace(model, monkeypatch) -> None:
    def broken_off(*arguments: object) -> torch.Tensor:
        raise KeyboardInterrupt

    expected = drained(started(model, control='guidance'))
    stream = started(model, control='guidance')
    stream.push_drag(drag((40, 40), (60, 40)))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DragGuidance, '_updated', broken_off)
        stream.step()
    stream.release()
    for one, other in zip(drained(stream), expected, strict=True):
        assert np.array_equal(one.frames, other.frames)


@pytest.mark.parametrize(('profile', 'knows'), [('fast', True), ('code', False)])
def test_what_the_model_knows_of_things_is_not_asked_by_the_published_methods(
        model, monkeypatch, profile, knows) -> None:
    asked = []
    monkeypatch.setattr(model, 'grasp', lambda context, frame, command, grow: (
        asked.append(command) or (context, frame, command)))
    guidance = replace(DragGuidanceConfig.profile(profile), iterations_per_segment=1,
                       max_segments=1)
    stream = DragStream(model, guidance, StreamConfig(control='guidance'),
                        grow=lambda picture, *_: np.ones(picture.shape[:2], bool))
    stream.reset(pictures(6), [i * PERIOD_NS for i in range(6)])
    stream.push_drag(drag((40, 40), (60, 40)))
    assert stream.step() is not None
    assert bool(asked) == knows
