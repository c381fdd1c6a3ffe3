"""A real predictor process, a camera and an operator, for tests over real DDS."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
import rclpy.executors
from command_line import processes_in_domain
from conftest import DOMAINS
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from dragstream_ros.action import Predict
from dragstream_ros.adapters.image import byte_array, encode_jpeg, image_from_array
from dragstream_ros.adapters.stamp import ns_from_stamp, stamp_from_ns
from dragstream_ros.msg import Drag, DragHandle, PredictedClip, PredictionInfo
from dragstream_ros.transport import set_up_transport

HERE = pathlib.Path(__file__).parent
# How many times longer than on a quiet computer to wait for things: a pass takes no longer for it.
PATIENCE = float(os.environ.get('DRAGSTREAM_TEST_PATIENCE', '3'))
NS = 1_000_000_000
WIDTH, HEIGHT = 128, 96
PICTURE = np.random.default_rng(0).integers(
    0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
INFO_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@contextlib.contextmanager
def claimed_domain() -> Iterator[int]:
    """A ROS domain that no other test on this machine uses, for this process and its children."""
    folder = pathlib.Path(tempfile.gettempdir()) / 'dragstream_ros_test_domains'
    folder.mkdir(exist_ok=True)
    for domain in DOMAINS:
        with (folder / str(domain)).open('w') as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if processes_in_domain(domain):  # not ours, or left by a test that failed
                continue
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv('ROS_DOMAIN_ID', str(domain))
                patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
                patch.setenv('PYTHONPATH', str(HERE), prepend=os.pathsep)
                yield domain
            return
    pytest.fail('all ROS domains are in use by tests')


class PredictorProcess:
    """The node as a user starts it, with the stub for a world model unless told otherwise."""

    def __init__(self, *arguments: str, **parameters: object) -> None:
        parameters = {
            'world_model': 'stub_world_model:load', 'autostart': True,
            # From the first image on: what is filmed is small and would be taken as it comes.
            'image_reliability': 'reliable',
            # The stub predicts faster than a busy machine can listen.
            'qos_overrides./prediction/clip.publisher.depth': 100, **parameters}
        words = [f'{name}:={_yaml(value)}' for name, value in parameters.items()]
        self._stderr = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'dragstream_ros.nodes.predictor', '--ros-args', *arguments,
             *[part for word in words for part in ('-p', word)]],
            stderr=self._stderr)

    def end(self, *signals: signal.Signals, timeout_secs: float = 10.0) -> int:
        """Send signals, wait for the end; returns the exit status."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(timeout_secs * PATIENCE)

    @property
    def log(self) -> str:
        """What it has written."""
        self._stderr.seek(0)
        return self._stderr.read()

    @property
    def children(self) -> list[int]:
        """Process ids of its children."""
        found = []
        for task in pathlib.Path(f'/proc/{self.process.pid}/task').iterdir():
            with contextlib.suppress(FileNotFoundError):    # a thread that has just ended
                found += map(int, (task / 'children').read_text().split())
        return found

    def kill(self) -> None:
        """End it by force, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._stderr.close()


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Bench:
    """A node with a camera, an operator, and ears for everything the predictor says."""

    def __init__(self, domain: int, *, reliability: ReliabilityPolicy | None = None) -> None:
        set_up_transport()
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node('bench', context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        qos = QoSProfile(depth=5, reliability=reliability or ReliabilityPolicy.RELIABLE)
        self.camera = self.node.create_publisher(Image, 'image', qos)
        self.jpeg_camera = self.node.create_publisher(CompressedImage, 'image/compressed', qos)
        self.camera_info = self.node.create_publisher(CameraInfo, 'camera_info', 5)
        self.operator = self.node.create_publisher(Drag, 'drag', 10)
        self.heard: list[object] = []  # infos, images, clips in the order they came
        self.diagnostics: list[DiagnosticArray] = []
        self.stamp_ns = 1_000 * NS
        self.picture = PICTURE
        self._subscribe(PredictionInfo, 'prediction/info', INFO_QOS)
        self._subscribe(Image, 'prediction/image', QoSProfile(depth=10))
        self._subscribe(PredictedClip, 'prediction/clip', QoSProfile(depth=100))
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', self.diagnostics.append, 10)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def _subscribe(self, kind: type, topic: str, qos: QoSProfile) -> None:
        self.node.create_subscription(kind, topic, self.heard.append, qos)

    # Time passes.

    def spin(self, secs: float) -> None:
        """Listen for a while."""
        deadline = time.monotonic() + secs
        while (left := deadline - time.monotonic()) > 0:
            self.executor.spin_once(timeout_sec=left)

    def start_filming(self) -> None:
        """Wait until the predictor has found the camera and answers."""
        self.until(self.clips, 30.0, filming=True)

    def until(self, condition: Callable, timeout_secs: float = 10.0, *, filming: bool = False):
        """Listen until condition() is true, which is returned; filming: the camera goes on."""
        deadline = time.monotonic() + timeout_secs * PATIENCE
        next_image = 0.0
        while not (result := condition()):
            assert time.monotonic() < deadline, f'not within {timeout_secs} s; heard {self.said()}'
            if filming and time.monotonic() >= next_image:
                self.film()
                next_image = time.monotonic() + 0.05
            self.executor.spin_once(timeout_sec=0.02)
        return result

    # The camera and the operator.

    def film(
        self, picture: np.ndarray | None = None, *, stamp_ns: int | None = None, **fields
    ) -> Image:
        """Publish one image, 0.05 s after the last by its stamp; None: the usual picture."""
        self.stamp_ns = self.stamp_ns + NS // 20 if stamp_ns is None else stamp_ns
        message = image_from_array(self.picture if picture is None else picture, self.header())
        for name, value in fields.items():
            setattr(message, name, value)
        self.camera.publish(message)
        return message

    def film_jpeg(self, *, keep_bytes: int | None = None) -> None:
        """Publish one compressed image, cut off after keep_bytes."""
        self.stamp_ns += NS // 20
        data = encode_jpeg(PICTURE)[:keep_bytes]
        self.jpeg_camera.publish(CompressedImage(
            header=self.header(), format='jpeg', data=byte_array(data)))

    def header(self, stamp_ns: int | None = None) -> Header:
        return Header(
            stamp=stamp_from_ns(self.stamp_ns if stamp_ns is None else stamp_ns), frame_id='eye')

    def drag(self, *path, **fields) -> Drag:
        """Publish a drag on the newest image."""
        message = self.drag_message(*path, **fields)
        self.operator.publish(message)
        return message

    def drag_message(self, *path, phase: int = Drag.BEGIN, stamp_ns: int | None = None,
                     drag_id: str = 'a', **fields) -> Drag:
        path = path or ((40.0, 40.0), (80.0, 40.0))
        handle = DragHandle(name='gripper', path=[Point(x=float(x), y=float(y)) for x, y in path])
        return Drag(**{
            'header': self.header(stamp_ns), 'image_width': WIDTH, 'image_height': HEIGHT,
            'drag_id': drag_id, 'phase': phase, 'handles': [handle], **fields})

    # What was heard.

    def of(self, kind: type) -> list:
        return [message for message in self.heard if isinstance(message, kind)]

    def infos(self, **fields) -> list[PredictionInfo]:
        return [info for info in self.of(PredictionInfo)
                if all(getattr(info, name) == value for name, value in fields.items())]

    def clips(self, **fields) -> list[PredictedClip]:
        return [clip for clip in self.of(PredictedClip)
                if all(getattr(clip, name) == value for name, value in fields.items())]

    def problem(self, code: int) -> PredictionInfo | None:
        found = self.infos(code=int(code))
        return found[0] if found else None

    def said(self) -> list[str]:
        """Codes and sentences so far, for the message of a failed test."""
        return [f'{info.code} {info.message}' for info in self.infos() if info.code]

    def status(self, key: str) -> str | None:
        """A value of the newest diagnostics of the predictor."""
        for array in reversed(self.diagnostics):
            for status in array.status:
                for value in status.values:
                    if value.key == key:
                        return value.value
        return None

    # Services.

    def call(self, kind: type, name: str, request, timeout_secs: float = 10.0):
        """Call a service, once it is there, and return its answer."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, timeout_secs)
        future = client.call_async(request)
        self.until(future.done, timeout_secs)
        self.node.destroy_client(client)
        return future.result()

    def transition(self, number: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=number))
        return self.call(ChangeState, '/predictor/change_state', request).success


@contextlib.contextmanager
def planner_bench() -> Iterator[Bench]:
    """A predictor that films, and a bench with a client of the action `predict`."""
    with claimed_domain() as domain:
        predictor, bench = PredictorProcess(), Bench(domain)
        try:
            bench.start_filming()
            bench.client = ActionClient(bench.node, Predict, 'predict')
            bench.until(bench.client.server_is_ready)
            yield bench
            bench.client.destroy()
            assert predictor.process.poll() is None and 'Traceback' not in predictor.log
        finally:
            bench.close()
            predictor.kill()


def stamp_of(message) -> int:
    return ns_from_stamp(message.header.stamp)
