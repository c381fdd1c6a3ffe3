"""The simulated camera and its operator as processes, over real DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from dragstream_ros.adapters.drag import command_from_drag  # noqa: E402
from dragstream_ros.adapters.image import array_from_image, decode_compressed  # noqa: E402
from dragstream_ros.adapters.stamp import ns_from_stamp  # noqa: E402
from dragstream_ros.adapters.truth_cloud import (  # noqa: E402
    TruthPoints,
    cloud_from_points,
    points_from_cloud,
)
from dragstream_ros.msg import Drag  # noqa: E402

Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(ros_domain: int) -> Iterator[Start]:
    processes: list[subprocess.Popen] = []

    def start_node(name: str, **parameters: object) -> subprocess.Popen:
        said = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
        processes.append(subprocess.Popen(
            [sys.executable, '-m', f'dragstream_ros.nodes.{name}', '--ros-args', *said],
            env=os.environ, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start_node
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        _, said = process.communicate(timeout=10)
        assert 'Traceback' not in said


def _collect(node, **topics) -> dict[str, list]:
    got: dict[str, list] = {name: [] for name in topics}
    for name, (kind, topic) in topics.items():
        node.create_subscription(kind, topic, got[name].append, 10)
    return got


def _secs(message) -> float:
    return ns_from_stamp(message.header.stamp) / 1e9


def test_the_camera_sends_pictures_with_calibration_and_truth(start, ros_node, spin_until) -> None:
    start('tabletop_camera', rate_hz=15.0, source='recorded')
    got = _collect(
        ros_node, image=(Image, 'image'), jpeg=(CompressedImage, 'image/compressed'),
        info=(CameraInfo, 'camera_info'), mask=(Image, 'truth/mask'),
        points=(PointCloud2, 'truth/points'), plan=(PointCloud2, 'truth/plan'))
    spin_until(ros_node, lambda: len(got['points']) >= 45 and len(got['plan']) >= 4, 30)

    stamps = np.array([_secs(message) for message in got['points'][-30:]])
    assert 1 / np.median(np.diff(stamps)) == pytest.approx(15, rel=0.25)
    frame = array_from_image(got['image'][-1])
    assert frame.shape == (256, 256, 3) and frame.std() > 20
    assert got['image'][-1].header.frame_id == 'camera_optical_frame'
    jpeg = {_secs(message): message for message in got['jpeg']}[_secs(got['image'][-1])]
    assert np.abs(decode_compressed(jpeg.data).astype(int) - frame).mean() < 4
    info = got['info'][-1]
    assert (info.width, info.height, info.k[2], info.k[5]) == (256, 256, 127.5, 127.5)

    points = points_from_cloud(got['points'][-1])
    mask = {_secs(message): message for message in got['mask']}[_secs(got['points'][-1])]
    pixels = np.frombuffer(mask.data, np.uint8).reshape(256, 256)
    on_things = (points.point_thing < points.point_thing.max()) & points.point_visible
    x, y = points.points_px[0, on_things].round().astype(int).clip(0, 255).T
    assert np.mean(pixels[y, x] == points.point_thing[on_things] + 1) > 0.8

    plan, stamp = points_from_cloud(got['plan'][1]), _secs(got['plan'][1])
    later = min(got['points'], key=lambda message: abs(_secs(message) - stamp - 0.5))
    ahead = [np.interp(_secs(later) - stamp, plan.offsets_secs, track)
             for track in plan.points_px.reshape(len(plan.offsets_secs), -1).T]
    came = points_from_cloud(later).points_px.reshape(-1)
    assert np.abs(came - ahead).max() < 6


def test_the_operator_drags_what_is_about_to_move(start, ros_node, spin_until) -> None:
    start('tabletop_camera', rate_hz=15.0, source='recorded')
    start('scripted_operator', pause_secs=0.2, drag_secs=1.0)
    got = _collect(ros_node, drag=(Drag, 'drag'))
    spin_until(ros_node, lambda: any(drag.phase == Drag.END for drag in got['drag']), 30)

    begin, *rest = got['drag']
    assert begin.phase == Drag.BEGIN and begin.operator_id == 'scripted_operator'
    assert {drag.drag_id for drag in rest[:2]} == {begin.drag_id}
    for drag in got['drag']:
        if drag.phase != Drag.END:
            command = command_from_drag(drag)  # raises for what the predictor would refuse
            assert command.image_size == (256, 256)
            for handle in command.handles:
                assert np.linalg.norm(handle.path_px - handle.path_px[0], axis=1).max() > 10


def test_a_camera_with_an_impossible_source_says_so_and_ends(start) -> None:
    camera = start('tabletop_camera', source='gazebo')
    assert camera.wait(timeout=30) == 1


def test_a_cloud_gives_back_the_points_it_was_made_from() -> None:
    points = TruthPoints(
        points_px=np.arange(12, dtype=np.float32).reshape(2, 3, 2),
        offsets_secs=np.array([0, 0.5], np.float32), point_visible=np.array([True, False, True]),
        point_thing=np.array([0, 0, 1]), image_size=(640, 480))
    back = points_from_cloud(cloud_from_points(points, Header()))
    for name in ('points_px', 'offsets_secs', 'point_visible', 'point_thing', 'image_size'):
        assert np.array_equal(getattr(back, name), getattr(points, name)), name
    with pytest.raises(ValueError, match='other fields'):
        points_from_cloud(PointCloud2())
