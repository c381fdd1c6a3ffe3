"""Goals over DDS: how soon the real predictor answers, and that it loses none whatever happens.

This process is the camera and three planners who change their mind and hurry. A fourth is a
process of its own, which is killed.
"""

from __future__ import annotations

import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus, GoalStatusArray
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point
from rclpy.action import ActionClient
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dragstream_ros.action import Predict
from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.errors import ErrorCode
from dragstream_ros.evaluation.listener import Listener
from dragstream_ros.evaluation.machine import cpu_secs_of
from dragstream_ros.evaluation.ros_latency import GRAPH, RosBenchError
from dragstream_ros.evaluation.run_guard import keep_to_this_machine, last_complaint
from dragstream_ros.evaluation.speed import camera_frames
from dragstream_ros.msg import Drag, DragHandle, PredictedClip
from dragstream_ros.runner import NodeGroup, RunError
from dragstream_ros.transport import set_up_transport

STATUS = 'predict/_action/status'
HEARD = {'prediction/clip': PredictedClip, '/diagnostics': DiagnosticArray, STATUS: GoalStatusArray}
MOST_SECS = 120.0  # for anything that is waited for
MOST_SECS_A_GOAL = 10.0  # that is not lost
WINDOW_SECS = 5.0  # that the live stream's rate is taken over
DOOMED = """
import rclpy
from rclpy.action import ActionClient
from dragstream_ros.action import Predict
from dragstream_ros.msg import Drag
rclpy.init()
node = rclpy.create_node('doomed')
client = ActionClient(node, Predict, 'predict')
client.wait_for_server()
client.send_goal_async(
    Predict.Goal(candidates=[Drag()] * 8, horizon_secs=2.0),
    feedback_callback=lambda message: print('served', flush=True))
rclpy.spin(node)
"""


@dataclass(frozen=True, kw_only=True)
class PlanGoalsConfig:
    """answers: goals of so many candidates that are timed. goals: that things happen to.

    at_once: of the goals. alone_secs: that the live stream is measured with no goal beside it.
    """

    candidates: int = 16
    answers: int = 3
    goals: int = 100
    at_once: int = 3
    alone_secs: float = 10.0
    planning_share: float = 0.5  # as the predictor's default is
    image_size: tuple[int, int] = (320, 240)
    camera_rate_hz: float = 15.0
    world_model: str = 'tabletop'
    weights_folder: str = ''


def run_plan_goals(config: PlanGoalsConfig) -> dict[str, Any]:
    """Start the predictor, send it goals; plain data for JSON. Raises RosBenchError."""
    keep_to_this_machine()
    set_up_transport()
    said = {'world_model': config.world_model, 'weights_folder': config.weights_folder}
    heard = _Heard()
    with tempfile.TemporaryDirectory() as folder:
        log_path = pathlib.Path(folder) / 'nodes.log'
        try:
            with log_path.open('w') as log, Listener(HEARD, heard.take) as listener, \
                    NodeGroup(GRAPH, said=said, log=log) as group:
                client = ActionClient(listener.node, Predict, 'predict')
                desk = _Desk(listener, heard, client, config, group)
                try:
                    return _measure(desk, heard, config)
                finally:
                    client.destroy()
        except RunError as error:
            raise RosBenchError(f'{error} {last_complaint(log_path)}') from error


@dataclass
class _Heard:
    """What the predictor said; times are time.monotonic()."""

    chunks: list[float] = field(default_factory=list)
    worker_mb: float | None = None
    n_running: int | None = None

    def take(self, topic: str, cdr: bytes, arrival_ns: int) -> None:
        if topic == 'prediction/clip':
            self.chunks.append(1e-9 * arrival_ns)
            return
        message = deserialize_message(cdr, HEARD[topic])
        if topic == STATUS:
            self.n_running = sum(
                goal.status < GoalStatus.STATUS_SUCCEEDED for goal in message.status_list)
        else:
            for status in message.status:
                for value in status.values:
                    if value.key == 'memory of worker, MB':
                        self.worker_mb = float(value.value)


class _Desk:
    """Films while somebody waits, and sends goals on the newest image."""

    def __init__(self, listener: Listener, heard: _Heard, client: ActionClient,
                 config: PlanGoalsConfig, group: NodeGroup) -> None:
        self.listener, self.heard, self.client, self.group = listener, heard, client, group
        self._camera = listener.node.create_publisher(Image, 'image', 1)
        self._frames = camera_frames(config.image_size, rate_hz=config.camera_rate_hz)
        self._period_secs = 1 / config.camera_rate_hz
        self._size = config.image_size
        self._header = Header()

    def film(self) -> None:
        """Publish one image."""
        self._header = Header(stamp=stamp_from_ns(time.time_ns()), frame_id='camera')
        self._camera.publish(image_from_array(next(self._frames)[0], self._header))

    def until(self, condition: Callable[[], bool], *, filming: bool = True,
              most_secs: float = MOST_SECS) -> None:
        """Wait, with the camera on or off; raises RosBenchError when that takes too long."""
        started = next_image = time.monotonic()
        while not condition():
            now = time.monotonic()
            if now - started > most_secs or self.group.ended() is not None:
                raise RosBenchError(
                    f'The predictor did not answer within {most_secs:g} s, or has ended.')
            if filming and now >= next_image:
                self.film()
                next_image = max(now, next_image + self._period_secs)
            time.sleep(0.005)

    def wait(self, secs: float, *, filming: bool = True) -> None:
        """Let time pass."""
        end = time.monotonic() + secs
        self.until(lambda: time.monotonic() >= end, filming=filming)

    def answered(self, goal: Predict.Goal, *, filming: bool) -> Predict.Result:
        """Send a goal and wait for its result."""
        sent = self.client.send_goal_async(goal)
        self.until(sent.done, filming=filming)
        result = sent.result().get_result_async()
        self.until(result.done, filming=filming)
        return result.result().result

    def drag(self, way_px: tuple[float, float]) -> Drag:
        """A drag of the middle of the newest image."""
        width, height = self._size
        path = [(width / 2, height / 2), (width / 2 + way_px[0], height / 2 + way_px[1])]
        return Drag(
            header=self._header, image_width=width, image_height=height, drag_id='bench',
            handles=[DragHandle(path=[Point(x=x, y=y) for x, y in path])])


def _measure(desk: _Desk, heard: _Heard, config: PlanGoalsConfig) -> dict[str, Any]:
    desk.until(lambda: bool(heard.chunks) and desk.client.server_is_ready())
    desk.answered(Predict.Goal(candidates=[Drag()]), filming=True)  # what is slow once is done now
    beside = _answers(desk, config, filming=True)
    alone = _answers(desk, config, filming=False)
    # From now on the live stream always has work, else there is no bound to hold.
    if why := desk.listener.set_parameter('predictor', 'anchor_rate_hz', 30.0):
        raise RosBenchError(why)
    desk.wait(2.0)
    started = time.monotonic()
    desk.wait(config.alone_secs)
    alone_hz = _rates(heard.chunks, started, config.alone_secs)
    return {
        'candidates': config.candidates,
        'alone_secs': alone[0], 'alone_cpu_secs': alone[1], 'beside_secs': beside[0],
        'planning_share': config.planning_share,
        'live_alone_hz': float(np.mean(alone_hz)),
        **_mistreated(desk, heard, config)}


def _answers(desk: _Desk, config: PlanGoalsConfig, *, filming: bool) -> np.ndarray:
    """(2,), the medians over some goals."""
    return np.median([_answer(desk, config, filming=filming) for _ in range(config.answers)], 0)


def _answer(desk: _Desk, config: PlanGoalsConfig, *, filming: bool) -> tuple[float, float]:
    """Seconds to the answer, and the CPU time of node and worker meanwhile."""
    desk.film()
    desk.wait(0.2 if filming else 2.0, filming=filming)     # until the live stream rests, too
    pids = _with_children(desk.group.processes['predictor'].pid)
    reach_px = 0.1 * config.image_size[0]
    angles = np.linspace(0.0, 2 * np.pi, config.candidates, endpoint=False)
    goal = Predict.Goal(horizon_secs=1.0, candidates=[
        desk.drag((reach_px * np.cos(angle), reach_px * np.sin(angle))) for angle in angles])
    started, cpu_before = time.monotonic(), sum(map(cpu_secs_of, pids))
    result = desk.answered(goal, filming=filming)
    if result.code != ErrorCode.OK:
        raise RosBenchError(f'A goal was not answered: {result.message}')
    return time.monotonic() - started, sum(map(cpu_secs_of, pids)) - cpu_before


def _with_children(pid: int) -> list[int]:
    tasks = pathlib.Path(f'/proc/{pid}/task').iterdir()
    return [pid, *(int(child) for task in tasks
                   for child in (task / 'children').read_text().split())]


def _mistreated(desk: _Desk, heard: _Heard, config: PlanGoalsConfig) -> dict[str, Any]:
    """Goals that are cancelled, hurried, or whose planner is killed; what became of them."""
    before_mb, rng = heard.worker_mb, np.random.default_rng(0)
    doomed = subprocess.Popen([sys.executable, '-c', DOOMED], stdout=subprocess.PIPE)
    waiting: list[_Goal] = []
    codes: collections.Counter[str] = collections.Counter()
    n_sent, n_served, started = 0, 0, time.monotonic()

    def serve() -> bool:
        nonlocal n_sent, n_served
        while len(waiting) < config.at_once and n_sent < config.goals:
            n_sent += 1
            waiting.append(_Goal(desk, rng))
        for goal in waiting.copy():
            if (code := goal.code()) is not None:
                codes[code.name] += 1
                n_served += code is ErrorCode.OK or not goal.waits
                waiting.remove(goal)
        return not waiting

    try:
        assert doomed.stdout is not None
        served = doomed.stdout
        os.set_blocking(served.fileno(), False)
        desk.until(lambda: bool(served.read()))
        served.close()
    finally:
        doomed.kill()
        doomed.wait()
    # Who has no answer in the end, or was cancelled unasked, was lost, and is counted so.
    last = started + MOST_SECS_A_GOAL * config.goals
    desk.until(lambda: serve() or time.monotonic() > last, most_secs=np.inf)
    secs = time.monotonic() - started
    rates = _rates(heard.chunks, started, secs)
    desk.until(lambda: heard.n_running == 0)
    desk.wait(2.0)      # for diagnostics
    assert before_mb is not None and heard.worker_mb is not None
    return {
        'goals': config.goals, 'codes': dict(codes), 'lost': config.goals - n_served,
        'live_lowest_hz': min(rates), 'live_mean_hz': float(np.mean(rates)),
        'window_secs': WINDOW_SECS, 'worker_grew_mb': heard.worker_mb - before_mb}


class _Goal:
    """One goal of a planner that waits, cancels or hurries, as the dice have it."""

    def __init__(self, desk: _Desk, rng: np.random.Generator) -> None:
        kind = rng.choice(['wait', 'cancel', 'hurry'])
        self.waits = kind == 'wait'
        self._sent = desk.client.send_goal_async(Predict.Goal(
            candidates=[desk.drag((20.0, 10.0)), Drag()][:int(rng.integers(1, 3))],
            horizon_secs=float(rng.uniform(0.4, 1.5)),
            deadline_secs=float(rng.uniform(0.02, 0.6)) if kind == 'hurry' else 0.0))
        self._cancels_at = (
            time.monotonic() + rng.uniform(0.0, 0.6) if kind == 'cancel' else np.inf)
        self._result: Any = None

    def code(self) -> ErrorCode | None:
        """The result's code, once it is there; to be called again and again."""
        if not self._sent.done():
            return None
        if self._result is None:
            self._result = self._sent.result().get_result_async()
        if self._result.done():
            return ErrorCode(self._result.result().result.code)
        if time.monotonic() >= self._cancels_at:
            self._sent.result().cancel_goal_async()
            self._cancels_at = np.inf
        return None


def _rates(times: Sequence[float], started: float, secs: float) -> list[float]:
    """Events a second over windows of WINDOW_SECS, a second apart; over all where that is short."""
    window = min(WINDOW_SECS, secs)
    seen = np.array(times)
    return [float(((seen >= begin) & (seen < begin + window)).sum() / window)
            for begin in np.arange(started, started + secs - window + 1e-6)]
