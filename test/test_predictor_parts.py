"""Parts of the predictor node that need no middleware."""

from __future__ import annotations

import time

import pytest
from geometry_msgs.msg import Point
from rclpy.qos import ReliabilityPolicy

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import Drag, DragHandle
from dragstream_ros.nodes.camera_watch import CameraWatch, Order
from dragstream_ros.nodes.diagnostics import Rate, Statistics
from dragstream_ros.nodes.drag_input import DragInput
from dragstream_ros.nodes.image_input import reliability_for
from dragstream_ros.worker.protocol import CancelDrag, EndDrag, PushDrag

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
NS = 1_000_000_000


# The camera.


@pytest.mark.parametrize(('wanted', 'offered', 'is_needed', 'asked'), [
    ('as_offered', [], True, BEST_EFFORT),
    ('as_offered', [RELIABLE], True, RELIABLE),
    ('as_offered', [RELIABLE], False, BEST_EFFORT),
    ('as_offered', [BEST_EFFORT], True, BEST_EFFORT),
    ('as_offered', [RELIABLE, BEST_EFFORT], True, BEST_EFFORT),
    ('reliable', [BEST_EFFORT], False, RELIABLE),
    ('best_effort', [RELIABLE], True, BEST_EFFORT),
])
def test_the_subscription_asks_for_what_publishers_offer_and_images_need(
        wanted, offered, is_needed, asked):
    assert reliability_for(wanted, offered, is_needed=is_needed) is asked


def test_stamps_a_little_out_of_order_are_no_jump():
    watch = CameraWatch()
    assert watch.see(10 * NS, 0.0) is Order.NEWER
    assert watch.see(10 * NS, 0.0) is Order.OUT_OF_ORDER
    assert watch.see(10 * NS - NS // 2, 0.0) is Order.OUT_OF_ORDER
    assert watch.see(9 * NS, 0.0) is Order.JUMPED_BACK
    watch.start_over(0.0)
    assert watch.see(9 * NS, 0.0) is Order.NEWER


def test_a_clock_set_back_behind_the_newest_image_is_noticed():
    watch = CameraWatch()
    assert not watch.clock_was_set_back(0.0)
    watch.see(10 * NS, 10.0)
    assert not watch.clock_was_set_back(9.9)
    assert watch.clock_was_set_back(2.0)


def test_an_image_from_before_the_clock_was_set_back_is_no_second_jump():
    watch = CameraWatch()
    watch.see(10 * NS, 10.0)
    watch.clock_was_set_back(2.0)
    watch.start_over(2.0)
    assert watch.see(11 * NS, 2.0) is Order.OUT_OF_ORDER
    assert watch.see(2 * NS, 2.1) is Order.NEWER
    assert watch.see(13 * NS, 4.0) is Order.NEWER  # clocks that differ are not our business


def test_a_silence_is_told_once_and_again_only_after_an_image():
    watch = CameraWatch()
    watch.start_over(0.0)
    assert watch.new_silence_secs(9.0, timeout_secs=10.0) is None
    assert watch.new_silence_secs(11.0, timeout_secs=10.0) == 11.0
    assert watch.new_silence_secs(12.0, timeout_secs=10.0) is None
    watch.see(NS, 13.0)
    assert watch.new_silence_secs(24.0, timeout_secs=10.0) == 11.0


# The operator.


def drag(phase: int = Drag.BEGIN, drag_id: str = 'a', x: float = 9.0) -> Drag:
    handle = DragHandle(name='cup', path=[Point(x=1.0, y=1.0), Point(x=x, y=1.0)])
    return Drag(
        drag_id=drag_id, phase=phase, handles=[handle], image_width=20, image_height=20)


def tell(drag_input: DragInput, message: Drag, now_secs: float = 0.0):
    return drag_input.handle(message, generation=4, now_secs=now_secs)


def test_beginning_and_updating_push_the_drag():
    drag_input = DragInput()
    for message in (drag(), drag(Drag.UPDATE, x=12.0)):
        told = tell(drag_input, message)
        assert isinstance(told, PushDrag) and told.generation == 4
    assert told.command.handles[0].path_px[-1, 0] == 12.0
    assert drag_input.handle_names('a') == ['cup'] and drag_input.handle_names('b') == []


def test_an_update_that_says_nothing_new_only_keeps_the_drag_alive():
    drag_input = DragInput()
    tell(drag_input, drag(), 0.0)
    assert tell(drag_input, drag(Drag.UPDATE), 1.5) is None
    assert drag_input.timed_out(now_secs=3.0, timeout_secs=2.0) is None
    assert drag_input.timed_out(now_secs=3.6, timeout_secs=2.0) == EndDrag(drag_id='a')
    assert drag_input.timed_out(now_secs=9.9, timeout_secs=2.0) is None


def test_an_update_without_a_beginning_begins():
    assert isinstance(tell(DragInput(), drag(Drag.UPDATE)), PushDrag)


def test_ending_and_cancelling_are_told_for_the_drag_that_is_held():
    drag_input = DragInput()
    assert tell(drag_input, drag(Drag.END)) is None
    tell(drag_input, drag())
    assert tell(drag_input, drag(Drag.END, drag_id='other')) is None
    assert tell(drag_input, drag(Drag.END)) == EndDrag(drag_id='a')
    tell(drag_input, drag())
    assert tell(drag_input, drag(Drag.CANCEL)) == CancelDrag(drag_id='a')


def test_a_refused_drag_leaves_the_one_before_in_force():
    drag_input = DragInput()
    tell(drag_input, drag())
    with pytest.raises(DragStreamError) as caught:
        tell(drag_input, Drag(drag_id='b', image_width=20, image_height=20))
    assert caught.value.code == ErrorCode.DRAG_EMPTY
    assert tell(drag_input, drag(Drag.END)) == EndDrag(drag_id='a')


# What people look at.


def test_rates_are_events_per_second_of_the_last_ten():
    rate = Rate()
    assert rate.per_second(0.0) == 0.0
    for tenth in range(300):
        rate.tick(tenth / 10)
    assert rate.per_second(30.0) == pytest.approx(10.0, abs=0.2)
    assert rate.per_second(100.0) == 0.0


def test_the_longest_callback_is_kept_and_the_recent_ones_per_report():
    statistics = Statistics()
    statistics.timed('slow', lambda: time.sleep(0.001))()
    values = {'lifecycle': 'active', 'worker': 'running'}
    first, second = ({value.key: value.value for value in statistics.report('x', values).values}
                     for _ in range(2))
    assert 'callback slow, ms' in first and 'callback slow, ms' not in second
    assert float(first['longest callback, ms']) == float(second['longest callback, ms']) >= 1
