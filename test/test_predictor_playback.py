"""The pace at which predicted frames are shown; nothing sleeps."""

from __future__ import annotations

import numpy as np
import pytest

from dragstream_ros.nodes.playback import Playback, due_secs
from dragstream_ros.worker.protocol import Chunk

PERIOD = 0.1


def chunk(*, anchor: int = 0, chunk_index: int = 0, epoch: int = 0, drag_id: str = '') -> Chunk:
    return Chunk(
        frames=np.zeros((4, 2, 2, 3), np.uint8), offsets_secs=np.arange(4.0),
        confidence=np.ones(4), tracks_px=np.zeros((0, 4, 2)), drift=0.0, generation=0, epoch=epoch,
        anchor=anchor, chunk_index=chunk_index, last=False, drag_id=drag_id, camera_size=(2, 2),
        source_stamp_ns=0, source_arrival_ns=0, sent_ns=0)


@pytest.fixture
def playback() -> Playback:
    return Playback(PERIOD)


def play(playback: Playback, *, until: float) -> list[tuple[float, int, int, int]]:
    """(time, anchor, chunk, index) of what is shown by someone who comes exactly when it is due."""
    shown = []
    while (due := playback.next_due_secs()) is not None and due <= until + 1e-9:
        frame = playback.take(due)
        assert frame is not None
        shown.append((round(due, 6), frame.chunk.anchor, frame.chunk.chunk_index, frame.index))
    return shown


def test_a_frame_is_due_a_period_after_the_last_but_not_before_it_came():
    assert due_secs(None, PERIOD, 5.0) == 5.0
    assert due_secs(4.95, PERIOD, 5.0) == pytest.approx(5.05)
    assert due_secs(3.0, PERIOD, 5.0) == 5.0


def test_nothing_is_due_while_nothing_waits(playback):
    assert playback.next_due_secs() is None and playback.take(1.0) is None


def test_a_chunk_is_shown_at_once_and_then_frame_by_frame(playback):
    playback.offer(chunk(), 1.0)
    assert playback.take(0.99) is None
    assert play(playback, until=9.0) == [
        (1.0, 0, 0, 0), (1.1, 0, 0, 1), (1.2, 0, 0, 2), (1.3, 0, 0, 3)]


def test_the_next_chunk_goes_on_without_a_gap(playback):
    playback.offer(chunk(), 1.0)
    playback.offer(chunk(chunk_index=1), 1.02)
    assert play(playback, until=9.0)[4:6] == [(1.4, 0, 1, 0), (1.5, 0, 1, 1)]


def test_a_new_anchor_replaces_what_is_left_and_keeps_the_pace(playback):
    playback.offer(chunk(), 1.0)
    assert len(play(playback, until=1.1)) == 2
    assert playback.offer(chunk(anchor=1), 1.15) == 2
    assert play(playback, until=1.3) == [(1.2, 1, 0, 0), (1.3, 1, 0, 1)]


def test_a_new_drag_is_shown_at_once(playback):
    playback.offer(chunk(), 1.0)
    play(playback, until=1.1)
    playback.offer(chunk(anchor=1, drag_id='a'), 1.15)
    assert play(playback, until=1.3) == [(1.15, 1, 0, 0), (1.25, 1, 0, 1)]


def test_an_edited_chunk_replaces_its_first_version(playback):
    playback.offer(chunk(), 1.0)
    playback.offer(chunk(chunk_index=1), 1.0)
    play(playback, until=1.1)
    assert playback.offer(chunk(chunk_index=1, drag_id='a'), 1.15) == 4
    assert [frame[2:] for frame in play(playback, until=9.0)] == [
        (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]


def test_a_chunk_that_comes_too_late_is_shown_when_it_comes(playback):
    playback.offer(chunk(), 1.0)
    play(playback, until=2.0)
    playback.offer(chunk(chunk_index=1), 5.0)
    assert play(playback, until=5.1) == [(5.0, 0, 1, 0), (5.1, 0, 1, 1)]


def test_small_delays_do_not_add_up_and_long_ones_are_not_caught_up(playback):
    playback.offer(chunk(), 1.0)
    playback.take(1.03)
    assert playback.next_due_secs() == pytest.approx(1.1)
    playback.take(3.0)
    assert playback.next_due_secs() == pytest.approx(3.1)


def test_frames_of_a_cancelled_drag_are_not_shown(playback):
    playback.offer(chunk(drag_id='a'), 1.0)
    playback.take(1.0)
    assert playback.drop_drag('b') == 0
    assert playback.drop_drag('a') == 3
    assert playback.next_due_secs() is None


def test_after_a_reset_nothing_waits_and_the_pace_starts_anew(playback):
    playback.offer(chunk(), 100.0)
    playback.take(100.0)
    playback.clear()
    assert playback.next_due_secs() is None
    playback.offer(chunk(epoch=1), 1.0)
    assert playback.next_due_secs() == 1.0
