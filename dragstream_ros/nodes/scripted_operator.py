"""Node ``scripted_operator``: drags what the simulated teleoperator is about to move.

Listens to ``truth/plan`` of the tabletop camera and publishes ``drag``: every few seconds a BEGIN,
then an UPDATE for each newer plan, made on the image of that plan as if the operator went on
dragging on the newest image, then an END.
"""

from __future__ import annotations

import sys

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from dragstream_ros.adapters.drag import DragPhase, drag_from_command
from dragstream_ros.adapters.stamp import NS_PER_SEC, ns_from_stamp
from dragstream_ros.adapters.truth_cloud import points_from_cloud
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.msg import Drag
from dragstream_ros.nodes.spin import declare, run_node
from dragstream_ros.simulation.intent import Intent, find_intents

NEWEST = QoSProfile(depth=1)
COMMANDS = QoSProfile(depth=10)


class ScriptedOperator(Node):
    """One drag at a time, of up to ``max_handles`` things that are about to move the most."""

    def __init__(self) -> None:
        """Declare the parameters and listen; raises ValueError for a bad one."""
        super().__init__('scripted_operator')
        self._pause_secs = declare(
            self, 'pause_secs', 2.0, 'between two drags, s', (0.0, 3600.0))
        self._drag_secs = declare(
            self, 'drag_secs', 2.0, 'from BEGIN to END, s', (0.1, 60.0))
        self._min_travel = declare(
            self, 'min_travel', 0.04, 'what moves less than this share of the image width is left '
            'alone', (0.0, 1.0))
        self._max_handles = declare(self, 'max_handles', 2, 'things dragged at once', (1, 8))
        self._operator_id = declare(self, 'operator_id', 'scripted_operator', 'sent in each drag')
        self._drag = self.create_publisher(Drag, 'drag', COMMANDS)
        self.create_subscription(PointCloud2, 'truth/plan', self._on_plan, NEWEST)
        self._count = 0
        self._drag_id = ''
        self._things: set[int] = set()  # that the drag holds
        self._since_ns = 0  # stamp of the BEGIN while a drag goes on, else of the last END

    def _on_plan(self, cloud: PointCloud2) -> None:
        stamp_ns = ns_from_stamp(cloud.header.stamp)
        if stamp_ns < self._since_ns:  # the clock was set back
            self._since_ns = stamp_ns
        elapsed_secs = (stamp_ns - self._since_ns) / NS_PER_SEC
        if self._drag_id:
            if elapsed_secs < self._drag_secs and self._send(cloud, DragPhase.UPDATE):
                return
            self._end(cloud.header)
        elif elapsed_secs >= self._pause_secs and self._drag.get_subscription_count():
            # Whoever is there later would learn of this drag only by its updates.
            self._count += 1
            self._drag_id = f'{self._operator_id}_{self._count}'
            if self._send(cloud, DragPhase.BEGIN):
                self._since_ns = stamp_ns
            else:
                self._drag_id = ''

    def _send(self, cloud: PointCloud2, phase: DragPhase) -> bool:
        """Publish what the plan moves; False if that is nothing."""
        points = points_from_cloud(cloud)
        intents = find_intents(
            points.offsets_secs, points.points_px, point_visible=points.point_visible,
            point_thing=points.point_thing, min_travel_px=self._min_travel * points.image_size[0])
        if phase == DragPhase.UPDATE:
            intents = [intent for intent in intents if intent.thing in self._things]
        if not intents:
            return False
        intents = intents[:self._max_handles]
        self._things = {intent.thing for intent in intents}
        command = DragCommand(
            drag_id=self._drag_id, operator_id=self._operator_id, mode=DragMode.ANIMATE,
            handles=tuple(_handle(intent) for intent in intents),
            image_size=points.image_size, stamp_ns=ns_from_stamp(cloud.header.stamp),
            duration_secs=float(points.offsets_secs[-1]))
        self._drag.publish(drag_from_command(command, header=cloud.header, phase=phase))
        return True

    def _end(self, header: Header) -> None:
        self._drag.publish(Drag(
            header=header, operator_id=self._operator_id, drag_id=self._drag_id,
            phase=int(DragPhase.END)))
        self._drag_id = ''
        self._since_ns = ns_from_stamp(header.stamp)


def _handle(intent: Intent) -> DragHandle:
    turns = intent.centre_px is not None
    return DragHandle(
        path_px=intent.path_px, times_secs=intent.times_secs - intent.times_secs[0],
        operation=Operation.ROTATE if turns else Operation.TRANSLATE, centre_px=intent.centre_px)


def main() -> int:
    """Run the node; returns the exit status."""
    return run_node(ScriptedOperator, refusals=(ValueError,))


if __name__ == '__main__':
    sys.exit(main())
