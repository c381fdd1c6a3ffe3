"""The three interfaces by which RViz2 shows one interactive marker and tells what is done to it.

The C++ and Python libraries of this name are not on every machine; the protocol is small.
"""

from __future__ import annotations

from geometry_msgs.msg import Pose
from rclpy.node import Node
from rclpy.qos import QoSProfile
from visualization_msgs.msg import (
    InteractiveMarker,
    InteractiveMarkerPose,
    InteractiveMarkerUpdate,
)
from visualization_msgs.srv import GetInteractiveMarkers

EVERY = QoSProfile(depth=10)


class MarkerServer:
    """Serves ``<namespace>/update``, ``<namespace>/feedback``, ``.../get_interactive_markers``."""

    def __init__(self, node: Node, namespace: str) -> None:
        """Serve no marker yet; the feedback is for the caller to subscribe to."""
        self.feedback_topic = f'{namespace}/feedback'
        self._marker: InteractiveMarker | None = None
        self._sequence = 0
        self._update = node.create_publisher(
            InteractiveMarkerUpdate, f'{namespace}/update', EVERY)
        node.create_service(
            GetInteractiveMarkers, f'{namespace}/get_interactive_markers', self._on_get)

    def show(self, marker: InteractiveMarker) -> None:
        """Show the marker, new or changed."""
        self._marker = marker
        self._publish(markers=[marker])

    def move(self, pose: Pose) -> None:
        """Put the marker somewhere else."""
        if self._marker is not None:
            self._marker.pose = pose
            self._publish(poses=[InteractiveMarkerPose(
                header=self._marker.header, pose=pose, name=self._marker.name)])

    def _publish(self, **changes: list) -> None:
        # A viewer counts: it asks for everything anew when it has missed a number.
        self._sequence += 1
        self._update.publish(InteractiveMarkerUpdate(
            type=InteractiveMarkerUpdate.UPDATE, seq_num=self._sequence, **changes))

    def _on_get(
        self, request: GetInteractiveMarkers.Request, response: GetInteractiveMarkers.Response
    ) -> GetInteractiveMarkers.Response:
        response.sequence_number = self._sequence
        response.markers = [] if self._marker is None else [self._marker]
        return response
