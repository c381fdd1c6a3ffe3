"""Node ``bag_replay``: plays the camera of a recorded bag as if it were there.

Publishes ``image`` or ``image/compressed``, whichever was recorded, and ``camera_info``: the same
bytes at the same pace. Stamps stay those of the recording; in a loop they jump back, as those of
``ros2 bag play`` do.
"""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Iterator

import rclpy
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dragstream_ros.adapters.stamp import NS_PER_SEC
from dragstream_ros.evaluation.image_bag import CAMERA_INFO, BagError, BagMessage, open_image_bag
from dragstream_ros.nodes.spin import declare, run_node

NEWEST = QoSProfile(depth=1)
LOOK_EVERY_SECS = 0.05
PARTING = Duration(seconds=0.5)


class BagReplay(Node):
    """Plays once, or again and again; ends its process when it is done."""

    def __init__(self) -> None:
        """Open the bag that the parameter ``bag`` names; raises BagError."""
        super().__init__('bag_replay')
        path = declare(self, 'bag', '', 'folder or file of a rosbag2 bag, MCAP or sqlite3')
        image_topic = declare(
            self, 'image_topic', '', 'which images of the bag; empty: the only ones')
        self._rate = declare(self, 'rate', 1.0, 'speed; 1.0: as recorded', (0.01, 100.0))
        self._loop = declare(self, 'loop', False, 'start again at the end')
        self._wait_secs = declare(
            self, 'wait_secs', 30.0, 'for how long the first image waits for subscribers, s',
            (0.0, 3600.0))
        self._n_subscribers = declare(
            self, 'n_subscribers', 1, 'how many of them', (0, 100))
        has_clock = declare(self, 'publish_clock', False, 'publish the recorded time on /clock')
        if not path:
            raise BagError('The parameter bag is empty; please name a bag to replay.')
        self._bag = open_image_bag(pathlib.Path(path).expanduser(), image_topic=image_topic)
        image = (CompressedImage, 'image/compressed') if self._bag.is_compressed else (
            Image, 'image')
        self._image = self.create_publisher(*image, NEWEST)
        self._camera_info = self.create_publisher(CameraInfo, 'camera_info', NEWEST)
        self._clock = self.create_publisher(ClockMessage, '/clock', NEWEST) if has_clock else None
        self._waits_secs = self._play()
        # On the computer's own time: the ROS clock may be the one that is published here.
        self._timer = self.create_timer(
            LOOK_EVERY_SECS, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_timer(self) -> None:
        wait_secs = next(self._waits_secs, None)
        if wait_secs is None:
            self._image.wait_for_all_acked(PARTING)
            rclpy.try_shutdown()
            return
        self._timer.timer_period_ns = round(max(wait_secs, 0.0) * NS_PER_SEC)

    def _play(self) -> Iterator[float]:
        """Publish what is due and yield how many seconds to wait, until the end."""
        deadline = time.monotonic() + self._wait_secs
        while (self._image.get_subscription_count() < self._n_subscribers
               and time.monotonic() < deadline):
            yield LOOK_EVERY_SECS
        self.get_logger().info(
            f'plays {self._bag.n_images} images of {self._bag.image_topic}, '
            f'{self._bag.duration_secs:.1f} s')
        yield from self._play_once()
        while self._loop:
            yield from self._play_once()

    def _play_once(self) -> Iterator[float]:
        started = time.monotonic()
        first_ns: int | None = None
        for message in self._bag.messages():
            first_ns = message.logged_ns if first_ns is None else first_ns
            due = started + (message.logged_ns - first_ns) / NS_PER_SEC / self._rate
            if (wait_secs := due - time.monotonic()) > 0:
                yield wait_secs
            self._publish(message)
        yield 1 / max(self._bag.image_rate_hz, 1.0) / self._rate  # the last image is seen, too

    def _publish(self, message: BagMessage) -> None:
        if self._clock is not None:
            sec, nanosec = divmod(message.logged_ns, NS_PER_SEC)
            self._clock.publish(ClockMessage(clock=Time(sec=sec, nanosec=nanosec)))
        publisher = self._camera_info if message.type == CAMERA_INFO else self._image
        publisher.publish(message.cdr)


def main() -> int:
    """Run the node; returns the exit status, 1 if the bag cannot be played."""
    return run_node(BagReplay, refusals=(BagError, ValueError))


if __name__ == '__main__':
    sys.exit(main())
