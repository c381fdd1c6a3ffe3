"""The camera subscription: the right topic, and the reliability that its publisher offers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from dragstream_ros.adapters.stamp import ns_from_stamp
from dragstream_ros.worker.mailbox import RawFrame


class CameraSource(Protocol):
    """Which camera topic to take, and how: parameters of the same names."""

    @property
    def image_transport(self) -> str:
        """'raw' or 'compressed'."""

    @property
    def image_reliability(self) -> str:
        """'as_offered', 'reliable' or 'best_effort'."""


def reliability_for(wanted: str, offered: Sequence[ReliabilityPolicy]) -> ReliabilityPolicy:
    """What to ask for: 'reliable', 'best_effort', or 'as_offered' by all publishers together.

    Best effort matches every publisher, so it is the start before there is one, and the way out
    when they differ. Reliable is what large images need (config/fastdds.xml).
    """
    if wanted == 'reliable':
        return ReliabilityPolicy.RELIABLE
    if wanted == 'as_offered' and offered and all(
            policy == ReliabilityPolicy.RELIABLE for policy in offered):
        return ReliabilityPolicy.RELIABLE
    return ReliabilityPolicy.BEST_EFFORT


class ImageInput:
    """Subscribes to the camera's images and hands each on as a RawFrame, without looking into it.

    on_frame is called with each frame and its frame_id.
    """

    def __init__(
        self, node: Node, source: CameraSource, on_frame: Callable[[RawFrame, str], None]
    ) -> None:
        """Subscribe; call check_offer() now and then."""
        self._node = node
        self._on_frame = on_frame
        self._wanted = source.image_reliability
        self._is_compressed = source.image_transport == 'compressed'
        self.topic = camera_topic(node, is_compressed=self._is_compressed)
        self.reliability = reliability_for(self._wanted, self._offered())
        self._subscription = self._subscribe()

    def check_offer(self) -> None:
        """Subscribe anew if the publishers offer something else than when we last looked.

        A publisher that starts after us, or starts again with another quality of service, is seen
        here; polling is what works on every ROS 2 distribution.
        """
        reliability = reliability_for(self._wanted, self._offered())
        if reliability == self.reliability:
            return
        self.reliability = reliability
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe()
        self._node.get_logger().info(f'{self.topic}: subscribes {reliability.name.lower()}')

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _offered(self) -> list[ReliabilityPolicy]:
        infos = self._node.get_publishers_info_by_topic(self.topic)
        return [info.qos_profile.reliability for info in infos]

    def _subscribe(self) -> Subscription:
        qos = QoSProfile(depth=1, reliability=self.reliability)
        if self._is_compressed:
            return self._node.create_subscription(
                CompressedImage, self.topic, self._on_compressed, qos)
        return self._node.create_subscription(Image, self.topic, self._on_image, qos)

    def _on_image(self, message: Image) -> None:
        self._on_frame(RawFrame(
            data=memoryview(message.data),
            stamp_ns=ns_from_stamp(message.header.stamp),
            arrival_ns=time.monotonic_ns(),
            encoding=message.encoding,
            height=message.height,
            width=message.width,
            step=message.step,
            is_bigendian=bool(message.is_bigendian),
        ), message.header.frame_id)

    def _on_compressed(self, message: CompressedImage) -> None:
        self._on_frame(RawFrame(
            data=memoryview(message.data),
            stamp_ns=ns_from_stamp(message.header.stamp),
            arrival_ns=time.monotonic_ns(),
            compressed=True,
            encoding=message.format,
        ), message.header.frame_id)


def camera_topic(node: Node, *, is_compressed: bool) -> str:
    """The camera topic's full name; `image` remapped takes `image/compressed` along."""
    if not is_compressed:
        return node.resolve_topic_name('image')
    plain = node.resolve_topic_name('image/compressed', only_expand=True)
    remapped = node.resolve_topic_name('image/compressed')
    return remapped if remapped != plain else f'{node.resolve_topic_name("image")}/compressed'
