"""What the worker makes of goals, beside the live prediction; no process, no pipe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from session_maker import (
    CAMERA_SIZE,
    TEXTURE,
    Clock,
    codes,
    drag,
    frames,
    make_session,
    run,
)
from stub_world_model import StubStream

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.lanes import Lanes
from dragstream_ros.planning.score import score_future
from dragstream_ros.worker.goal_queue import MOST_GOALS
from dragstream_ros.worker.protocol import (
    ANY_SIZE,
    CancelGoal,
    Chunk,
    GoalDone,
    GoalProgress,
    StartGoal,
)
from dragstream_ros.worker.session import PredictionSession
from dragstream_ros.worker.turns import USED

pytest_plugins = 'session_maker'
TO_THE_RIGHT = drag((40, 40), (80, 40))


def start_goal(session: PredictionSession, *candidates: DragCommand | None,
               horizon_secs: float = 0.8, goal_id: int = 1, **fields) -> list:
    return session.handle(StartGoal(
        goal_id=goal_id, candidates=candidates or (None,), horizon_secs=horizon_secs,
        generation=0, **fields))


def of(kind: type, events: list) -> list:
    return [event for event in events if isinstance(event, kind)]


def futures(events: list) -> list:
    return [future for event in of(GoalProgress, events) for future in event.futures]


def test_a_goal_is_predicted_between_live_chunks(session):
    session.feed(frames(0.0))
    start_goal(session, TO_THE_RIGHT)
    events = run(session)
    kinds = [type(event) for event in events]
    assert kinds[:2] == [Chunk, GoalProgress]
    assert [event.progress for event in of(GoalProgress, events)] == [0.5, 1.0]
    assert {event.drag_id for event in of(Chunk, events)} == {''}
    assert codes(events) == [ErrorCode.OK]
    future, = futures(events)
    assert future.chunk.drag_id == 'a' and future.chunk.last
    assert len(future.chunk.frames) == len(future.chunk.offsets_secs) == 8
    assert future.chunk.tracks_px.shape == (1, 8, 2)


def test_every_candidate_has_a_future_from_the_same_instant(session):
    session.feed(frames(0.0))
    start_goal(session, TO_THE_RIGHT, None, drag((40, 40), (40, 60), drag_id='down'))
    session.feed(frames(0.0, 0.1))
    found = futures(run(session))
    assert [future.candidate for future in found] == [0, 1, 2]
    assert [future.chunk.drag_id for future in found] == ['a', '', 'down']
    assert {future.chunk.source_stamp_ns for future in found} == {0}
    assert not np.array_equal(found[0].chunk.frames, found[2].chunk.frames)


def test_candidates_side_by_side_are_those_one_after_the_other(clock):
    one, two = make_session(clock), make_session(clock, lanes=Lanes(2))
    found = []
    for session in (one, two):
        session.feed(frames(0.0))
        start_goal(session, *(drag((40, 40), (40 + 4 * i, 44)) for i in range(5)))
        found.append(futures(run(session)))
    assert [future.candidate for future in found[1]] == [0, 1, 2, 3, 4]
    for left, right in zip(*found):
        assert np.array_equal(left.chunk.frames, right.chunk.frames)
        for share in ('drag_obeyed', 'background_kept', 'confidence'):
            assert getattr(left.score, share) == getattr(right.score, share)


def test_handles_and_query_points_are_followed_in_the_content_of_the_frames(session):
    session.feed(frames(0.0))
    start_goal(session, drag((48, 40), (64, 40)), query=drag((80, 60)),
               goal_px=np.array([[80.0, 60.0]]))
    future, = futures(run(session))
    assert future.followed_px.shape == (2, 8, 2) and future.found.shape == (2, 8)
    # The model's picture is half of the camera's, without its bars.
    assert future.followed_px[0, -1] == pytest.approx([48 / 2 + 6.4, 20], abs=1.0)
    assert future.moved.shape == future.chunk.frames.shape[1:3] == (48, 64)
    assert future.score.drag_obeyed > 0.8
    # The stub shifts the whole picture: the query point goes along, 6.4 px away from its goal.
    assert future.score.point_distance_px == pytest.approx(6.4, abs=1.0)


def test_query_points_of_an_undragged_goal_are_on_the_newest_frame(session):
    session.feed(frames(0.0))
    query = drag((80, 60), t_secs=-9, image_size=ANY_SIZE)
    start_goal(session, None, query=query, goal_px=np.array([[80.0, 70.0]]))
    future, = futures(run(session))
    # The model's picture is half of the camera's.
    assert future.followed_px[0, -1] == pytest.approx([40, 30], abs=1.0)
    assert future.score.point_distance_px == pytest.approx(5.0, abs=0.5)
    outside = drag((800, 60), image_size=ANY_SIZE)
    assert codes(start_goal(session, None, query=outside)) == [ErrorCode.GOAL_INVALID]


def test_goal_points_on_a_predicted_image_are_in_its_pixels_as_query_points_are(clock):
    session = make_session(clock, mode='free_running')
    session.feed(frames(0.0))
    start_goal(session, None, query=drag((40, 30), image_size=(64, 48)),
               goal_px=np.array([[40.0, 35.0]]))
    events: list = []
    while not futures(events):
        clock.now += 1.0
        events += session.step()
    assert futures(events)[0].score.point_distance_px == pytest.approx(5.0, abs=0.5)


def test_the_goal_image_tells_which_candidate_is_best(session):
    session.feed(frames(0.0))
    goal_image = np.roll(TEXTURE, 24, axis=1)
    start_goal(session, *(drag((40, 40), (40 + dx, 40)) for dx in (-24, 0.1, 30, 60)),
               goal_image=goal_image)
    scores = [future.score for future in futures(run(session))]
    assert np.argmin([score.cost for score in scores]) == 2
    assert scores[2].cost == scores[2].pixel_distance


def test_several_goals_take_turns(session):
    session.feed(frames(0.0))
    start_goal(session, *[None] * 6, goal_id=1)
    start_goal(session, None, goal_id=2)
    done = [event.goal_id for event in of(GoalDone, run(session))]
    assert done == [2, 1]


def test_a_goal_too_many_is_told_that_it_is_busy_and_the_others_go_on(session):
    session.feed(frames(0.0))
    for number in range(MOST_GOALS):
        assert not codes(start_goal(session, goal_id=number))
    assert codes(start_goal(session, goal_id=99)) == [ErrorCode.BUSY]
    assert codes(run(session)) == [ErrorCode.OK] * MOST_GOALS
    assert not codes(start_goal(session, goal_id=100))


def test_a_cancelled_goal_stops_at_once_and_the_others_go_on(session):
    session.feed(frames(0.0))
    start_goal(session, horizon_secs=10.0, goal_id=1)
    start_goal(session, goal_id=2)
    cancelled, = session.handle(CancelGoal(goal_id=1))
    assert (cancelled.goal_id, cancelled.code) == (1, ErrorCode.CANCELLED)
    finished, = of(GoalDone, run(session))
    assert (finished.goal_id, finished.code) == (2, ErrorCode.OK)


def test_late_goals_end_before_any_other_goal_has_its_turn(session, clock):
    session.feed(frames(0.0))
    for number in range(4):
        start_goal(session, horizon_secs=10.0, goal_id=number, deadline=clock.now + number)
    clock.now += 1.5
    done = {event.goal_id: event.code for event in of(GoalDone, session.step())}
    assert done == {0: ErrorCode.DEADLINE_PASSED, 1: ErrorCode.DEADLINE_PASSED}


@pytest.mark.parametrize('trouble', [
    DragStreamError(ErrorCode.OUT_OF_MEMORY, 'Too much.'),
    type('OutOfMemoryError', (RuntimeError,), {})(),     # what torch's is called
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."),
    MemoryError(),
])
def test_a_goal_that_cannot_be_scored_ends_with_a_code_and_the_others_go_on(
        session, monkeypatch, trouble):
    def fail(*args, **kwargs):
        raise trouble

    session.feed(frames(0.0))
    start_goal(session, horizon_secs=0.4)
    with monkeypatch.context() as patch:
        patch.setattr('dragstream_ros.worker.goal.score_future', fail)
        assert codes(run(session)) == [ErrorCode.OUT_OF_MEMORY]
    start_goal(session)
    assert codes(run(session)) == [ErrorCode.OK]


def test_a_path_that_leads_far_away_is_a_path(session):
    session.feed(frames(0.0))
    region = np.zeros(CAMERA_SIZE[::-1], bool)
    region[30:50, 30:50] = True
    for handle in (DragHandle(path_px=np.array([[40.0, 40.0], [1e12, 40.0]])),
                   DragHandle(path_px=np.array([[40.0, 40.0], [1e12, 40.0]]), mask=region)):
        start_goal(session, drag((40, 40), handles=(handle,)))
        assert codes(run(session))[-1] == ErrorCode.OK


def test_a_goal_from_before_a_fresh_start_is_told_so(session):
    session.feed(frames(0.0, generation=1))
    assert codes(start_goal(session)) == [ErrorCode.CANCELLED]


def test_at_its_deadline_a_goal_ends_with_what_there_is(session, clock):
    session.feed(frames(0.0))
    start_goal(session, *[None] * 4, deadline=clock.now + 1.0)
    events = []
    while not futures(events):
        events += session.step()
    clock.now += 1.0
    events += run(session)
    assert codes(events) == [ErrorCode.DEADLINE_PASSED] and len(futures(events)) == 1


@pytest.mark.parametrize(('command', 'code'), [
    (drag((40, 40), (80, 40), t_secs=-9), ErrorCode.DRAG_STALE),
    (drag((40, 40), (80, 40), mode=DragMode.EDIT), ErrorCode.DRAG_INVALID),
])
def test_a_goal_with_one_bad_drag_ends_with_its_code(session, command, code):
    session.feed(frames(0.0))
    assert codes(start_goal(session, None, command)) == [code]


def test_a_goal_image_of_another_size_is_refused(session):
    session.feed(frames(0.0))
    assert TEXTURE.shape[1::-1] == CAMERA_SIZE
    assert codes(start_goal(session, goal_image=TEXTURE[:64])) == [ErrorCode.GOAL_INVALID]


def test_goals_end_when_the_prediction_starts_over(session):
    session.feed(frames(0.0))
    start_goal(session, goal_id=1)
    start_goal(session, goal_id=2)
    events = session.feed(frames(0.1, image=TEXTURE[:64]))
    assert codes(events) == [
        ErrorCode.CANCELLED, ErrorCode.CANCELLED, ErrorCode.IMAGE_SIZE_CHANGED]


def test_a_goal_without_an_image_ends_with_its_code(session):
    assert codes(start_goal(session)) == [ErrorCode.DRAG_BEFORE_FIRST_IMAGE]


class Bill:
    """What the clock was moved on for, s; work that is slow moves it."""

    def __init__(self, clock, monkeypatch) -> None:
        self.secs = {'live': 0.0, 'goals': 0.0}
        self._clock, self._patch = clock, monkeypatch

    def slow(self, place: str, secs: float, work: Callable) -> None:
        """Let the function at a place take its time for a goal."""
        def slow_work(*arguments):
            self.spend('goals', secs)
            return work(*arguments)

        self._patch.setattr(place, slow_work)

    def slow_chunks(self, session: PredictionSession, secs: float) -> None:
        """Every chunk takes its time; those of the session's own stream are live."""
        predict = StubStream._predict

        def slow_predict(stream: StubStream):
            self.spend('live' if stream is session._stream else 'goals', secs)
            return predict(stream)

        self._patch.setattr(StubStream, '_predict', slow_predict)

    def spend(self, who: str, secs: float) -> None:
        self._clock.now += secs
        self.secs[who] += secs


@pytest.mark.parametrize('planning_share', [0.2, 0.5, 0.8])
def test_beginning_following_and_scoring_are_of_the_share_of_goals(
        clock, monkeypatch, planning_share):
    session, bill = make_session(clock, planning_share=planning_share), Bill(clock, monkeypatch)
    bill.slow_chunks(session, 1.0)
    bill.slow('dragstream_ros.worker.drag_follower.track_points', 1.5,
              lambda before, after, points_px: (points_px, np.ones(len(points_px), bool)))
    bill.slow('dragstream_ros.worker.goal.score_future', 2.0, score_future)
    for number in range(300):
        then, now = 0.5 * number, 0.5 * number + 0.1   # a new picture: the live stream has work
        session.feed(frames(then, now))
        if not session._goals:
            start_goal(session, drag((40, 40), (80, 40), t_secs=then), goal_id=number)
        session.step()
    total = sum(bill.secs.values())
    assert bill.secs['goals'] / total == pytest.approx(USED * planning_share, abs=5.0 / total)


def test_a_cancelled_goal_is_computed_no_further(session, monkeypatch):
    session.feed(frames(0.0))
    bill = Bill(Clock(), monkeypatch)
    bill.slow_chunks(session, 1.0)
    start_goal(session, *[TO_THE_RIGHT] * 8, horizon_secs=10.0)
    for _ in range(4):
        session.step()
    before = bill.secs['goals']
    session.handle(CancelGoal(goal_id=1))
    run(session)
    assert bill.secs['goals'] == before > 0


def test_memory_is_given_back_when_the_last_goal_has_ended(session, monkeypatch):
    n_calls = 0

    def count():
        nonlocal n_calls
        n_calls += 1

    monkeypatch.setattr('dragstream_ros.worker.goal_queue.give_back_freed_memory', count)
    session.feed(frames(0.0))
    for number in range(3):
        start_goal(session, goal_id=number)
    session.handle(CancelGoal(goal_id=0))
    assert n_calls == 0
    run(session)
    assert n_calls == 1
    start_goal(session, goal_id=3)
    session.handle(CancelGoal(goal_id=3))
    assert n_calls == 2


def test_candidates_that_grab_the_same_are_followed_to_the_newest_frame_once(
        session, monkeypatch):
    n_calls = 0

    def count(before, after, points_px):
        nonlocal n_calls
        n_calls += 1
        return points_px + 1.0, np.ones(len(points_px), bool)

    monkeypatch.setattr('dragstream_ros.worker.drag_follower.track_points', count)
    session.feed(frames(0.0, 0.1, 0.2))
    start_goal(session, *(drag((40, 40), (40 + 4 * i, 44)) for i in range(6)), goal_id=1)
    assert n_calls == 2     # once for each of the later frames
    start_goal(session, drag((40, 40), (80, 40)), drag((60, 40), (80, 40)), goal_id=2)
    assert n_calls == 6
    found = [future for event in of(GoalProgress, run(session)) if event.goal_id == 1
             for future in event.futures]
    assert {future.chunk.tracks_px.shape for future in found} == {(1, 8, 2)}
