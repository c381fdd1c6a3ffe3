"""The action `predict`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from action_msgs.msg import GoalStatus
from predictor_harness import Bench, PredictorProcess, claimed_domain, stamp_of
from rclpy.action import ActionClient

from dragstream_ros.action import Predict
from dragstream_ros.errors import ErrorCode
from dragstream_ros.msg import Drag


@pytest.fixture(scope='module')
def bench() -> Iterator[Bench]:
    with claimed_domain() as domain:
        predictor, bench = PredictorProcess(), Bench(domain)
        try:
            bench.start_filming()
            bench.client = ActionClient(bench.node, Predict, 'predict')
            bench.until(bench.client.server_is_ready)
            yield bench
            bench.client.destroy()
        finally:
            bench.close()
            predictor.kill()


def send(bench: Bench, drag: Drag | None = None, horizon_secs: float = 0.8):
    """(goal handle, future of its result, feedback so far)."""
    feedback: list[Predict.Feedback] = []
    goal = Predict.Goal(drag=drag or Drag(), horizon_secs=horizon_secs)
    future = bench.client.send_goal_async(
        goal, feedback_callback=lambda message: feedback.append(message.feedback))
    handle = bench.until(lambda: future.done() and future.result())
    assert handle.accepted
    return handle, handle.get_result_async(), feedback


def outcome(bench: Bench, future) -> tuple[int, Predict.Result]:
    answer = bench.until(lambda: future.done() and future.result(), filming=True)
    return answer.status, answer.result


def test_a_goal_gives_chunks_as_feedback_and_the_whole_clip_as_result(bench):
    stamp_ns = stamp_of(bench.film())
    bench.spin(0.2)
    _, future, feedback = send(bench, bench.drag_message())
    status, result = outcome(bench, future)
    assert (status, result.code, result.message) == (GoalStatus.STATUS_SUCCEEDED, 0, '')
    assert len(result.clip.frames) == len(result.clip.offsets_secs) == 8
    assert result.clip.drag_id == 'a' and stamp_of(result.clip) >= stamp_ns    # filming goes on
    assert [track.name for track in result.clip.tracks] == ['gripper']
    assert len(result.clip.tracks[0].positions) == 8
    bench.until(lambda: len(feedback) == 2)
    assert [round(item.progress, 3) for item in feedback] == [0.5, 1.0]
    assert feedback[1].chunk.frames == result.clip.frames[4:]


def test_a_goal_without_handles_is_undragged_and_takes_the_default_horizon(bench):
    bench.film()
    status, result = outcome(bench, send(bench, horizon_secs=0.0)[1])
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert result.clip.drag_id == '' and len(result.clip.frames) == 12


def test_the_live_prediction_goes_on_beside_a_goal(bench):
    bench.film()
    bench.heard.clear()
    handle, future, _ = send(bench, bench.drag_message(drag_id='slow'), horizon_secs=30.0)
    bench.until(lambda: len({clip.anchor for clip in bench.clips()}) >= 2, filming=True)
    assert not future.done()
    assert {clip.drag_id for clip in bench.clips()} == {''}
    handle.cancel_goal_async()
    outcome(bench, future)


def test_a_goal_can_be_cancelled_and_gives_what_there_is(bench):
    bench.film()
    handle, future, feedback = send(bench, bench.drag_message(drag_id='slow'), horizon_secs=30.0)
    bench.until(lambda: feedback)
    handle.cancel_goal_async()
    status, result = outcome(bench, future)
    assert (status, result.code) == (GoalStatus.STATUS_CANCELED, ErrorCode.CANCELLED)
    assert 4 <= len(result.clip.frames) < 300


def test_a_second_goal_is_told_that_it_is_busy(bench):
    bench.film()
    first, first_future, _ = send(bench, bench.drag_message(drag_id='slow'), horizon_secs=30.0)
    status, result = outcome(bench, send(bench)[1])
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, ErrorCode.BUSY) and result.message
    first.cancel_goal_async()
    outcome(bench, first_future)


@pytest.mark.parametrize(('fields', 'horizon_secs', 'code'), [
    ({'stamp_ns': 1}, 1.0, ErrorCode.DRAG_STALE),
    ({'image_width': 1}, 1.0, ErrorCode.DRAG_OUTSIDE_IMAGE),
    ({'drag_id': ''}, 1.0, ErrorCode.DRAG_INVALID),
    ({}, -1.0, ErrorCode.DRAG_INVALID),
    ({}, float('nan'), ErrorCode.DRAG_INVALID),
])
def test_a_goal_that_makes_no_sense_is_aborted_with_its_code(bench, fields, horizon_secs, code):
    bench.film()
    drag = bench.drag_message(**fields)
    status, result = outcome(bench, send(bench, drag, horizon_secs)[1])
    assert (status, result.code) == (GoalStatus.STATUS_ABORTED, code) and result.message
