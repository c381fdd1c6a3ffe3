"""A real drag_adapter process with a camera and ears for its drags, for tests over real DDS."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from predictor_harness import PATIENCE, Bench, claimed_domain
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage
from visualization_msgs.srv import GetInteractiveMarkers

from dragstream_ros.msg import Drag


class AdapterBench(Bench):
    """The node as a user starts it; close() ends it and looks for tracebacks."""

    def __init__(self, domain: int, *arguments: str, **parameters: object) -> None:
        super().__init__(domain)
        self.drags: list[Drag] = []
        self.node.create_subscription(Drag, 'drag', self.drags.append, QoSProfile(depth=1000))
        parameters = {'image_reliability': 'reliable', **parameters}    # no image is lost
        said = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
        self._stderr = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'dragstream_ros.nodes.drag_adapter', '--ros-args', *arguments,
             *said], stderr=self._stderr)

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            assert self.process.wait(10 * PATIENCE) == 0, self.log
            assert 'Traceback' not in self.log, self.log
        finally:
            self.process.kill()
            super().close()

    @property
    def log(self) -> str:
        """What it has written."""
        self._stderr.seek(0)
        return self._stderr.read()

    def said(self) -> list[str]:
        return self.log.splitlines()[-10:]

    def is_ready(self) -> bool:
        """It has seen an image."""
        statuses = [status for array in self.diagnostics[-1:] for status in array.status]
        return any(status.message == 'Ready.' for status in statuses)

    def start_filming(self) -> None:
        """Wait until the adapter has found the camera."""
        self.until(self.is_ready, 30.0, filming=True)

    def handles(self) -> GetInteractiveMarkers.Response:
        """What RViz2 is told when it asks for the interactive markers."""
        return self.call(
            GetInteractiveMarkers, 'drag_handle/get_interactive_markers',
            GetInteractiveMarkers.Request())

    def calibrate(self, info: CameraInfo) -> None:
        """Publish a camera_info until the adapter has taken it: it shows its handle, or says why
        not."""
        def is_taken() -> bool:
            self.camera_info.publish(info)
            return bool(self.handles().markers or self.refused('interactive_marker'))

        self.until(is_taken, 30.0, filming=True)

    def look(self) -> int:
        """Publish an image that the adapter has seen when this returns; its stamp."""
        self.film()
        for _ in range(3):  # ROS keeps no order between topics, and this machine may be busy
            self.spin(0.08)
            self.film(stamp_ns=self.stamp_ns)
        self.spin(0.08)
        return self.stamp_ns

    def tool(self, kind: type, topic: str):
        """A publisher of a tool, once the adapter listens to it."""
        publisher = self.node.create_publisher(kind, topic, QoSProfile(depth=1000))
        self.until(publisher.get_subscription_count, 30.0)
        return publisher

    def rename_jpeg_camera(self, topic: str) -> None:
        """Publish compressed images there from now on."""
        self.jpeg_camera = self.node.create_publisher(CompressedImage, topic, 1)

    def refused(self, tool: str) -> int:
        """How often, by the newest diagnostics."""
        return int(self.status(f'refused of {tool}') or 0)


@contextlib.contextmanager
def adapter_bench(*arguments: str, **parameters: object) -> Iterator[AdapterBench]:
    """A bench in a ROS domain of its own."""
    with claimed_domain() as domain:
        bench = AdapterBench(domain, *arguments, **parameters)
        try:
            yield bench
        finally:
            bench.close()


def path_of(drag: Drag) -> list[tuple[float, float]]:
    return [(point.x, point.y) for point in drag.handles[0].path]
