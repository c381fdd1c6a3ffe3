"""Publishes the drags of the adapter's tools: one at a time, each with an id of its own."""

from __future__ import annotations

from collections import Counter

from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from dragstream_ros.adapters.drag import DragPhase, drag_from_command
from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.core.drag import validate_command
from dragstream_ros.msg import Drag
from dragstream_ros.tools.stroke import Stroke

COMMANDS = QoSProfile(depth=10)


class DragSender:
    """sent counts the drags of each tool."""

    def __init__(self, node: Node, *, operator_id: str, duration_secs: float) -> None:
        """Create the publisher of ``drag``."""
        self.sent: Counter[str] = Counter()
        self._node = node
        self._operator_id = operator_id
        self._duration_secs = duration_secs
        self._publisher = node.create_publisher(Drag, 'drag', COMMANDS)
        self._newest: Drag | None = None  # of the drag that is held, or that was the last
        self._is_held = False

    def play(self, tool: str, stroke: Stroke) -> None:
        """Send a drag that is complete: the predictor shows it once and goes on undragged.

        :raises DragStreamError: it is none, with one of the DRAG_* codes
        """
        self.begin(tool, stroke)
        self.end()

    def begin(self, tool: str, stroke: Stroke) -> None:
        """Begin a drag and hold it, instead of any other.

        :raises DragStreamError: it is none, with one of the DRAG_* codes
        """
        self._publish(stroke, f'{tool}_{self.sent[tool] + 1}', DragPhase.BEGIN)
        self.sent[tool] += 1
        self._is_held = True
        if not self._publisher.get_subscription_count():
            self._node.get_logger().warning(
                f'Nobody listens to {self._publisher.topic_name}; is the predictor running in this '
                'namespace?')

    def update(self, stroke: Stroke) -> None:
        """Give the drag that is held a new path; nothing if none is.

        :raises DragStreamError: it is none, with one of the DRAG_* codes
        """
        if self._is_held and self._newest is not None:
            self._publish(stroke, self._newest.drag_id, DragPhase.UPDATE)

    def keep_alive(self) -> None:
        """Say the drag that is held once more: an operator may hold still for long."""
        if self._is_held and self._newest is not None:
            self._newest.phase = int(DragPhase.UPDATE)
            self._publisher.publish(self._newest)

    def end(self) -> None:
        """The operator let go."""
        if self._is_held:
            self._is_held = False
            self._publish_last_word(DragPhase.END)

    def cancel(self) -> None:
        """The operator takes the last drag back, held or not."""
        self._is_held = False
        self._publish_last_word(DragPhase.CANCEL)

    def _publish(self, stroke: Stroke, drag_id: str, phase: DragPhase) -> None:
        command = stroke.command(
            drag_id=drag_id, operator_id=self._operator_id, duration_secs=self._duration_secs)
        validate_command(command)
        header = Header(stamp=stamp_from_ns(stroke.view.stamp_ns), frame_id=stroke.view.frame_id)
        self._newest = drag_from_command(command, header=header, phase=phase)
        self._publisher.publish(self._newest)

    def _publish_last_word(self, phase: DragPhase) -> None:
        if self._newest is not None:
            self._publisher.publish(Drag(
                header=self._newest.header, operator_id=self._operator_id,
                drag_id=self._newest.drag_id, phase=int(phase)))
