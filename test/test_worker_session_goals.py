"""What the worker makes of goals, beside the live prediction; no process, no pipe."""

from __future__ import annotations

import pytest
from session_maker import (
    TEXTURE,
    codes,
    drag,
    frames,
    run,
)

from dragstream_ros.core.drag import DragMode
from dragstream_ros.errors import ErrorCode
from dragstream_ros.worker.protocol import (
    CancelGoal,
    Chunk,
    GoalChunk,
    StartGoal,
)

pytest_plugins = 'session_maker'


def start_goal(session, command=None, horizon_secs: float = 0.8, goal_id: int = 1):
    return session.handle(StartGoal(
        goal_id=goal_id, command=command, horizon_secs=horizon_secs, generation=0))


def test_a_goal_is_predicted_between_live_chunks(session):
    session.feed(frames(0.0))
    start_goal(session, drag((40, 40), (80, 40)))
    events = run(session)
    kinds = [type(event) for event in events]
    assert kinds[:2] in ([GoalChunk, Chunk], [Chunk, GoalChunk])
    goal_chunks = [event for event in events if isinstance(event, GoalChunk)]
    assert [event.progress for event in goal_chunks] == [0.5, 1.0]
    assert {event.chunk.drag_id for event in goal_chunks} == {'a'}
    assert {event.drag_id for event in events if isinstance(event, Chunk)} == {''}
    assert codes(events) == [ErrorCode.OK]


def test_a_second_goal_is_told_that_it_is_busy(session):
    session.feed(frames(0.0))
    start_goal(session)
    assert codes(start_goal(session, goal_id=2)) == [ErrorCode.BUSY]


def test_a_cancelled_goal_stops(session):
    session.feed(frames(0.0))
    start_goal(session, horizon_secs=10.0)
    session.handle(CancelGoal(goal_id=1))
    assert codes(run(session)) == [ErrorCode.CANCELLED]


@pytest.mark.parametrize(('command', 'code'), [
    (drag((40, 40), (80, 40), t_secs=-9), ErrorCode.DRAG_STALE),
    (drag((40, 40), (80, 40), mode=DragMode.EDIT), ErrorCode.DRAG_INVALID),
])
def test_a_goal_with_a_bad_drag_ends_with_its_code(session, command, code):
    session.feed(frames(0.0))
    assert codes(start_goal(session, command)) == [code]


def test_a_goal_ends_when_the_prediction_starts_over(session):
    session.feed(frames(0.0))
    start_goal(session)
    events = session.feed(frames(0.1, image=TEXTURE[:64]))
    assert codes(events) == [ErrorCode.CANCELLED, ErrorCode.IMAGE_SIZE_CHANGED]


def test_a_goal_without_an_image_ends_with_its_code(session):
    assert codes(start_goal(session)) == [ErrorCode.DRAG_BEFORE_FIRST_IMAGE]
