"""Goals over DDS: how soon the real predictor answers, and that it loses none whatever happens.

This process is the camera and three planners who change their mind and hurry. A fourth is a
process of its own, which is killed.
"""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
from dragstream_ros.evaluation.table_film import camera_frames
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
print('ready', flush=True)
input()
client.send_goal_async(
    Predict.Goal(candidates=[Drag()] * 8, horizon_secs=2.0),
    feedback_callback=lambda message: print('served', flush=True))
rclpy.spin(node)
"""


@dataclass(frozen=True, kw_only=True)
class PlanGoalsConfig:
    """answers: goals of so many candidates that are timed. goals: that things happen to.

    at_once: of the goals. stretches: that they are sent in; alone_secs: that the live stream is
    measured with no goal beside it, before, between and after them.
    """

    candidates: int = 16
    answers: int = 3
    goals: int = 100
    at_once: int = 3
    stretches: int = 5
    alone_secs: float = 6.0
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
    return {
        'candidates': config.candidates,
        'alone_secs': alone[0], 'alone_cpu_secs': alone[1], 'beside_secs': beside[0],
        'planning_share': config.planning_share,
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
    found = [pid]
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        with contextlib.suppress(FileNotFoundError):    # a thread that has just ended
            found += map(int, (task / 'children').read_text().split())
    return found


def _mistreated(desk: _Desk, heard: _Heard, config: PlanGoalsConfig) -> dict[str, Any]:
    """Goals that are cancelled, hurried, or whose planner is killed; what became of them.

    The live stream is measured alone before and after every stretch of them: what else the computer
    does comes and goes, and is then on both sides.
    """
    before_mb, planners = heard.worker_mb, _Planners(desk, config)

    def live_alone() -> _Live:
        desk.until(lambda: heard.n_running == 0)    # what the killed one wanted goes on to its end
        return _live(heard, lambda: desk.wait(config.alone_secs))

    with _doomed_planner(desk) as let_it_die:
        alone, beside = [live_alone()], []
        for stretch in range(config.stretches):
            n_goals = config.goals * (stretch + 1) // config.stretches
            beside.append(_live(heard, lambda: planners.serve(n_goals, let_it_die)))  # noqa: B023
            alone.append(live_alone())
    desk.wait(2.0)      # for diagnostics
    assert before_mb is not None and heard.worker_mb is not None
    return {
        'goals': config.goals, 'codes': dict(planners.codes),
        'lost': config.goals - planners.n_served,
        'live_alone_hz': _together(alone), 'live_mean_hz': _together(beside),
        'live_lowest_hz': min(live.lowest_hz for live in beside),
        'stretches': [
            {'secs': live.secs, 'live_alone_hz': _together([before, after]), 'live_hz': live.hz,
             'live_lowest_hz': live.lowest_hz}
            for before, live, after in zip(alone, beside, alone[1:])],
        'window_secs': WINDOW_SECS, 'worker_grew_mb': heard.worker_mb - before_mb}


@contextlib.contextmanager
def _doomed_planner(desk: _Desk) -> Iterator[Callable[[], None]]:
    """A planner of its own process; gives what has it send a goal and kills it meanwhile.

    It is started first: loading Python and ROS is no part of what goals cost.
    """
    doomed = subprocess.Popen(
        [sys.executable, '-c', DOOMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert doomed.stdin is not None and doomed.stdout is not None
    said = doomed.stdout
    os.set_blocking(said.fileno(), False)

    def let_it_die() -> None:
        if doomed.poll() is None:
            doomed.stdin.write(b'send\n')  # type: ignore[union-attr]
            doomed.stdin.flush()  # type: ignore[union-attr]
            desk.until(lambda: b'served' in (said.read() or b''))
            doomed.kill()
            doomed.wait()

    with doomed:
        try:
            desk.until(lambda: b'ready' in (said.read() or b''))
            yield let_it_die
        finally:
            doomed.kill()


class _Planners:
    """Several at once, who wait, cancel and hurry; codes: of their goals, n_served: not lost."""

    def __init__(self, desk: _Desk, config: PlanGoalsConfig) -> None:
        self.codes: collections.Counter[str] = collections.Counter()
        self.n_served = 0
        self._desk, self._config = desk, config
        self._rng = np.random.default_rng(0)
        self._waiting: list[_Goal] = []
        self._n_sent = 0

    def serve(self, n_goals: int, meanwhile: Callable[[], None]) -> None:
        """Send goals until there have been so many, and wait for their answers.

        Who has no answer in the end, or was cancelled unasked, was lost, and is counted so.
        """
        last = time.monotonic() + MOST_SECS_A_GOAL * (n_goals - self._n_sent)
        self._step(n_goals)
        meanwhile()
        self._desk.until(
            lambda: self._step(n_goals) or time.monotonic() > last, most_secs=np.inf)

    def _step(self, n_goals: int) -> bool:
        """Look what has been answered and send what is next; True: that was all."""
        while len(self._waiting) < self._config.at_once and self._n_sent < n_goals:
            self._n_sent += 1
            self._waiting.append(_Goal(self._desk, self._rng))
        for goal in self._waiting.copy():
            if (code := goal.code()) is not None:
                self.codes[code.name] += 1
                self.n_served += code is ErrorCode.OK or not goal.waits
                self._waiting.remove(goal)
        return self._n_sent == n_goals and not self._waiting


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


@dataclass(frozen=True, kw_only=True)
class _Live:
    """The live stream over some time; lowest_hz: in the worst WINDOW_SECS, a second apart."""

    chunks: int
    secs: float
    lowest_hz: float

    @property
    def hz(self) -> float:
        return self.chunks / self.secs


def _live(heard: _Heard, work: Callable[[], None]) -> _Live:
    """Measure it while the work is done."""
    started = time.monotonic()
    work()
    secs = time.monotonic() - started
    times = np.array(heard.chunks)
    times = times[(times >= started) & (times < started + secs)] - started
    window = min(WINDOW_SECS, secs)
    lowest = min(((times >= begin) & (times < begin + window)).sum()
                 for begin in np.arange(0.0, secs - window + 1e-6))
    return _Live(chunks=len(times), secs=secs, lowest_hz=float(lowest / window))


def _together(parts: Sequence[_Live]) -> float:
    """Chunks a second in all of them."""
    return sum(part.chunks for part in parts) / sum(part.secs for part in parts)
