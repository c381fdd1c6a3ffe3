"""Plays the camera of a recorded bag as if it were there: same messages, same pace."""

from __future__ import annotations

import pathlib
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy._rclpy_pybind11 import RCLError
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dragstream_ros.evaluation.image_bag import (
    CAMERA_INFO,
    BagError,
    BagMessage,
    open_image_bag,
)
from dragstream_ros.transport import set_up_transport

NEWEST = QoSProfile(depth=1)  # reliable: an image over 64 kB is many packets
PARTING_SECS = 0.5


class BagReplay(Node):
    """Publishes ``image`` or ``image/compressed``, as recorded, and ``camera_info``.

    Stamps stay those of the recording; in a loop they jump back, as from ``ros2 bag play``.
    """

    def __init__(self) -> None:
        """Open the bag that the parameter ``bag`` names; raises BagError."""
        super().__init__('bag_replay')
        bag = self._declare('bag', '', 'folder or file of a rosbag2 bag, MCAP or sqlite3')
        image_topic = self._declare(
            'image_topic', '', 'which images of the bag; empty: the only ones')
        self._rate = self._declare('rate', 1.0, 'speed; 1.0: as recorded', (0.01, 100.0))
        self._loop = self._declare('loop', False, 'start again at the end')
        self._wait_secs = self._declare(
            'wait_secs', 30.0, 'how long to wait for a subscriber before the first image, s',
            (0.0, 3600.0))
        has_clock = self._declare('publish_clock', False, 'publish the recording time on /clock')
        if not bag:
            raise BagError('The parameter bag is empty; please name a bag to replay.')
        self.bag = open_image_bag(
            pathlib.Path(bag).expanduser(), image_topic=image_topic)
        image = (CompressedImage, 'image/compressed') if self.bag.is_compressed else (
            Image, 'image')
        self._image = self.create_publisher(*image, NEWEST)
        self._camera_info = self.create_publisher(CameraInfo, 'camera_info', NEWEST)
        self._clock = self.create_publisher(Clock, '/clock', NEWEST) if has_clock else None

    def play(self) -> None:
        """Play the bag once, or for ever; raises BagError where it is damaged."""
        self._serve_until(
            time.monotonic() + self._wait_secs, unless=self._image.get_subscription_count)
        self.get_logger().info(
            f'plays {self.bag.n_images} images of {self.bag.image_topic}, '
            f'{self.bag.duration_secs:.1f} s')
        self._play_once()
        while self._loop:
            self._play_once()
        self._image.wait_for_all_acked(Duration(seconds=PARTING_SECS))

    def _play_once(self) -> None:
        started = time.monotonic()
        first_ns: int | None = None
        for message in self.bag.messages():
            first_ns = message.logged_ns if first_ns is None else first_ns
            self._serve_until(started + (message.logged_ns - first_ns) / 1e9 / self._rate)
            self._publish(message)
        # The last image is seen as long as any other.
        self._serve_until(time.monotonic() + 1 / max(self.bag.image_rate_hz, 1.0) / self._rate)

    def _publish(self, message: BagMessage) -> None:
        if self._clock is not None:
            sec, nanosec = divmod(message.logged_ns, 1_000_000_000)
            self._clock.publish(Clock(clock=Time(sec=sec, nanosec=nanosec)))
        publisher = self._camera_info if message.type == CAMERA_INFO else self._image
        publisher.publish(message.cdr)

    def _serve_until(
        self, due: float, *, unless: Callable[[], object] = lambda: False
    ) -> None:
        """Serve the node until a moment of time.monotonic(), or until the condition holds."""
        while (wait_secs := due - time.monotonic()) > 0 and not unless():
            rclpy.spin_once(self, timeout_sec=min(wait_secs, 0.1))

    def _declare(
        self,
        name: str,
        default: bool | float | str,
        description: str,
        limits: tuple[float, float] | None = None,
    ) -> Any:
        ranges = [FloatingPointRange(from_value=limits[0], to_value=limits[1])] if limits else []
        descriptor = ParameterDescriptor(
            description=description, read_only=True, floating_point_range=ranges)
        return self.declare_parameter(name, default, descriptor).value


def main() -> int:
    """Play a bag; returns the exit status, 1 if the bag cannot be played."""
    set_up_transport()
    rclpy.init()
    node = None
    try:
        node = BagReplay()
        node.play()
    except BagError as error:
        rclpy.logging.get_logger('bag_replay').error(str(error))
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RCLError:  # a signal came between two looks at the context
        if rclpy.ok():
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes twice: its own and launch's
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
