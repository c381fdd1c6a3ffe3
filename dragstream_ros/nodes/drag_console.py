"""Node ``drag_console``: a web page on which operators drag in the camera picture.

Shows ``image`` and ``prediction/clip``, publishes ``drag``, and calls the predictor's ``reset``.
The page is served by a thread of its own; here is only what ROS sees of it. Pictures are listened
to only while somebody looks.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from std_srvs.srv import Trigger

from dragstream_ros.adapters.drag_request import drag_from_request
from dragstream_ros.adapters.image import array_from_image
from dragstream_ros.adapters.stamp import ns_from_stamp
from dragstream_ros.console.access import AccessError, make_access
from dragstream_ros.console.allowance import Allowance
from dragstream_ros.console.picture_feed import PictureFeedConfig
from dragstream_ros.console.pictures import Clip
from dragstream_ros.console.requests import DragRequest
from dragstream_ros.console.server import ConsoleServer, ServerConfig, ServerError
from dragstream_ros.errors import ErrorCode
from dragstream_ros.msg import Drag, PredictedClip, PredictionInfo
from dragstream_ros.nodes.image_input import ImageInput
from dragstream_ros.nodes.spin import declare, run_node
from dragstream_ros.worker.mailbox import RawFrame

COMMANDS = QoSProfile(depth=10)
STATE = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OFFER_EVERY_SECS = 1.0
NICENESS = 5  # where both want the processor, it is the predictor's
NUMBERS_HZ = 2.0  # that people read; the predictor tells them with each of its frames


@dataclass(frozen=True)
class CameraSource:
    """Which camera topic to take."""

    image_transport: str
    image_reliability: str


class DragConsole(Node):
    """The console's robot: publishes its drags, shows it the topics."""

    def __init__(self) -> None:
        """Declare the parameters and serve the page.

        :raises AccessError, ServerError, ValueError: it cannot be served as the parameters say
        """
        self._server: ConsoleServer | None = None  # there is none after a refusal
        super().__init__('drag_console')
        config = ServerConfig(
            address=declare(
                self, 'address', '127.0.0.1', 'where to listen; other machines can reach it only '
                'with a token'),
            port=declare(self, 'port', 8088, 'of the page; 0: any that is free', (0, 65535)))
        token_file = declare(
            self, 'token_file', '', 'file with the token that pages must show; empty: the '
            'environment variable DRAGSTREAM_CONSOLE_TOKEN')
        feed = PictureFeedConfig(
            jpeg_quality=declare(self, 'jpeg_quality', 85, 'of the pictures', (1, 100)),
            camera_rate_hz=declare(
                self, 'camera_rate_hz', 20.0, 'at most so many camera pictures a second are sent',
                (1.0, 60.0)))
        self._source = CameraSource(
            declare(self, 'image_transport', 'raw', 'raw or compressed camera images'),
            declare(self, 'image_reliability', 'as_offered', 'as_offered, reliable or best_effort'))
        access = make_access(config.address, token_file)
        self._drags = self.create_publisher(Drag, 'drag', COMMANDS)
        self._reset_client = self.create_client(Trigger, 'predictor/reset')
        self._image_input: ImageInput | None = None
        self._clips: Subscription | None = None
        self._is_watched = False
        self._numbers = Allowance(NUMBERS_HZ, burst=1)
        self._watch_changed = self.create_guard_condition(self._on_watch_changed)
        self._server = ConsoleServer(self, access=access, config=config, feed=feed)
        self._console = self._server.console
        self.create_subscription(PredictionInfo, 'prediction/info', self._on_info, STATE)
        self.create_timer(OFFER_EVERY_SECS, self._on_timer)
        token = '/?token=...' if access.token else ''
        self.get_logger().info(
            f'Open http://{config.address}:{self._server.port}{token} in a browser.')

    def destroy_node(self) -> None:
        """Close the pages first."""
        if self._server is not None:
            self._server.stop()
        super().destroy_node()

    # What the console asks for, in its server's thread.

    def drag(self, request: DragRequest, *, operator: str, drag_id: str, frame_id: str) -> None:
        """Publish a drag."""
        message = drag_from_request(
            request, operator_id=operator, drag_id=drag_id, frame_id=frame_id)
        try:
            self._drags.publish(message)
        except RCLError:  # told to end, while pages are still open
            if rclpy.ok():
                raise

    def reset(self, answer: Callable[[str], None]) -> None:
        """Start the prediction over; answer is called with one sentence."""
        if not self._reset_client.service_is_ready():
            answer('The predictor is not running; there is nothing to reset.')
            return
        self._reset_client.call_async(Trigger.Request()).add_done_callback(
            lambda future: answer(future.result().message))

    def watch(self, is_watched: bool) -> None:
        """Somebody can see the pictures, or nobody can."""
        self._is_watched = is_watched
        self._watch_changed.trigger()

    # What ROS says.

    def _on_watch_changed(self) -> None:
        if self._is_watched and self._image_input is None:
            self._clips = self.create_subscription(
                PredictedClip, 'prediction/clip', self._on_clip, COMMANDS)
            self._image_input = ImageInput(self, self._source, self._on_camera)
        elif not self._is_watched and self._image_input is not None:
            self.destroy_subscription(self._clips)
            self._image_input.destroy()
            self._image_input = None

    def _on_timer(self) -> None:
        if self._image_input is not None:
            self._image_input.check_offer()

    def _on_camera(self, raw: RawFrame, frame_id: str) -> None:
        """Show it, and rest until the next one is due.

        To look for messages costs rclpy more than to take one: what comes meanwhile is served
        together, and the processor is the predictor's.
        """
        time.sleep(self._console.feed.put_camera(raw, frame_id))

    def _on_clip(self, message: PredictedClip) -> None:
        if not message.frames:
            return
        self._console.feed.put_clip(Clip(
            frames=[array_from_image(frame) for frame in message.frames],
            offsets_secs=message.offsets_secs, confidence=message.confidence,
            tracks_px=[[(p.x, p.y) for p in track.positions] for track in message.tracks],
            stamp_ns=ns_from_stamp(message.header.stamp), frame_id=message.header.frame_id,
            epoch=message.epoch, anchor=message.anchor, chunk=message.chunk,
            is_last=message.last, drag_id=message.drag_id))

    def _on_info(self, message: PredictionInfo) -> None:
        if message.code == PredictionInfo.OK:
            if not self._numbers.take(time.monotonic()):
                return
            self._console.tell({
                'type': 'prediction', 'latency_secs': message.latency_secs,
                'drift': message.drift, 'confidence': message.confidence,
                'is_late': message.late, 'drag_id': message.drag_id})
            return
        try:
            code = ErrorCode(message.code)
        except ValueError:  # of a newer predictor
            code = ErrorCode.OK
        self._console.tell({
            'type': 'problem', 'sentence': message.message, 'code': code.name,
            'is_warning': code.is_warning, 'drag_id': message.drag_id})


def main() -> int:
    """Run the node; returns the exit status."""
    os.nice(NICENESS)
    return run_node(DragConsole, refusals=(AccessError, ServerError, ValueError))


if __name__ == '__main__':
    sys.exit(main())
