"""RViz2's interactive marker in the node drag_adapter, over its three interfaces and real DDS."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from adapter_harness import AdapterBench, adapter_bench, path_of
from geometry_msgs.msg import Point, PointStamped, Pose, Quaternion
from predictor_harness import HEIGHT, WIDTH, stamp_of
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from visualization_msgs.msg import (
    InteractiveMarker,
    InteractiveMarkerControl,
    InteractiveMarkerFeedback,
    InteractiveMarkerUpdate,
)

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.msg import Drag, DragHandle
from dragstream_ros.tools.interactive_marker import Choice

INFO = CameraInfo(
    width=WIDTH, height=HEIGHT, distortion_model='plumb_bob', d=[-0.2, 0.05, 0.0, 0.0, 0.0],
    k=[100.0, 0.0, 63.5, 0.0, 100.0, 47.5, 0.0, 0.0, 1.0])
CAMERA = CameraModel.from_info(INFO, (WIDTH, HEIGHT))
DEPTH_M = 0.8
CENTRE_M = np.array([0.0, 0.0, DEPTH_M])
EVENT = InteractiveMarkerFeedback


class RViz:
    """What RViz2 does with a marker: asks once, counts updates, and sends what the mouse does."""

    def __init__(self, bench: AdapterBench) -> None:
        self.bench = bench
        self.updates: list[InteractiveMarkerUpdate] = []
        bench.node.create_subscription(
            InteractiveMarkerUpdate, 'drag_handle/update', self.updates.append, 100)
        self._feedback = bench.tool(EVENT, 'drag_handle/feedback')

    def handle(self) -> InteractiveMarker:
        (marker,) = self.bench.handles().markers
        return marker

    def send(self, event: int, position_m=CENTRE_M, turn_rad: float = 0.0, **fields) -> None:
        x, y, z = map(float, position_m)
        turn = Quaternion(w=math.cos(turn_rad / 2), z=math.sin(turn_rad / 2))
        self._feedback.publish(EVENT(**{
            'header': Header(frame_id='eye'), 'client_id': 'rviz', 'marker_name': 'drag_handle',
            'event_type': event, 'pose': Pose(position=Point(x=x, y=y, z=z), orientation=turn),
            **fields}))

    def press(self, position_m=CENTRE_M) -> None:
        self.send(EVENT.POSE_UPDATE, position_m)  # RViz2 does so before each press and release
        self.send(EVENT.MOUSE_DOWN, position_m)

    def let_go(self, position_m=CENTRE_M, turn_rad: float = 0.0) -> None:
        self.send(EVENT.POSE_UPDATE, position_m, turn_rad)
        self.send(EVENT.MOUSE_UP, position_m, turn_rad)

    def choose(self, choice: Choice) -> None:
        before = len(self.updates)
        self.send(EVENT.MENU_SELECT, menu_entry_id=int(choice))
        self.bench.until(lambda: len(self.updates) > before)


@pytest.fixture(scope='module')
def running() -> Iterator[RViz]:
    """One adapter for all tests of this file; Publish Point puts the handle somewhere."""
    with adapter_bench(
            handle_depth_m=DEPTH_M, clicked_point='handle', camera_pose_frame='robot',
            camera_pose=[0.0, 0.0, 1.0, -0.5, 0.5, -0.5, 0.5]) as bench:
        rviz = RViz(bench)
        assert rviz.bench.handles().markers == []
        bench.start_filming()
        bench.calibrate(INFO)
        yield rviz


@pytest.fixture
def rviz(running) -> RViz:
    for choice in (Choice.TRANSLATE, Choice.ANIMATE, Choice.CENTRE):
        running.choose(choice)
    running.bench.look()
    running.bench.drags.clear()
    return running


def phases(bench: AdapterBench) -> list[int]:
    return [drag.phase for drag in bench.drags]


def test_the_handle_stands_in_the_middle_of_the_picture_at_its_depth(rviz):
    rviz.bench.until(
        lambda: rviz.bench.handles().sequence_number == rviz.updates[-1].seq_num)
    marker = rviz.handle()
    assert marker.header.frame_id == 'eye'
    assert (marker.header.stamp.sec, marker.header.stamp.nanosec) == (0, 0)  # locked to its frame
    position = marker.pose.position
    assert (position.x, position.y, position.z) == pytest.approx((0.0, 0.0, DEPTH_M), abs=1e-6)
    (control,) = marker.controls
    assert control.interaction_mode == InteractiveMarkerControl.MOVE_PLANE
    q = control.orientation  # it moves in its y-z plane: x must look along the optical axis
    x_axis = (1 - 2 * (q.y**2 + q.z**2), 2 * (q.x * q.y + q.w * q.z), 2 * (q.x * q.z - q.w * q.y))
    assert x_axis == pytest.approx((0.0, 0.0, 1.0), abs=1e-6)
    assert [entry.id for entry in marker.menu_entries] == [int(choice) for choice in Choice]


def test_updates_are_numbered_without_a_gap(rviz):
    numbers = [update.seq_num for update in rviz.updates]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {update.type for update in rviz.updates} == {InteractiveMarkerUpdate.UPDATE}


def test_a_drag_follows_the_mouse_and_ends_where_it_is_let_go(rviz):
    bench = rviz.bench
    stamp_ns = bench.look()
    rviz.press()
    bench.until(lambda: bench.drags)
    steps_m = [CENTRE_M + [0.002 * step, 0.0, 0.0] for step in range(1, 101)]
    for step_m in steps_m:
        bench.film()  # the camera goes on: the drag stays on the image that was grabbed
        rviz.send(EVENT.POSE_UPDATE, step_m)
        bench.spin(0.01)
    rviz.let_go(steps_m[-1])
    bench.until(lambda: Drag.END in phases(bench))
    begin, *updates, end = bench.drags
    assert begin.phase == Drag.BEGIN and path_of(begin) == [pytest.approx((63.5, 47.5))]
    assert {drag.phase for drag in updates} == {Drag.UPDATE} and 3 <= len(updates) <= 50
    assert {drag.drag_id for drag in bench.drags} == {begin.drag_id}
    assert {stamp_of(drag) for drag in bench.drags} == {stamp_ns}
    path_px = np.array(path_of(updates[-1]))
    assert np.abs(path_px[-1] - CAMERA.project(steps_m[-1])[0]).max() < 1e-6
    assert (np.diff(path_px[:, 0]) >= 1).all() and np.ptp(path_px[:, 1]) < 1e-6
    command_from_drag(updates[-1])  # raises if it makes no sense
    # Back to where it was: RViz2 does so when its operator has let go.
    pose = bench.until(lambda: rviz.updates[-1].poses)[0].pose
    assert (pose.position.x, pose.position.z) == pytest.approx((0.0, DEPTH_M), abs=1e-6)


def test_who_holds_still_is_not_forgotten(rviz):
    bench = rviz.bench
    rviz.press()
    bench.spin(2.5)  # longer than the predictor waits for a word
    rviz.let_go()
    bench.until(lambda: Drag.END in phases(bench))
    assert phases(bench)[0] == Drag.BEGIN and len(phases(bench)) >= 7


def test_a_path_beyond_the_edge_ends_at_the_edge(rviz):
    bench = rviz.bench
    rviz.press()
    rviz.let_go(CENTRE_M + [5.0, 0.0, 0.0])
    bench.until(lambda: Drag.END in phases(bench))
    assert path_of(bench.drags[-2])[-1] == pytest.approx((WIDTH - 1, 47.5))


def test_the_menu_turns_what_is_under_the_handle(rviz):
    bench = rviz.bench
    rviz.choose(Choice.ROTATE)
    rviz.choose(Choice.EDIT)
    marks = ['[ ]', '[x]', '[ ]', '[x]']
    bench.until(lambda: [entry.title[:3] for entry in rviz.handle().menu_entries[:4]] == marks)
    modes = {control.interaction_mode for control in rviz.handle().controls}
    assert InteractiveMarkerControl.ROTATE_AXIS in modes
    assert InteractiveMarkerControl.MOVE_PLANE not in modes
    rviz.press()
    for degrees in range(10, 231, 20):
        rviz.send(EVENT.POSE_UPDATE, turn_rad=math.radians(degrees))
    rviz.let_go(turn_rad=math.radians(230))
    bench.until(lambda: Drag.END in phases(bench))
    drag = bench.drags[-2]
    (handle,) = drag.handles
    assert drag.mode == Drag.EDIT and handle.operation == DragHandle.ROTATE
    assert (handle.centre.x, handle.centre.y) == pytest.approx((63.5, 47.5))
    arms = np.array(path_of(drag)) - (handle.centre.x, handle.centre.y)
    angles = np.unwrap(np.arctan2(arms[:, 1], arms[:, 0]))
    assert math.degrees(angles[-1]) == pytest.approx(230, abs=0.1)  # clockwise, the long way
    command_from_drag(drag)


def test_the_handle_can_be_placed_without_dragging(rviz):
    bench = rviz.bench
    rviz.choose(Choice.PLACE)
    there_m = CENTRE_M + [0.2, -0.1, 0.0]
    rviz.press()
    rviz.let_go(there_m)
    bench.until(lambda: rviz.handle().pose.position.x > 0.15)
    assert bench.drags == []
    rviz.press(there_m)
    bench.until(lambda: bench.drags)
    assert path_of(bench.drags[0])[0] == pytest.approx(tuple(CAMERA.project(there_m)[0]))
    rviz.let_go(there_m)


def test_publish_point_puts_the_handle_over_a_point_of_the_robot(rviz):
    bench = rviz.bench
    point = bench.tool(PointStamped, '/clicked_point')
    point.publish(PointStamped(header=Header(frame_id='robot'), point=Point(x=1.6, y=0.2, z=0.9)))
    # A camera that looks along x of the robot: right is -y, down is -z.
    seen_px = CAMERA.project([-0.2, 0.1, 1.6])[0]
    there_m = CAMERA.rays(seen_px[None])[0] * DEPTH_M
    position = bench.until(lambda: rviz.updates[-1].poses)[0].pose.position
    bench.until(lambda: abs(rviz.handle().pose.position.x - there_m[0]) < 1e-6)
    assert position.z == pytest.approx(DEPTH_M)


def test_a_drag_can_be_taken_back(rviz):
    bench = rviz.bench
    rviz.press()
    rviz.let_go(CENTRE_M + [0.1, 0.0, 0.0])
    bench.until(lambda: Drag.END in phases(bench))
    rviz.choose(Choice.RELEASE)
    bench.until(lambda: Drag.CANCEL in phases(bench))
    assert bench.drags[-1].drag_id == bench.drags[0].drag_id


@pytest.mark.parametrize(('event', 'fields', 'said'), [
    (EVENT.MOUSE_DOWN, {'marker_name': 'other'}, 'no marker'),
    (EVENT.MOUSE_DOWN, {'header': Header(frame_id='map')}, 'not in the camera'),
    (EVENT.MOUSE_DOWN, {'position_m': (0.0, 0.0, -1.0)}, 'behind'),
    (EVENT.MOUSE_DOWN, {'position_m': (float('nan'), 0.0, 1.0)}, 'not a number'),
    (EVENT.MOUSE_DOWN, {'position_m': (3.0, 0.0, 1.0)}, 'outside'),
    (EVENT.MENU_SELECT, {'menu_entry_id': 99}, 'no entry 99'),
])
def test_what_makes_no_sense_is_refused_in_a_sentence(rviz, event, fields, said):
    rviz.send(event, **fields)
    rviz.bench.until(lambda: said in (rviz.bench.status('newest refusal') or ''))
    assert rviz.bench.drags == []


def test_another_operator_cannot_take_the_handle_away(rviz):
    bench = rviz.bench
    rviz.press()
    bench.until(lambda: bench.drags)
    rviz.send(EVENT.MOUSE_DOWN, CENTRE_M + [0.1, 0.0, 0.0], client_id='another')
    bench.until(lambda: 'Another operator' in (bench.status('newest refusal') or ''))
    rviz.let_go()
    bench.until(lambda: Drag.END in phases(bench))
    assert len({drag.drag_id for drag in bench.drags}) == 1
