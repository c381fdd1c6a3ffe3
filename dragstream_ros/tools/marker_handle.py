"""How the handle of interactive_marker.py looks and moves in RViz2, and its menu."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import (
    InteractiveMarker,
    InteractiveMarkerControl,
    Marker,
    MenuEntry,
)

from dragstream_ros.core.drag import DragMode, Operation
from dragstream_ros.tools.interactive_marker import Choice, MarkerDrag

NAME = 'drag_handle'
# RViz2's controls move in their y-z plane and turn around x: turned so that x looks along z.
ALONG_Z = Quaternion(w=math.sqrt(0.5), x=0.0, y=-math.sqrt(0.5), z=0.0)
ORANGE = ColorRGBA(r=1.0, g=0.35, b=0.0, a=0.9)
SIZE = 0.06  # of the width of what the camera sees in the handle's plane


def handle_pose(position_m: np.ndarray) -> Pose:
    """The pose of the handle at a point (3,), not turned."""
    x, y, z = map(float, position_m)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(w=1.0))


def turn_of(orientation: Quaternion) -> float:
    """How far a handle is turned around z, rad: clockwise in the picture."""
    q = orientation
    return math.atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))


def handle_message(
    drag: MarkerDrag, *, frame_id: str, position_m: np.ndarray, plane_width_m: float
) -> InteractiveMarker:
    """The marker, locked to the camera's frame; plane_width_m is as wide as the camera sees."""
    size_m = SIZE * plane_width_m
    shape = Marker(
        type=Marker.SPHERE, scale=Vector3(x=size_m, y=size_m, z=size_m), color=ORANGE)
    moves = InteractiveMarkerControl(
        name='move', orientation=ALONG_Z, always_visible=True,
        interaction_mode=InteractiveMarkerControl.MOVE_PLANE, markers=[shape])
    controls = [moves]
    if drag.operation is Operation.ROTATE and not drag.is_placing:
        moves.interaction_mode = InteractiveMarkerControl.MENU
        controls.append(InteractiveMarkerControl(  # RViz2 draws a ring for it
            name='turn', orientation=ALONG_Z,
            interaction_mode=InteractiveMarkerControl.ROTATE_AXIS))
    return InteractiveMarker(
        # A stamp of zero locks it to the frame: RViz2 then answers in this frame, too.
        header=Header(frame_id=frame_id), name=NAME, description=_description(drag),
        pose=handle_pose(position_m), scale=2.0 * size_m, controls=controls,
        menu_entries=[
            MenuEntry(id=int(choice), title=_title(drag, choice), command_type=MenuEntry.FEEDBACK)
            for choice in Choice])


def _description(drag: MarkerDrag) -> str:
    if drag.is_placing:
        return 'place me'
    return 'turn' if drag.operation is Operation.ROTATE else 'drag'


def _title(drag: MarkerDrag, choice: Choice) -> str:
    marks = {
        Choice.TRANSLATE: drag.operation is Operation.TRANSLATE,
        Choice.ROTATE: drag.operation is Operation.ROTATE,
        Choice.ANIMATE: drag.mode is DragMode.ANIMATE,
        Choice.EDIT: drag.mode is DragMode.EDIT,
        Choice.PLACE: drag.is_placing,
    }
    title = TITLES[choice]
    return f'[{"x" if marks[choice] else " "}] {title}' if choice in marks else title


TITLES = {
    Choice.TRANSLATE: 'Move what is under it',
    Choice.ROTATE: 'Turn what is under it',
    Choice.ANIMATE: 'Animate: it moves over the next second',
    Choice.EDIT: 'Edit: it is there in the newest frames',
    Choice.PLACE: 'Place the handle, without dragging',
    Choice.CENTRE: 'Handle to the centre',
    Choice.RELEASE: 'Take the drag back',
}
