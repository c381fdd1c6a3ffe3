"""Whatever the tools send: no crash, no drag out of the image, every refusal a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import (
    Point,
    Point32,
    PointStamped,
    Polygon,
    PolygonStamped,
    Pose,
    Quaternion,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from predictor_harness import claimed_domain
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from visualization_msgs.msg import InteractiveMarkerFeedback

from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.msg import Drag
from dragstream_ros.nodes.drag_adapter import DragAdapter
from dragstream_ros.worker.mailbox import RawFrame

WIDTH, HEIGHT = 64, 48
PICTURE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
INFO = CameraInfo(
    width=WIDTH, height=HEIGHT, distortion_model='plumb_bob', d=[-0.3, 0.1, 0.01, 0.0, 0.0],
    k=[60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0])

number = st.one_of(st.floats(-2, 2), st.floats(-100, 100), st.floats(width=32))
mostly_eye = st.sampled_from([*8 * ['eye'], '', 'map'])
header = st.builds(lambda name: Header(frame_id=name), mostly_eye)
wild_point = st.builds(lambda x, y, z: Point(x=x, y=y, z=z), number, number, number)
seen_point = st.builds(
    lambda x, y: Point(x=x, y=y, z=1.0), st.floats(-0.6, 0.6), st.floats(-0.5, 0.5))
point = st.one_of(seen_point, seen_point, wild_point)
pixel = st.builds(
    lambda x, y: Point(x=x, y=y), st.floats(-3, WIDTH + 3), st.floats(-3, HEIGHT + 3))
small_point = st.builds(lambda x, y, z: Point32(x=x, y=y, z=z), *3 * [st.floats(width=32)])
near_point = st.builds(
    lambda x, y, z: Point32(x=x, y=y, z=z), st.floats(-1, WIDTH, width=32),
    st.floats(-1, HEIGHT, width=32), st.sampled_from([0.0, 0.0, 1.0]))
event = InteractiveMarkerFeedback
feedback = st.builds(
    lambda header, client, name, kind, position, turn, entry: event(
        header=header, client_id=client, marker_name=name, event_type=kind, menu_entry_id=entry,
        pose=Pose(position=position, orientation=Quaternion(
            x=turn[0], y=turn[1], z=turn[2], w=turn[3]))),
    header, st.sampled_from([*5 * ['a'], 'b']), st.sampled_from([*9 * ['drag_handle'], 'other']),
    st.one_of(st.sampled_from([event.MOUSE_DOWN, event.POSE_UPDATE, event.MOUSE_UP]),
              st.just(event.MENU_SELECT), st.integers(0, 255)),
    point, st.tuples(number, number, number, number), st.integers(0, 9))
message = st.one_of(
    st.tuples(st.just('/drag_handle/feedback'), feedback),
    st.tuples(st.just('/drag_handle/feedback'), feedback),
    st.tuples(st.just('/image_mouse_left'), st.one_of(pixel, wild_point)),
    st.tuples(st.just('/clicked_point'), st.builds(
        lambda header, point: PointStamped(header=header, point=point), header, point)),
    st.tuples(st.just('/drag_polygon'), st.builds(
        lambda header, points: PolygonStamped(header=header, polygon=Polygon(points=points)),
        header, st.one_of(st.lists(near_point, max_size=80), st.lists(small_point)))),
)


class Seam:
    """The adapter with its callbacks called directly, and the messages that it publishes kept."""

    def __init__(self) -> None:
        self.adapter = DragAdapter()
        self.drags: list[Drag] = []
        self.sentences: list[str] = []
        self.adapter._sender._publisher = self
        self.topic_name = 'drag'
        # A viewer that is there: without one, whatever is held is let go.
        self.adapter.create_publisher(InteractiveMarkerFeedback, 'drag_handle/feedback', 1)
        self._callbacks = {
            subscription.topic_name: subscription.callback
            for subscription in self.adapter.subscriptions}

    def publish(self, drag: Drag) -> None:
        self.drags.append(deepcopy(drag))

    def get_subscription_count(self) -> int:
        return 1

    def see(self, stamp_secs: float) -> None:
        view = self.adapter._view
        view._on_info(INFO)
        view._on_frame(RawFrame(
            data=PICTURE.tobytes(), stamp_ns=round(stamp_secs * 1e9), arrival_ns=0, width=WIDTH,
            height=HEIGHT, step=3 * WIDTH), 'eye')

    def send(self, topic: str, message: object) -> None:
        before = sum(self.adapter._refused.values())
        self._callbacks[topic](message)
        if sum(self.adapter._refused.values()) > before:
            self.sentences.append(self.adapter._newest_refusal)


@pytest.fixture(scope='module')
def seam() -> Iterator[Seam]:
    with claimed_domain():
        rclpy.init()
        seam = Seam()
        seam.see(1.0)
        yield seam
        seam.adapter.destroy_node()
        rclpy.shutdown()


@settings(max_examples=300, deadline=None, database=None,
          suppress_health_check=list(HealthCheck))
@given(messages=st.lists(message, min_size=1, max_size=30), step_secs=st.floats(0.0, 1.0))
def test_whatever_is_sent_drags_stay_in_the_image_and_refusals_are_sentences(
    seam, messages, step_secs
):
    seam.drags.clear()
    seam.sentences.clear()
    for index, (topic, sent) in enumerate(messages):
        seam.see(1.0 + index * step_secs)
        seam.send(topic, sent)
        seam.adapter._on_housekeeping()
    for drag in seam.drags:
        if drag.phase in (Drag.BEGIN, Drag.UPDATE):
            command = command_from_drag(drag)  # raises for what the predictor would refuse
            (handle,) = command.handles
            assert (handle.path_px >= 0.0).all() and len(handle.path_px) <= 64
            assert (handle.path_px <= (WIDTH - 1, HEIGHT - 1)).all()
    for sentence in seam.sentences:
        assert sentence[-1] == '.' and len(sentence) > 20 and '\n' not in sentence
