"""Drags of the web console to Drag messages."""

from __future__ import annotations

from geometry_msgs.msg import Point, Point32, Polygon
from std_msgs.msg import Header

from dragstream_ros.adapters.stamp import stamp_from_ns
from dragstream_ros.console.requests import DragRequest, Handle
from dragstream_ros.core.drag import Operation
from dragstream_ros.msg import Drag, DragHandle


def drag_from_request(
    request: DragRequest, *, operator_id: str, drag_id: str, frame_id: str
) -> Drag:
    """Make the message; its header is that of the picture the operator dragged on."""
    picture = request.picture
    return Drag(
        header=Header(stamp=stamp_from_ns(picture.stamp_ns), frame_id=frame_id),
        image_width=picture.size[0],
        image_height=picture.size[1],
        operator_id=operator_id,
        drag_id=drag_id,
        phase=int(request.phase),
        mode=int(request.mode),
        handles=[_handle(handle, f'handle {n + 1}') for n, handle in enumerate(request.handles)],
    )


def _handle(handle: Handle, name: str) -> DragHandle:
    turns = handle.centre is not None
    message = DragHandle(
        name=name,
        path=[Point(x=x, y=y) for x, y in handle.path],
        operation=int(Operation.ROTATE if turns else Operation.TRANSLATE),
        mask_polygon=Polygon(points=[Point32(x=x, y=y) for x, y in handle.outline]),
    )
    if handle.centre is not None:
        message.centre = Point(x=handle.centre[0], y=handle.centre[1])
    return message
