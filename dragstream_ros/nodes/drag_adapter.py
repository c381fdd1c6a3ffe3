"""Node ``drag_adapter``: turns what the standard ROS 2 tools publish into ``drag``.

This file only wires: what a tool's messages mean is said in ``tools/``, one file per tool.
docs/how_an_operator_drags.md describes it from the outside.
"""

from __future__ import annotations

import functools
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from dragstream_ros.errors import DragStreamError
from dragstream_ros.nodes.drag_sender import DragSender
from dragstream_ros.nodes.image_input import ImageInput, camera_topic
from dragstream_ros.nodes.spin import declare, run_node
from dragstream_ros.tools.stroke import Refusal, View
from dragstream_ros.tools.two_clicks import TwoClicks, TwoClicksConfig
from dragstream_ros.worker.mailbox import RawFrame

COMMANDS = QoSProfile(depth=10)
HOUSEKEEPING_SECS = 0.25


@dataclass(frozen=True)
class _Camera:
    image_transport: str
    image_reliability: str


class DragAdapter(Node):
    """Serves all tools that are switched on; the newest drag wins, whichever tool it is of."""

    def __init__(self) -> None:
        """Declare the parameters and listen; raises ValueError for a bad one."""
        super().__init__('drag_adapter')
        self._view: View | None = None
        self._refused: Counter[str] = Counter()
        self._newest_refusal = ''
        camera = _Camera(
            declare(self, 'image_transport', 'raw', 'raw or compressed camera images'),
            declare(self, 'image_reliability', 'as_offered',
                    'of the image subscription: as_offered, reliable or best_effort'))
        self._sender = DragSender(
            self,
            operator_id=declare(self, 'operator_id', 'drag_adapter', 'sent in each drag'),
            duration_secs=declare(
                self, 'duration_secs', 1.0, 'how long a drag takes from its start to its target, s',
                (0.05, 60.0)))
        if declare(self, 'two_clicks', True, 'serve the clicks of rqt_image_view'):
            self._serve_two_clicks(TwoClicksConfig(
                timeout_secs=declare(
                    self, 'click_timeout_secs', 10.0, 'a first click is forgotten after this long',
                    (0.1, 3600.0)),
                undo_px=declare(
                    self, 'click_undo_px', 6.0, 'a second click this near to the first undoes it',
                    (0.0, 100.0))))
        self._camera = ImageInput(self, camera, self._on_frame)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self.create_timer(1.0, self._on_diagnostics)
        # Not on the node's clock: a paused bag must not keep us from finding its publisher.
        self.create_timer(
            HOUSEKEEPING_SECS, self._on_housekeeping,
            clock=Clock(clock_type=ClockType.STEADY_TIME))

    # The tools.

    def _serve_two_clicks(self, config: TwoClicksConfig) -> None:
        clicks = TwoClicks(config)

        def on_click(message: Point) -> None:
            self._click('two_clicks', clicks, np.array([message.x, message.y]))

        # rqt_image_view appends this to the topic that it shows, which may be a compressed one.
        for is_compressed in (False, True):
            topic = camera_topic(self, is_compressed=is_compressed)
            self._listen(Point, f'{topic}_mouse_left', 'two_clicks', on_click)

    def _click(self, tool: str, clicks: TwoClicks, position_px: np.ndarray) -> None:
        held = clicks.holds
        stroke = clicks.click(position_px, self._seen(), time.monotonic())
        if stroke is not None:
            self._sender.play(tool, stroke)
        elif clicks.holds:
            self.get_logger().info(
                f'Grabbed ({position_px[0]:.0f}, {position_px[1]:.0f}); now click where it shall '
                'go, or there again to undo.')
        elif held:
            self.get_logger().info('Let go.')

    # What they share.

    def _listen(
        self, kind: type, topic: str, tool: str, callback: Callable[[Any], None]
    ) -> None:
        """Subscribe to a tool's topic; what is refused is counted and said, and no more."""
        @functools.wraps(callback)
        def run(message: object) -> None:
            try:
                callback(message)
            except (Refusal, DragStreamError) as refusal:
                self._refused[tool] += 1
                self._newest_refusal = str(refusal)
                self.get_logger().warning(f'{tool}: {refusal}')

        self.create_subscription(kind, topic, run, COMMANDS)

    def _seen(self) -> View:
        """The newest camera image."""
        if self._view is None:
            raise Refusal(
                f'No camera image has come on {self._camera.topic} yet; wait for one, or remap '
                '`image` to the topic of the camera.')
        return self._view

    def _on_frame(self, frame: RawFrame, frame_id: str) -> None:
        self._view = View(frame, frame_id)

    def _on_housekeeping(self) -> None:
        self._camera.check_offer()

    def _on_diagnostics(self) -> None:
        lines: dict[str, object] = {
            'image topic': self._camera.topic,
            **{f'drags by {tool}': count for tool, count in sorted(self._sender.sent.items())},
            **{f'refused of {tool}': count for tool, count in sorted(self._refused.items())},
            'newest refusal': self._newest_refusal,
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if self._view else DiagnosticStatus.WARN,
            name=f'{self.get_fully_qualified_name()}: tools',
            message='Ready.' if self._view else 'No camera image has come yet.',
            values=[KeyValue(key=key, value=str(value)) for key, value in lines.items()])
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))


def main() -> int:
    """Run the node; returns the exit status."""
    return run_node(DragAdapter, refusals=(ValueError,))


if __name__ == '__main__':
    sys.exit(main())
