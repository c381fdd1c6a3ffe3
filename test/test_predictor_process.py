"""The predictor's process: start orders, lifecycle, simulated time, broken workers, clean ends."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import Transition
from predictor_harness import (
    NS,
    Bench,
    PredictorProcess,
    claimed_domain,
    stamp_of,
)
from rclpy.action import ActionClient
from rclpy.guard_condition import GuardCondition
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from dragstream_ros.action import Predict
from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.errors import ErrorCode
from dragstream_ros.msg import Drag
from dragstream_ros.nodes.predictor import Predictor


@pytest.fixture
def domain() -> Iterator[int]:
    with claimed_domain() as number:
        yield number


@pytest.fixture
def start(domain) -> Iterator[Callable]:
    """Give start(**parameters): a predictor with the stub model."""
    started = []

    def start(*arguments: str, **parameters) -> PredictorProcess:
        started.append(PredictorProcess(*arguments, **parameters))
        return started[-1]

    yield start
    for predictor in started:
        predictor.kill()


@pytest.fixture
def bench(domain) -> Iterator[Bench]:
    bench = Bench(domain)
    yield bench
    bench.close()


def test_a_camera_may_start_first_last_or_come_back_with_other_reliability(start, bench):
    start(image_reliability='as_offered')  # the camera is there already, and reliable
    bench.until(bench.clips, 30.0, filming=True)
    bench.spin(1.5)     # for the diagnostics to be of now
    assert bench.status('image reliability') == 'best_effort'   # small images need no more
    bench.picture = np.zeros((480, 640, 3), np.uint8)
    bench.until(lambda: bench.status('image reliability') == 'reliable', filming=True)
    for reliability in (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
        bench.node.destroy_publisher(bench.camera)
        bench.spin(0.4)
        bench.camera = bench.node.create_publisher(
            Image, 'image', QoSProfile(depth=1, reliability=reliability))
        newest = stamp_of(bench.film())
        bench.until(lambda seen=newest: bench.clips() and stamp_of(bench.clips()[-1]) > seen,
                    filming=True)
        wanted = reliability.name.lower()
        bench.until(lambda name=wanted: bench.status('image reliability') == name, filming=True)


def test_where_no_image_comes_it_is_asked_for_reliably(start, bench):
    start(image_reliability='as_offered')   # they may be too large for best effort
    bench.until(lambda: bench.status('image reliability') == 'reliable', 30.0)
    bench.until(bench.clips, filming=True)


def test_compressed_images_are_predicted_and_a_truncated_one_is_told(start, bench):
    start(image_transport='compressed')
    bench.until(lambda: bench.clips() or bench.film_jpeg() or bench.spin(0.05), 30.0)
    bench.film_jpeg(keep_bytes=500)
    bench.until(lambda: bench.problem(ErrorCode.IMAGE_DECODE_FAILED))
    bench.heard.clear()
    bench.until(lambda: bench.clips() or bench.film_jpeg() or bench.spin(0.05))


def test_the_lifecycle_can_go_up_and_down_many_times(start, bench):
    predictor = start(autostart=False)
    for _ in range(4):
        assert bench.transition(Transition.TRANSITION_CONFIGURE)
        for _ in range(2):
            assert bench.transition(Transition.TRANSITION_ACTIVATE)
            assert bench.transition(Transition.TRANSITION_DEACTIVATE)
        assert bench.transition(Transition.TRANSITION_CLEANUP)
    assert bench.transition(Transition.TRANSITION_CONFIGURE)
    assert bench.transition(Transition.TRANSITION_ACTIVATE)
    bench.heard.clear()
    bench.until(bench.clips, 30.0, filming=True)
    assert bench.transition(Transition.TRANSITION_DEACTIVATE)
    bench.spin(0.2)
    bench.heard.clear()
    bench.until(lambda: bench.status('lifecycle') == 'inactive', filming=True)
    assert bench.heard == []
    assert bench.transition(Transition.TRANSITION_CLEANUP)
    bench.until(lambda: not predictor.children)
    assert 'Traceback' not in predictor.log


def test_a_killed_worker_is_told_replaced_and_serves_in_a_new_epoch(start, bench):
    predictor = start()
    before = bench.until(bench.clips, 30.0, filming=True)[-1]
    for worker in predictor.children:
        os.kill(worker, signal.SIGKILL)
    bench.until(lambda: bench.problem(ErrorCode.WORKER_DIED), filming=True)
    bench.until(lambda: bench.clips()[-1].epoch > before.epoch, 30.0, filming=True)
    bench.drag()
    bench.until(lambda: bench.clips(drag_id='a'), filming=True)


def test_a_goal_ends_when_the_weights_are_missing(start, bench, tmp_path):
    start(weights_folder=str(tmp_path))
    client = ActionClient(bench.node, Predict, 'predict')
    bench.until(client.server_is_ready, 30.0)
    codes = set()
    while ErrorCode.WEIGHTS_MISSING not in codes:   # else no worker was there to be asked
        accepted = client.send_goal_async(Predict.Goal(candidates=[Drag()]))
        handle = bench.until(lambda: accepted.done() and accepted.result(), 30.0)  # noqa: B023
        future = handle.get_result_async()
        answer = bench.until(lambda: future.done() and future.result(), 30.0)  # noqa: B023
        assert answer.status == GoalStatus.STATUS_ABORTED and answer.result.message
        codes.add(answer.result.code)
        bench.spin(0.2)
    assert codes <= {ErrorCode.WEIGHTS_MISSING, ErrorCode.WORKER_DIED}
    client.destroy()


@pytest.mark.parametrize('end', [
    lambda bench, predictor: bench.transition(Transition.TRANSITION_DEACTIVATE),
    lambda bench, predictor: bench.transition(Transition.TRANSITION_ACTIVE_SHUTDOWN),
    lambda bench, predictor: predictor.process.send_signal(signal.SIGINT),
    lambda bench, predictor: predictor.process.send_signal(signal.SIGTERM),
], ids=['deactivate', 'shutdown', 'SIGINT', 'SIGTERM'])
def test_a_goal_in_flight_is_answered_when_the_node_stops_serving(start, bench, end):
    predictor = start()
    client = ActionClient(bench.node, Predict, 'predict')
    bench.until(client.server_is_ready, 30.0)
    bench.start_filming()
    slow = bench.drag_message(drag_id='slow')
    accepted = client.send_goal_async(Predict.Goal(candidates=[slow], horizon_secs=30.0))
    future = bench.until(lambda: accepted.done() and accepted.result()).get_result_async()
    bench.spin(0.2)     # until the result is asked for
    end(bench, predictor)
    answer = bench.until(lambda: future.done() and future.result())
    assert (answer.status, answer.result.code) == (GoalStatus.STATUS_ABORTED, ErrorCode.CANCELLED)
    client.destroy()


def test_a_node_that_is_shut_down_ends_its_worker(start, bench):
    predictor = start()
    bench.start_filming()
    assert bench.transition(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    bench.until(lambda: not predictor.children)


def test_missing_and_broken_weights_are_told_and_good_ones_served(start, bench, tmp_path):
    start(weights_folder=str(tmp_path))
    bench.until(lambda: bench.problem(ErrorCode.WEIGHTS_MISSING), 30.0)
    (tmp_path / 'weights').write_text('trunc')
    bench.until(lambda: bench.problem(ErrorCode.WEIGHTS_UNREADABLE), 30.0)
    (tmp_path / 'weights').write_text('good')
    bench.until(bench.clips, 30.0, filming=True)
    assert bench.problem(ErrorCode.WORKER_DIED) is None


class SimulatedTime:
    """A bag player's /clock, which the camera's stamps follow."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._clock = bench.node.create_publisher(Clock, '/clock', 10)

    def play(self, *, has_images: bool = True) -> None:
        bench = self._bench
        bench.stamp_ns += NS // 20
        self._clock.publish(Clock(clock=stamp_from_ns(bench.stamp_ns)))
        if has_images:
            bench.film(stamp_ns=bench.stamp_ns)
        bench.spin(0.05)


def test_simulated_time_that_jumps_back_starts_over_once(start, bench):
    time_source = SimulatedTime(bench)
    start(use_sim_time=True)
    bench.until(lambda: bench.infos(index=3) or time_source.play(), 30.0)
    before = bench.clips()[-1]
    bench.stamp_ns -= 300 * NS
    bench.heard.clear()
    bench.until(lambda: bench.infos(index=3, code=0) or time_source.play())
    assert bench.infos(index=3, code=0)[0].epoch > before.epoch
    assert len(bench.infos(code=int(ErrorCode.CLOCK_JUMPED_BACK))) == 1
    assert stamp_of(bench.clips()[-1]) <= bench.stamp_ns


def test_a_clock_that_jumps_back_before_the_images_is_enough(start, bench):
    time_source = SimulatedTime(bench)
    start(use_sim_time=True)
    bench.until(lambda: bench.clips() or time_source.play(), 30.0)
    bench.stamp_ns -= 300 * NS
    bench.until(lambda: bench.problem(ErrorCode.CLOCK_JUMPED_BACK)
                or time_source.play(has_images=False))


def test_a_parameter_out_of_range_ends_the_start_with_a_sentence(start):
    predictor = start(horizon_secs=-1.0)
    assert predictor.end(timeout_secs=30.0) == 1
    assert 'horizon_secs' in predictor.log and 'Traceback' not in predictor.log


@pytest.mark.parametrize('signals', [
    (signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_signal_ends_node_and_worker_and_leaves_nothing_behind(start, bench, signals):
    predictor = start()
    bench.until(bench.clips, 30.0, filming=True)
    bench.drag(drag_id='slow')
    workers = predictor.children
    assert workers
    own_segments = shared_memory_of(predictor.process.pid) - shared_memory_of(os.getpid())
    started = time.monotonic()
    assert predictor.end(*signals) == 0
    assert time.monotonic() - started < 5.0
    assert not any(pathlib.Path(f'/proc/{worker}').exists() for worker in workers)
    assert 'Traceback' not in predictor.log and 'leaked' not in predictor.log
    assert own_segments and not any(pathlib.Path(path).exists() for path in own_segments)


def test_the_node_outlives_its_worker_which_could_still_wake_it(ros_domain, monkeypatch):
    stub = ['--ros-args', '-p', 'world_model:=stub_world_model:load']
    rclpy.init(domain_id=ros_domain, args=stub)
    predictor = Predictor()
    supervisors_left = []
    destroy = predictor.destroy_guard_condition

    def look_and_destroy(guard: GuardCondition) -> bool:
        supervisors_left.extend(
            thread.name for thread in threading.enumerate() if 'supervisor' in thread.name)
        return destroy(guard)

    monkeypatch.setattr(predictor, 'destroy_guard_condition', look_and_destroy)
    predictor.trigger_configure()
    assert any('supervisor' in thread.name for thread in threading.enumerate())
    predictor.destroy_node()
    rclpy.shutdown()
    assert not supervisors_left


def shared_memory_of(pid: int) -> set[str]:
    """The files in /dev/shm that a process has mapped."""
    lines = pathlib.Path(f'/proc/{pid}/maps').read_text().splitlines()
    return {line.split()[-1] for line in lines if '/dev/shm/' in line}
