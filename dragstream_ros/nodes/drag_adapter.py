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
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, PointStamped, PolygonStamped
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header
from visualization_msgs.msg import InteractiveMarkerFeedback

from dragstream_ros.errors import DragStreamError
from dragstream_ros.nodes import marker_tool
from dragstream_ros.nodes.drag_sender import DragSender
from dragstream_ros.nodes.image_input import camera_topic
from dragstream_ros.nodes.operator_view import OperatorView
from dragstream_ros.nodes.spin import declare, run_node
from dragstream_ros.tools.interactive_marker import MarkerDragConfig
from dragstream_ros.tools.polygon import is_in_pixels, points_of, stroke_along
from dragstream_ros.tools.two_clicks import TwoClicks, TwoClicksConfig

EVENTS = QoSProfile(depth=100)  # a press must not be lost among the movements that follow it
HOUSEKEEPING_SECS = 0.25
SAY_AGAIN_SECS = 1.0  # of one tool: a mouse that moves is refused 60 times a second
CLICKED_POINT = ('ignored', 'drag', 'handle')


class DragAdapter(Node):
    """Serves all tools that are switched on; the newest drag wins, whichever tool it is of."""

    def __init__(self) -> None:
        """Declare the parameters and listen; raises ValueError for a bad one."""
        super().__init__('drag_adapter')
        self._refused: Counter[str] = Counter()
        self._newest_refusal = ''
        self._said_secs: dict[str, float] = {}  # when a tool's refusal was last logged
        self._view = OperatorView(self)
        self._sender = DragSender(
            self,
            operator_id=declare(self, 'operator_id', 'drag_adapter', 'sent in each drag'),
            duration_secs=declare(
                self, 'duration_secs', 1.0, 'how long a drag takes from its start to its target, s',
                (0.05, 60.0)))
        self._marker: marker_tool.MarkerTool | None = None
        self._clicks_config = TwoClicksConfig(
            timeout_secs=declare(
                self, 'click_timeout_secs', 10.0, 'a first click is forgotten after this long, s',
                (0.1, 3600.0)),
            undo_px=declare(
                self, 'click_undo_px', 6.0, 'a second click this near to the first undoes it, px',
                (0.0, 100.0)))
        if declare(self, 'two_clicks', True, 'serve the clicks of rqt_image_view'):
            self._serve_two_clicks()
        if declare(self, 'interactive_marker', True, 'serve a handle to drag with in RViz2'):
            self._serve_marker()
        self._serve_clicked_point(declare(
            self, 'clicked_point', 'drag', 'what Publish Point of RViz2 does: ignored, drag (by '
            'two clicks) or handle (puts the handle there)'))
        if declare(self, 'polygon', True, 'serve the path of a PolygonStamped'):
            self._listen(PolygonStamped, 'drag_polygon', 'polygon', self._on_polygon)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self.create_timer(1.0, self._on_diagnostics)
        # Not on the node's clock: a paused bag must not keep us from finding its publisher.
        self.create_timer(
            HOUSEKEEPING_SECS, self._on_housekeeping,
            clock=Clock(clock_type=ClockType.STEADY_TIME))

    # The tools.

    def _serve_two_clicks(self) -> None:
        clicks = TwoClicks(self._clicks_config)

        def on_click(message: Point) -> None:
            self._click('two_clicks', clicks, np.array([message.x, message.y]))

        # rqt_image_view appends this to the topic that it shows, which may be a compressed one.
        for is_compressed in (False, True):
            topic = camera_topic(self, is_compressed=is_compressed)
            self._listen(Point, f'{topic}_mouse_left', 'two_clicks', on_click)

    def _serve_marker(self) -> None:
        self._marker = marker_tool.MarkerTool(self, self._view, self._sender, MarkerDragConfig(
            depth_m=declare(
                self, 'handle_depth_m', 1.0, "distance of the handle's plane from the camera, m",
                (0.01, 1000.0))))
        self._listen(
            InteractiveMarkerFeedback, self._marker.feedback_topic, marker_tool.TOOL,
            self._marker.on_feedback)

    def _serve_clicked_point(self, purpose: str) -> None:
        if purpose not in CLICKED_POINT or (purpose == 'handle' and self._marker is None):
            raise ValueError(
                f'clicked_point is {purpose!r}; choose one of {", ".join(CLICKED_POINT)}, and '
                'handle only with interactive_marker.')
        clicks = TwoClicks(self._clicks_config)

        def on_point(message: PointStamped) -> None:
            point = np.array([[message.point.x, message.point.y, message.point.z]])
            point_m = self._view.in_camera(point, message.header.frame_id)
            if purpose == 'drag':
                self._click('clicked_point', clicks, self._view.camera.project(point_m)[0])
            elif self._marker is not None:
                self._marker.place(point_m[0])

        if purpose != 'ignored':
            self._listen(PointStamped, '/clicked_point', 'clicked_point', on_point)

    def _on_polygon(self, message: PolygonStamped) -> None:
        points, frame_id = points_of(message.polygon), message.header.frame_id
        view = self._view.newest
        if is_in_pixels(points, frame_id, view.frame_id):
            path_px = points[:, :2]
        else:
            path_px = self._view.camera.project(self._view.in_camera(points, frame_id))
        self._sender.play('polygon', stroke_along(path_px, view))

    def _click(self, tool: str, clicks: TwoClicks, position_px: np.ndarray) -> None:
        held = clicks.holds
        stroke = clicks.click(position_px, self._view.newest, time.monotonic())
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
        self.create_subscription(
            kind, topic, functools.partial(self._try, tool, callback), EVENTS)

    def _try(self, tool: str, callback: Callable[..., None], *message: object) -> None:
        """Do what a tool asks for; what is refused is counted and said, and no more."""
        try:
            callback(*message)
        except DragStreamError as refusal:
            self._refused[tool] += 1
            self._newest_refusal = f'{tool}: {refusal}'
            now = time.monotonic()
            if now - self._said_secs.get(tool, -SAY_AGAIN_SECS) >= SAY_AGAIN_SECS:
                self._said_secs[tool] = now
                self.get_logger().warning(self._newest_refusal)

    def _on_housekeeping(self) -> None:
        self._view.check_offer()
        if self._marker is not None:
            self._try(marker_tool.TOOL, self._marker.look_after)

    def _on_diagnostics(self) -> None:
        lines: dict[str, object] = {
            'image topic': self._view.image_topic,
            'image reliability': self._view.image_reliability,
            **{f'drags by {tool}': count for tool, count in sorted(self._sender.sent.items())},
            **{f'refused of {tool}': count for tool, count in sorted(self._refused.items())},
            'newest refusal': self._newest_refusal,
        }
        is_there = self._view.is_there
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if is_there else DiagnosticStatus.WARN,
            name=f'{self.get_fully_qualified_name()}: tools',
            message='Ready.' if is_there else 'No camera image has come yet.',
            values=[KeyValue(key=key, value=str(value)) for key, value in lines.items()])
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))


def main() -> int:
    """Run the node; returns the exit status."""
    return run_node(DragAdapter, refusals=(ValueError, ParameterException))


if __name__ == '__main__':
    sys.exit(main())
