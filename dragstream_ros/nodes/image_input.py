"""The camera subscription: the right topic, and reliable only where large images need it.

Fast DDS can hang a process that joins a reliable stream of fragmented messages
(docs/decisions/image_reliability.md).
"""

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

SMALL_BYTES = 400_000   # that the 512 kB of a publisher with Fast DDS's own settings hold whole
PATIENCE_SECS = 2.0     # without an image: perhaps they are so large that none gets through


class CameraSource(Protocol):
    """Which camera topic to take, and how: parameters of the same names."""

    @property
    def image_transport(self) -> str:
        """'raw' or 'compressed'."""

    @property
    def image_reliability(self) -> str:
        """'as_offered', 'reliable' or 'best_effort'."""


def reliability_for(
    wanted: str, offered: Sequence[ReliabilityPolicy], *, is_needed: bool
) -> ReliabilityPolicy:
    """What to ask for: 'reliable', 'best_effort', or 'as_offered' by all publishers together.

    Best effort matches every publisher: it is the start before there is one, and the way out when
    they differ. is_needed: the images are so large that best effort may lose most of them.
    """
    if wanted == 'reliable':
        return ReliabilityPolicy.RELIABLE
    if wanted == 'as_offered' and is_needed and offered and all(
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
        self._largest_bytes = 0     # of the images that have come
        self._since_secs = time.monotonic()
        self.reliability = reliability_for(self._wanted, [], is_needed=False)
        self._subscription = self._subscribe()

    def check_offer(self) -> None:
        """Subscribe anew if the publishers offer, or the images need, what they did not before.

        A publisher that starts after us, or starts again with another quality of service, is seen
        here; polling is what works on every ROS 2 distribution.
        """
        offered = self._offered()
        if not offered:
            self._since_secs = time.monotonic()
        reliability = reliability_for(self._wanted, offered, is_needed=self._is_reliable_needed)
        if reliability == self.reliability:
            return
        self.reliability = reliability
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe()
        self._node.get_logger().info(f'{self.topic}: subscribes {reliability.name.lower()}')

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    @property
    def _is_reliable_needed(self) -> bool:
        """What was needed once is kept: to go back would be to join anew."""
        if self.reliability == ReliabilityPolicy.RELIABLE or self._largest_bytes > SMALL_BYTES:
            return True
        return not self._largest_bytes and time.monotonic() - self._since_secs > PATIENCE_SECS

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
        self._take(RawFrame(
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
        self._take(RawFrame(
            data=memoryview(message.data),
            stamp_ns=ns_from_stamp(message.header.stamp),
            arrival_ns=time.monotonic_ns(),
            compressed=True,
            encoding=message.format,
        ), message.header.frame_id)

    def _take(self, frame: RawFrame, frame_id: str) -> None:
        self._largest_bytes = max(self._largest_bytes, len(frame.data))
        self._on_frame(frame, frame_id)


def camera_topic(node: Node, *, is_compressed: bool) -> str:
    """The camera topic's full name; `image` remapped takes `image/compressed` along."""
    if not is_compressed:
        return node.resolve_topic_name('image')
    plain = node.resolve_topic_name('image/compressed', only_expand=True)
    remapped = node.resolve_topic_name('image/compressed')
    return remapped if remapped != plain else f'{node.resolve_topic_name("image")}/compressed'
