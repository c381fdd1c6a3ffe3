"""Node ``tabletop_camera``: the camera over the simulated tabletop.

Publishes ``image`` (rgb8), ``image/compressed`` (JPEG) and ``camera_info``, stamped by the node's
clock, and for whoever wants to know better than a camera can:

- ``truth/points``: PointCloud2 of one row, where the ground-truth points are in each image;
- ``truth/mask``: mono8, 0 background, i + 1 for thing i of the points;
- ``truth/plan``: PointCloud2 of several rows, where the points will be during the next second or so
  (``adapters/truth_cloud.py`` says what is in both clouds).

What nobody subscribes to is not made.
"""

from __future__ import annotations

import sys

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from dragstream_ros.adapters.image import byte_array, encode_jpeg, image_from_array
from dragstream_ros.adapters.truth_cloud import TruthPoints, cloud_from_points
from dragstream_ros.nodes.spin import declare, run_node
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.tabletop import SOURCES, open_tabletop

LONGEST_STEP_SECS = 0.5
"""After a longer pause (a stopped process, a jump of the clock) the world goes on where it was."""
PLAN_STEPS_HZ = 10.0
NEWEST = QoSProfile(depth=1)


class TabletopCamera(Node):
    """Draws the tabletop in its timer.

    On one CPU core without a GPU a picture takes about 4 ms at 256 x 256 and 10 ms at 640 x 480,
    a plan of 1 s 15 ms.
    """

    def __init__(self) -> None:
        super().__init__('tabletop_camera')
        self._rate_hz = declare(self, 'rate_hz', 30.0, 'images per second', (1.0, 60.0))
        plan_rate_hz = declare(
            self, 'plan_rate_hz', 2.0, 'messages on truth/plan per second', (0.1, 10.0))
        self._plan_secs = declare(
            self, 'plan_secs', 1.0, 'how far truth/plan looks ahead, s', (0.1, 5.0))
        self._jpeg_quality = declare(self, 'jpeg_quality', 90, 'of image/compressed', (1, 100))
        self._frame_id = declare(
            self, 'frame_id', 'camera_optical_frame', "the camera's optical frame")
        seed = declare(self, 'seed', 0, 'which world: the same number, the same world', (0, 2**62))
        source = declare(
            self, 'source', 'auto', f'{" | ".join(SOURCES)}: auto draws a live MuJoCo scene where '
            'it can, else it plays the bundled recording')
        width = declare(self, 'width', 256, 'of the images, px', (64, 1920))
        height = declare(self, 'height', 256, 'of the images, px', (64, 1200))
        self._tabletop = open_tabletop(seed, source=source, image_size=(width, height))
        self._image = self.create_publisher(Image, 'image', NEWEST)
        self._compressed = self.create_publisher(CompressedImage, 'image/compressed', NEWEST)
        self._info = self.create_publisher(CameraInfo, 'camera_info', NEWEST)
        self._points = self.create_publisher(PointCloud2, 'truth/points', NEWEST)
        self._mask = self.create_publisher(Image, 'truth/mask', NEWEST)
        self._plan = self.create_publisher(PointCloud2, 'truth/plan', NEWEST)
        self._plan_every = max(round(self._rate_hz / plan_rate_hz), 1)
        self._count = 0
        self._then_ns = self.get_clock().now().nanoseconds
        self.create_timer(1 / self._rate_hz, self._on_timer)
        self.get_logger().info(f'{self._tabletop.description}, {self._rate_hz:g} images/s')

    def _on_timer(self) -> None:
        now = self.get_clock().now()
        elapsed_secs = (now.nanoseconds - self._then_ns) / 1e9
        self._then_ns = now.nanoseconds
        if not 0 < elapsed_secs <= LONGEST_STEP_SECS:
            elapsed_secs = 1 / self._rate_hz
        self._tabletop.step(elapsed_secs)
        header = Header(stamp=now.to_msg(), frame_id=self._frame_id)
        self._info.publish(self._camera_info(header))
        if _wanted(self._image) or _wanted(self._compressed):
            frame = self._tabletop.render()
            if _wanted(self._image):
                self._image.publish(image_from_array(frame, header))
            if _wanted(self._compressed):
                self._compressed.publish(CompressedImage(
                    header=header, format='rgb8; jpeg compressed bgr8',
                    data=byte_array(encode_jpeg(frame, quality=self._jpeg_quality))))
        self._publish_truth(header, plan=self._count % self._plan_every == 0)
        self._count += 1

    def _publish_truth(self, header: Header, *, plan: bool) -> None:
        plan = plan and _wanted(self._plan)
        if not (plan or _wanted(self._points) or _wanted(self._mask)):
            return
        truth = self._tabletop.truth()
        if _wanted(self._mask):
            self._mask.publish(image_from_array(truth.mask, header))

        def cloud(offsets_secs: np.ndarray, points_px: np.ndarray) -> PointCloud2:
            return cloud_from_points(TruthPoints(
                points_px=points_px, offsets_secs=offsets_secs, point_visible=truth.point_visible,
                point_thing=truth.point_thing, image_size=self._tabletop.image_size), header)

        if _wanted(self._points):
            self._points.publish(cloud(np.zeros(1), truth.points_px[None]))
        if plan:
            self._plan.publish(
                cloud(*self._tabletop.look_ahead(self._plan_secs, rate_hz=PLAN_STEPS_HZ)))

    def _camera_info(self, header: Header) -> CameraInfo:
        width, height = self._tabletop.image_size
        focal = self._tabletop.intrinsics.focal_px
        x, y = self._tabletop.intrinsics.centre_px
        return CameraInfo(
            header=header, width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5,
            k=[focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0],
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p=[focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0])


def _wanted(publisher: Publisher) -> bool:
    return publisher.get_subscription_count() > 0


def main() -> int:
    """Run the node; returns the exit status."""
    return run_node(TabletopCamera, refusals=(NoGraphics, ValueError))


if __name__ == '__main__':
    sys.exit(main())
