"""Planners that are gone: their goals leave room for those of others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from predictor_harness import Bench, planner_bench
from rclpy.action import ActionClient
from rclpy.qos import qos_profile_action_status_default

from dragstream_ros.action import Predict
from dragstream_ros.msg import Drag
from dragstream_ros.worker.goal_queue import MOST_GOALS

# A planner that sends a long goal, says that it is being served, and waits to be killed.
DOOMED_PLANNER = """
import rclpy
from rclpy.action import ActionClient
from dragstream_ros.action import Predict
from dragstream_ros.msg import Drag
rclpy.init()
node = rclpy.create_node('doomed')
client = ActionClient(node, Predict, 'predict')
client.wait_for_server()
told = lambda message: print('served', flush=True)
client.send_goal_async(
    Predict.Goal(candidates=[Drag()] * 40, horizon_secs=4.0), feedback_callback=told)
rclpy.spin(node)
"""


@pytest.fixture(scope='module')
def bench() -> Iterator[Bench]:
    with planner_bench() as bench:
        yield bench


def send(bench: Bench, **fields):
    """(goal handle, future of its result)."""
    accepted = bench.client.send_goal_async(Predict.Goal(**fields))
    handle = bench.until(lambda: accepted.done() and accepted.result(), filming=True)
    return handle, handle.get_result_async()


def until_idle(bench: Bench) -> None:
    """Wait until no goal is worked on."""
    heard: list[GoalStatusArray] = []
    status = bench.node.create_subscription(
        GoalStatusArray, 'predict/_action/status', heard.append, qos_profile_action_status_default)
    bench.until(lambda: heard and all(
        goal.status >= GoalStatus.STATUS_SUCCEEDED for goal in heard[-1].status_list),
        filming=True)
    bench.node.destroy_subscription(status)


def test_goals_end_when_nobody_listens_any_more(bench):
    # Before a planner is killed: it takes DDS 20 s to notice that it is gone.
    send(bench, candidates=[bench.drag_message(drag_id='slow')] * 50)
    bench.client.destroy()
    until_idle(bench)
    bench.client = ActionClient(bench.node, Predict, 'predict')
    bench.until(bench.client.server_is_ready)
    handles = [send(bench, candidates=[Drag()], horizon_secs=0.4) for _ in range(MOST_GOALS)]
    for _, future in handles:
        answer = bench.until(lambda: future.done() and future.result(), filming=True)  # noqa: B023
        assert answer.status == GoalStatus.STATUS_SUCCEEDED


def test_the_goal_of_a_planner_that_was_killed_leaves_room_for_others(bench):
    doomed = subprocess.Popen(
        [sys.executable, '-c', DOOMED_PLANNER], stdout=subprocess.PIPE)
    try:
        os.set_blocking(doomed.stdout.fileno(), False)
        bench.until(lambda: doomed.stdout.read(), 30.0, filming=True)
    finally:
        doomed.kill()
        doomed.wait()
    handles = [send(bench, candidates=[Drag()], horizon_secs=0.4) for _ in range(MOST_GOALS - 1)]
    for _, future in handles:
        answer = bench.until(lambda: future.done() and future.result(), filming=True)  # noqa: B023
        assert answer.status == GoalStatus.STATUS_SUCCEEDED
