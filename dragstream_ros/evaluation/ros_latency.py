"""What ROS costs: the real graph over DDS, from a camera's image to its prediction's arrival.

This process is the camera, the operator and a user who asks for parameters all the while.
"""

from __future__ import annotations

import pathlib
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point
from rclpy.parameter_client import AsyncParameterClient
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.adapters.stamp import ns_from_stamp, stamp_from_ns
from dragstream_ros.evaluation.listener import Listener
from dragstream_ros.evaluation.metrics import percentiles
from dragstream_ros.evaluation.run_guard import keep_to_this_machine, last_complaint
from dragstream_ros.evaluation.table_film import camera_frames
from dragstream_ros.graph import PREDICTOR, Argument, Launch
from dragstream_ros.msg import Drag, DragHandle, PredictionInfo
from dragstream_ros.runner import NodeGroup, RunError
from dragstream_ros.transport import set_up_transport

NS = 1_000_000_000
GRAPH = Launch('bench', 'the predictor alone', (PREDICTOR,), (
    Argument('world_model', 'predictor', 'world_model', ''),
    Argument('weights_folder', 'predictor', 'weights_folder', '')))
HEARD = {'prediction/info': PredictionInfo, '/diagnostics': DiagnosticArray}
FIRST_PREDICTION_SECS = 60.0
DRAG_EVERY_SECS = 1.0       # an operator who holds on; the predictor waits two for the next message
DRAG_SHARE = 0.1            # length, of the picture's width


class RosBenchError(Exception):
    """The graph did not work; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class RosLatencyConfig:
    """secs: first half without a drag, second half dragging. parameter_calls: in that time."""

    secs: float = 40.0
    image_size: tuple[int, int] = (640, 480)
    camera_rate_hz: float = 30.0
    parameter_calls: int = 100
    world_model: str = 'tabletop'
    weights_folder: str = ''


@dataclass
class _Heard:
    """What came while measuring; times are time.monotonic_ns()."""

    published_ns: dict[int, int] = field(default_factory=dict)          # by the image's stamp
    first_frames: list[tuple[PredictionInfo, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    diagnostics: dict[str, str] = field(default_factory=dict)
    longest_ms: dict[str, float] = field(default_factory=dict)          # by callback
    answers_ms: list[float] = field(default_factory=list)

    def take(self, topic: str, cdr: bytes, arrival_ns: int) -> None:
        message = deserialize_message(cdr, HEARD[topic])
        if topic == '/diagnostics':
            self.diagnostics = {
                value.key: value.value for status in message.status for value in status.values}
            for key, value in self.diagnostics.items():
                if found := re.fullmatch('callback (.*), ms', key):
                    name = found[1]
                    self.longest_ms[name] = max(self.longest_ms.get(name, 0.0), float(value))
        elif message.code != PredictionInfo.OK:
            self.problems.append(f'{message.code}: {message.message}')
        elif message.chunk == message.index == 0:
            self.first_frames.append((message, arrival_ns))


def run_ros_latency(config: RosLatencyConfig) -> dict[str, Any]:
    """Run the graph and measure; plain data for JSON.

    ros_ms is all but the worker: transport, from the camera's publish call to the predictor and
    from there to us, and the predictor node's own work. Its percentiles are the sums of those of
    the two, so p95 is an upper bound. Raises RosBenchError.
    """
    keep_to_this_machine()
    set_up_transport()
    heard = _Heard()
    said = {'world_model': config.world_model, 'weights_folder': config.weights_folder}
    with tempfile.TemporaryDirectory() as folder:
        log_path = pathlib.Path(folder) / 'nodes.log'
        try:
            with log_path.open('w') as log, Listener(HEARD, heard.take) as listener, \
                    NodeGroup(GRAPH, said=said, log=log) as group:
                _play(listener, heard, config, lambda: group.ended() is None)
        except RunError as error:
            raise RosBenchError(f'{error} {last_complaint(log_path)}') from error
    return _evaluate(heard)


def _play(
        listener: Listener, heard: _Heard, config: RosLatencyConfig,
        is_alive: Callable[[], bool]) -> None:
    """Publish images; from the first prediction on, ask for parameters and, later, drag."""
    camera = listener.node.create_publisher(Image, 'image', 1)
    operator = listener.node.create_publisher(Drag, 'drag', 10)
    parameters = AsyncParameterClient(listener.node, 'predictor')
    started = next_image = time.monotonic()
    measuring_since: float | None = None
    next_call = next_drag = 0.0
    phase = Drag.BEGIN
    for frame, _ in camera_frames(config.image_size, rate_hz=config.camera_rate_hz):
        now = time.monotonic()
        if measuring_since is None and heard.first_frames:
            heard.first_frames.clear()
            measuring_since = next_call = now
            next_drag = now + config.secs / 2
        if measuring_since is None and now - started > FIRST_PREDICTION_SECS or not is_alive():
            raise RosBenchError(
                'Nothing was predicted: ' + (heard.problems[-1] if heard.problems else 'no error'))
        if measuring_since is not None and now - measuring_since > config.secs:
            return
        stamp_ns = time.time_ns()
        header = Header(stamp=stamp_from_ns(stamp_ns), frame_id='camera')
        message = image_from_array(frame, header)
        heard.published_ns[stamp_ns] = time.monotonic_ns()
        camera.publish(message)
        if measuring_since is not None and now >= next_drag:
            operator.publish(_drag(header, config, phase))
            next_drag += DRAG_EVERY_SECS
            phase = Drag.UPDATE
        if measuring_since is not None and now >= next_call:
            _ask(parameters, heard)
            next_call += config.secs / config.parameter_calls
        next_image += 1 / config.camera_rate_hz
        time.sleep(max(0.0, next_image - time.monotonic()))


def _ask(parameters: AsyncParameterClient, heard: _Heard) -> None:
    asked = time.perf_counter()
    answer = parameters.get_parameters(['horizon_secs'])
    answer.add_done_callback(
        lambda _: heard.answers_ms.append(1e3 * (time.perf_counter() - asked)))


def _drag(header: Header, config: RosLatencyConfig, phase: int) -> Drag:
    width, height = config.image_size
    path = [(width / 2, height / 2), (width * (0.5 + DRAG_SHARE), height / 2)]
    return Drag(
        header=header, image_width=width, image_height=height, operator_id='bench',
        drag_id='bench', phase=phase,
        handles=[DragHandle(path=[Point(x=x, y=y) for x, y in path])])


def _evaluate(heard: _Heard) -> dict[str, Any]:
    seen = [
        (1e-6 * (arrival_ns - heard.published_ns[stamp_ns]), 1e3 * info.latency_secs, info.drag_id)
        for info, arrival_ns in heard.first_frames
        if (stamp_ns := ns_from_stamp(info.header.stamp)) in heard.published_ns]
    if len(seen) < 2 or not heard.answers_ms or not heard.diagnostics:
        raise RosBenchError(f'Too little was heard: {len(seen)} predictions, '
                            f'{len(heard.answers_ms)} answers of the parameter service.')
    total_ms, inside_ms = (np.array(column) for column in list(zip(*seen))[:2])
    transport = percentiles((total_ms - inside_ms).tolist())
    node = {p: float(heard.diagnostics[f"ROS's part of the latency {p}, ms"])
            for p in ('p50', 'p95')}
    return {
        'predictions': len(seen),
        'dragged_predictions': sum(bool(drag_id) for _, _, drag_id in seen),
        'image_to_prediction_ms': percentiles(total_ms.tolist()),
        'ros_ms': {p: transport[p] + node[p] for p in ('p50', 'p95')},
        'ros_parts_ms': {'transport': transport, 'node': node},
        'longest_callback_ms': float(heard.diagnostics['longest callback, ms']),
        'longest_callback_ms_by_name': heard.longest_ms,
        'parameter_calls': len(heard.answers_ms),
        'parameter_service_ms': percentiles(heard.answers_ms),
        'camera_hz': float(heard.diagnostics['camera images per s']),
        'predicted_secs_per_sec': float(heard.diagnostics['predicted s per s']),
        'problems': sorted(set(heard.problems))}
