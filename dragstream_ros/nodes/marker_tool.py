"""The interactive marker of RViz2 in the adapter: its feedback to drags, its looks to RViz2."""

from __future__ import annotations

import time

import numpy as np
from rclpy.node import Node
from visualization_msgs.msg import InteractiveMarkerFeedback

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.nodes.drag_sender import DragSender
from dragstream_ros.nodes.marker_server import MarkerServer
from dragstream_ros.nodes.operator_view import OperatorView
from dragstream_ros.tools.interactive_marker import Choice, MarkerDrag, MarkerDragConfig
from dragstream_ros.tools.marker_handle import NAME, handle_message, handle_pose, turn_of

TOOL = 'interactive_marker'
SILENT_SECS = 30.0  # an operator who holds still for longer has left


class MarkerTool:
    """One handle for all viewers; whoever presses it first has it until it is let go."""

    def __init__(
        self, node: Node, view: OperatorView, sender: DragSender, config: MarkerDragConfig
    ) -> None:
        """Serve the handle's interfaces; it appears with the first image and camera_info."""
        self._node = node
        self._view = view
        self._sender = sender
        self._server = MarkerServer(node, 'drag_handle')
        self._drag = MarkerDrag(config)
        self._shown: tuple[object, ...] = ()
        self._client_id = ''
        self._heard_secs = 0.0
        self.feedback_topic = self._server.feedback_topic

    def on_feedback(self, message: InteractiveMarkerFeedback) -> None:
        """Something was done to the handle.

        :raises DragStreamError: it makes no sense, or another operator has the handle
        """
        if message.marker_name != NAME:
            raise _invalid(f'There is no marker {message.marker_name!r} here; restart the viewer.')
        if self._drag.is_held and message.client_id != self._client_id:
            raise _invalid('Another operator holds the handle; wait until it is let go.')
        self._heard_secs = time.monotonic()
        kind, position = message.event_type, message.pose.position
        position_m = np.array([position.x, position.y, position.z])
        if kind == InteractiveMarkerFeedback.MOUSE_DOWN:
            self._press(message, position_m)
        elif kind == InteractiveMarkerFeedback.POSE_UPDATE:
            self._drag.move(position_m, turn_of(message.pose.orientation))
            self._tell_news()
        elif kind == InteractiveMarkerFeedback.MOUSE_UP:
            self._let_go(message, position_m)
        elif kind == InteractiveMarkerFeedback.MENU_SELECT:
            self._choose(message.menu_entry_id)

    def place(self, position_m: np.ndarray) -> None:
        """Put the handle over a point (3,) of the optical frame.

        :raises DragStreamError: the camera does not see it
        """
        self._drag.place(position_m, self._view.newest, self._view.camera)
        self._rest()

    def look_after(self) -> None:
        """Once in a while: show the handle when the camera is there, keep a held drag alive.

        :raises DragStreamError: the calibration is of no use
        """
        if self._drag.is_held:
            is_alone = not self._node.count_publishers(self._server.feedback_topic)
            if is_alone or time.monotonic() - self._heard_secs > SILENT_SECS:
                self._end()
                self._rest()
            elif not self._tell_news():
                self._sender.keep_alive()
        if self._view.calibration is not None:
            self._show()

    def _press(self, message: InteractiveMarkerFeedback, position_m: np.ndarray) -> None:
        view = self._view.newest
        if message.header.frame_id != view.frame_id:
            raise _invalid(
                f"The handle was moved in {message.header.frame_id!r}, not in the camera's "
                f'{view.frame_id!r}; restart the viewer.')
        if self._drag.is_placing:
            return
        self._end()
        stroke = self._drag.press(position_m, view, self._view.camera, time.monotonic())
        self._client_id = message.client_id
        self._sender.begin(TOOL, stroke)

    def _let_go(self, message: InteractiveMarkerFeedback, position_m: np.ndarray) -> None:
        try:
            if self._drag.is_placing:
                self._drag.is_placing = False
                self._drag.place(position_m, self._view.newest, self._view.camera)
            else:
                self._drag.move(position_m, turn_of(message.pose.orientation))
        finally:
            self._end()
            self._show_or_rest()

    def _choose(self, entry_id: int) -> None:
        if entry_id not in list(Choice):
            raise _invalid(f'The menu has no entry {entry_id}; restart the viewer.')
        self._end()
        if entry_id == Choice.RELEASE:
            self._sender.cancel()
        self._drag.choose(Choice(entry_id))
        self._show_or_rest()

    def _tell_news(self) -> bool:
        stroke = self._drag.news(time.monotonic())
        if stroke is not None:
            self._sender.update(stroke)
        return stroke is not None

    def _end(self) -> None:
        """The drag is complete, if there is one."""
        if not self._drag.is_held:
            return
        stroke = self._drag.let_go()
        if stroke is not None:
            self._sender.update(stroke)
        self._sender.end()

    def _show_or_rest(self) -> None:
        if not self._show():
            self._rest()

    def _rest(self) -> None:
        """Put the handle back; viewers do so when its operator has let go."""
        self._server.move(handle_pose(self._drag.rest_m(self._view.newest, self._view.camera)))

    def _show(self) -> bool:
        """Show the handle as it is now, if that has changed since it was shown; returns if so."""
        view = self._view.newest
        looks = (
            view.frame_id, self._view.calibration, self._drag.operation, self._drag.mode,
            self._drag.is_placing)
        if looks == self._shown or self._drag.is_held:
            return False
        left_px, right_px = [-0.5, 0.0], [view.size[0] - 0.5, 0.0]
        self._shown = looks  # also if something is missing: that is said once
        if not view.frame_id:
            raise _invalid('The camera images have no frame_id, so the handle has no place; have '
                           'the camera driver fill it in.')
        camera = self._view.camera
        left_m, right_m = camera.rays(np.array([left_px, right_px]))
        position_m = self._drag.rest_m(view, camera)
        self._server.show(handle_message(
            self._drag, frame_id=view.frame_id, position_m=position_m,
            plane_width_m=float(np.linalg.norm(right_m - left_m)) * float(position_m[2])))
        return True


def _invalid(sentence: str) -> DragStreamError:
    return DragStreamError(ErrorCode.DRAG_INVALID, sentence)
