"""What the worker makes of frames and drags; no process, no pipe."""

from __future__ import annotations

import numpy as np
import pytest
from session_maker import (
    CAMERA_SIZE,
    NS,
    TEXTURE,
    codes,
    drag,
    frames,
    make_session,
    push,
    run,
)

from dragstream_ros.core.drag import DragHandle, DragMode
from dragstream_ros.errors import ErrorCode
from dragstream_ros.worker.protocol import (
    CancelDrag,
    Chunk,
    EndDrag,
    PushDrag,
    Reset,
    Retune,
    StreamSettings,
)

pytest_plugins = 'session_maker'


def test_nothing_is_predicted_before_the_first_frame(session):
    assert session.step() == []


def test_a_horizon_is_predicted_from_the_newest_frame(session):
    session.feed(frames(0.0, 0.1))
    chunks = run(session)
    assert [chunk.chunk_index for chunk in chunks] == [0, 1, 2]
    assert [chunk.last for chunk in chunks] == [False, False, True]
    assert {chunk.source_stamp_ns for chunk in chunks} == {NS // 10}
    assert chunks[0].source_arrival_ns == NS // 10 + 7


def test_predicted_frames_have_no_letterbox_bars(session):
    session.feed(frames(0.0))
    chunk = session.step()[0]
    assert chunk.frames.shape == (4, 48, 64, 3)
    assert chunk.camera_size == CAMERA_SIZE


def test_a_drag_in_camera_pixels_moves_the_picture_in_model_pixels(session):
    session.feed(frames(0.0))
    assert push(session, drag((40, 40), (80, 40))) == []
    chunk = session.step()[0]
    assert chunk.drag_id == 'a'
    # 40 px in a second, at half the size, in steps of 0.1 s
    moved = chunk.tracks_px[0, :, 0] - (40.5 / 2 - 0.5)
    assert np.allclose(moved, [2, 4, 6, 8], atol=0.01)
    assert np.array_equal(chunk.frames[1][:, 4:], session_source(session)[:, :-4])


def session_source(session) -> np.ndarray:
    session.handle(CancelDrag(drag_id='a'))
    return session.step()[0].frames[0]


def test_the_outline_of_what_is_held_moves_as_it_is_asked_to(session):
    session.feed(frames(0.0))
    mask = np.zeros(CAMERA_SIZE[::-1], bool)
    mask[32:48, 24:56] = True
    push(session, drag(handles=(
        DragHandle(path_px=np.array([(40.0, 40.0), (80.0, 40.0)]), mask=mask),)))
    for chunk in run(session):
        for frame, outlines in enumerate(chunk.outlines_px):
            (outline,) = outlines
            middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
            grabbed = np.array([39.5, 39.5]) - (40.0, 40.0)  # from handle to middle, camera pixels
            assert middle == pytest.approx(chunk.tracks_px[0, frame] + grabbed / 2, abs=0.6)
            assert np.ptp(outline, axis=0) == pytest.approx((15, 7), abs=1)
    session.handle(CancelDrag(drag_id='a'))
    assert not any(run(session)[0].outlines_px)


def test_a_handle_is_followed_to_the_anchor(session):
    moved = np.roll(TEXTURE, (0, 6), axis=(0, 1))
    history = [*frames(0.0), *frames(0.1, image=moved)]
    session.feed(history)
    push(session, drag((64, 48), (84, 48), t_secs=0.0))
    chunk = session.step()[0]
    assert abs(chunk.tracks_px[0, 0, 0] - (70.5 / 2 - 0.5 + 0.7)) < 0.3  # starts 6 px further right


def hold_on(session, *, secs: float, shift_px: int = 0) -> None:
    """Film for a while, with the picture sliding to the right, and predict."""
    session.feed(kept := frames(0.0))
    push(session, drag((64, 48), (64, 40)))
    for t in np.arange(0.1, secs + 0.01, 0.1):
        shifted = np.roll(TEXTURE, (0, round(shift_px * t / secs)), axis=(0, 1))
        kept = [frame for frame in kept if frame.stamp_ns > (t - 2.0) * NS]
        session.feed(kept := [*kept, *frames(t, image=shifted)])
        run(session)


def test_an_operator_may_hold_on_for_longer_than_images_are_kept(session):
    hold_on(session, secs=4.0, shift_px=20)
    assert push(session, drag((64, 48), (84, 48))) == []
    chunk = run(session)[0]
    assert abs(chunk.tracks_px[0, 0, 0] - (84.5 / 2 - 0.5)) < 0.5  # it is there already


def test_a_handle_may_be_added_to_a_drag_on_the_image_it_began_on(session):
    hold_on(session, secs=4.0, shift_px=6)
    both = drag((64, 48), (84, 48)).handles + drag((30, 30), (30, 50)).handles
    assert push(session, drag(handles=both)) == []
    chunk = run(session)[0]
    assert abs(chunk.tracks_px[1, 0, 0] - (36.5 / 2 - 0.5)) < 0.5


def test_an_old_image_is_stale_for_another_drag(session):
    hold_on(session, secs=4.0)
    assert codes(push(session, drag((64, 48), (84, 48), drag_id='b'))) == [ErrorCode.DRAG_STALE]


def test_a_drag_is_released_only_by_its_own_id(session):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (80, 40)))
    session.handle(CancelDrag(drag_id='b'))
    assert session.step()[0].drag_id == 'a'
    session.handle(CancelDrag(drag_id='a'))
    assert session.step()[0].drag_id == ''


def test_a_drag_that_is_cancelled_is_gone_at_once(session):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (80, 40)))
    session.step()
    session.handle(CancelDrag(drag_id='a'))
    assert session.step()[0].drag_id == ''


def test_a_drag_that_has_ended_is_shown_to_its_end_first(session, clock):
    session.feed(frames(0.0, 0.1))
    push(session, drag((40, 40), (80, 40)))
    session.step()
    session.handle(EndDrag(drag_id='a'))
    assert [chunk.last for chunk in run(session)] == [False, True]
    session.feed(frames(0.6))
    assert session.step() == []
    clock.now += 1.1
    session.feed(frames(0.7))
    assert session.step() == []
    clock.now += 0.2
    assert session.step()[0].drag_id == ''


def test_a_drag_that_begins_and_ends_at_once_is_shown_once(session, clock):
    session.feed(frames(0.0))
    run(session)
    clock.now += 3.0
    session.feed(frames(0.0, 0.1))
    push(session, drag((40, 40), (80, 40)))
    session.handle(EndDrag(drag_id='a'))
    assert [chunk.drag_id for chunk in run(session)] == ['a', 'a', 'a']
    clock.now += 3.0
    session.feed(frames(0.0, 0.1, 0.6))
    assert session.step()[0].drag_id == ''


def test_a_drag_that_ends_with_a_new_path_is_over_when_that_was_shown(session, clock):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (60, 40)))
    session.step()
    push(session, drag((40, 40), (80, 40)))
    session.handle(EndDrag(drag_id='a'))
    assert [chunk.drag_id for chunk in run(session)] == 5 * ['a']  # what is left, then the new path
    clock.now += 3.0
    session.feed(frames(0.0, 0.6))
    assert session.step()[0].drag_id == ''


def test_a_new_path_of_a_drag_waits_until_the_running_prediction_is_complete(session):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (80, 40)))
    first = session.step()[0]
    push(session, drag((40, 40), (20, 40)))
    rest = run(session)
    assert [chunk.anchor - first.anchor for chunk in rest] == [0, 0, 1, 1, 1]
    assert rest[-1].tracks_px[0, 0, 0] < first.tracks_px[0, 0, 0]


def test_another_drag_replaces_the_running_prediction_at_once(session):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (80, 40)))
    session.step()
    push(session, drag((40, 40), (80, 40), drag_id='b'))
    assert session.step()[0].drag_id == 'b'


def test_a_free_running_stream_stays_one_chunk_ahead_of_the_clock(clock):
    session = make_session(clock, mode='free_running')
    session.feed(frames(0.0))
    assert len(run(session)) == 2
    clock.now += 0.39
    assert run(session) == []
    clock.now += 0.02
    assert len(run(session)) == 1


@pytest.mark.parametrize(('command', 'code'), [
    (drag((40, 40), (80, 40), t_secs=-3.0), ErrorCode.DRAG_STALE),
    (drag((40, 40), (80, 40), t_secs=9.0), ErrorCode.DRAG_STALE),
    (drag((40, 40), (80, 40), image_size=(640, 480)), ErrorCode.DRAG_WRONG_SIZE),
    (drag((40, 40), (300, 40)), ErrorCode.DRAG_PATH_LEAVES_IMAGE),
])
def test_a_bad_drag_is_told_and_the_next_one_served(session, command, code):
    session.feed(frames(0.0))
    problems = push(session, command)
    assert codes(problems) == [code] and problems[0].drag_id == 'a'
    assert push(session, drag((40, 40), (80, 40), drag_id='good')) == []
    assert session.step()[0].drag_id == 'good'


def test_a_drag_before_the_first_image_is_told(session):
    assert codes(push(session, drag((40, 40), (80, 40)))) == [ErrorCode.DRAG_BEFORE_FIRST_IMAGE]


def test_a_lost_drag_is_told_once_and_the_prediction_goes_on(session):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (80, 40), drag_id='lost'))
    events = run(session)
    assert codes(events) == [ErrorCode.DRAG_LOST]
    assert [event.drag_id for event in events if isinstance(event, Chunk)] == ['', '', '']


@pytest.mark.parametrize(('mode', 'settings'), [
    (DragMode.EDIT, {}), (DragMode.ANIMATE, {'mode': 'free_running'})])
def test_what_is_predicted_may_be_dragged_on_a_predicted_image(mode, settings):
    session = make_session(**settings)
    session.feed(frames(99.0))
    command = drag((20, 20), (30, 20), image_size=(64, 48), mode=mode)  # of long ago
    assert push(session, command) == []
    chunk = session.step()[0]
    assert chunk.drag_id == 'a' and chunk.tracks_px[0, 0].tolist() == [21, 20]


def test_a_changed_image_size_starts_a_new_epoch_and_is_told(session):
    session.feed(frames(0.0))
    before = run(session)[-1]
    events = session.feed(frames(0.1, image=TEXTURE[:64]))
    assert codes(events) == [ErrorCode.IMAGE_SIZE_CHANGED]
    after = session.step()[0]
    assert after.epoch > before.epoch and after.frames.shape[1:3] == (32, 64)


def test_a_new_generation_of_frames_starts_over_without_a_word(session):
    session.feed(frames(5.0))
    before = run(session)[-1]
    push(session, drag((40, 40), (80, 40), t_secs=5.0))
    assert session.feed(frames(1.0, generation=1)) == []
    after = session.step()[0]
    assert (after.generation, after.drag_id) == (1, '')
    assert after.epoch > before.epoch and after.source_stamp_ns == NS


def test_frames_and_drags_of_an_older_generation_are_ignored(session):
    session.feed(frames(0.0))
    session.handle(Reset(generation=1))
    assert session.feed(frames(0.1)) == [] and session.step() == []
    session.feed(frames(0.2, generation=1))
    assert push(session, drag((40, 40), (80, 40), t_secs=-9), generation=0) == []


def test_a_drag_outlives_a_hole_in_the_camera_stream(session):
    session.feed(frames(0.0))
    push(session, drag((40, 40), (80, 40)))
    run(session)
    session.feed(frames(1.8))
    assert session.step()[0].drag_id == 'a'


def test_a_drag_right_after_new_settings_is_served_before_another_image_comes(session):
    session.feed(frames(0.0, 0.1))
    session.handle(Retune(settings=StreamSettings(horizon_secs=0.8)))
    pushed = PushDrag(command=drag((60, 40), (80, 40), t_secs=0.1), generation=0)
    assert session.handle(pushed) == []
    assert session.step()[0].drag_id == 'a'


def test_other_settings_apply_from_the_next_chunk_on(session):
    session.feed(frames(0.0))
    assert len(run(session)) == 3
    session.handle(Retune(settings=StreamSettings(horizon_secs=0.4)))
    session.feed(frames(0.0))
    assert len(run(session)) == 1


def test_epochs_go_on_where_the_last_worker_stopped():
    session = make_session(first_epoch=5)
    session.feed(frames(0.0))
    assert session.step()[0].epoch == 5
