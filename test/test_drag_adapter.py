"""The node drag_adapter as a process of its own, with the tools' real messages over real DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from adapter_harness import AdapterBench, adapter_bench, path_of
from conftest import REPOSITORY
from geometry_msgs.msg import Point, Point32, PointStamped, Polygon, PolygonStamped
from predictor_harness import HEIGHT, WIDTH, stamp_of
from rcl_interfaces.srv import ListParameters
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.msg import Drag


def calibrate(bench: AdapterBench, *, focal_px: float = 100.0) -> None:
    """Let the adapter see images and a camera_info."""
    bench.start_filming()
    k = [focal_px, 0.0, 63.5, 0.0, focal_px, 47.5, 0.0, 0.0, 1.0]
    bench.calibrate(CameraInfo(width=WIDTH, height=HEIGHT, k=k))


@pytest.fixture(scope='module')
def running() -> Iterator[AdapterBench]:
    """One adapter for all tests of this file."""
    with adapter_bench() as bench:
        mouse = bench.tool(Point, 'image_mouse_left')
        mouse.publish(Point(x=1.0, y=1.0))
        bench.until(lambda: 'No camera image has come' in bench.log)
        calibrate(bench)
        yield bench


@pytest.fixture
def bench(running) -> AdapterBench:
    running.look()
    running.drags.clear()
    return running


# rqt_image_view.


def test_two_clicks_are_a_drag_that_is_played_once(bench):
    mouse = bench.tool(Point, 'image_mouse_left')
    stamp_ns = bench.look()
    mouse.publish(Point(x=40.0, y=30.0))
    bench.until(lambda: 'Grabbed (40, 30)' in bench.log)
    bench.look()
    mouse.publish(Point(x=float(WIDTH), y=31.0))  # the tool rounds up at the right edge
    bench.until(lambda: len(bench.drags) == 2)
    begin, end = bench.drags
    assert (begin.phase, end.phase) == (Drag.BEGIN, Drag.END)
    assert begin.drag_id == end.drag_id != ''
    assert path_of(begin) == [(40, 30), (WIDTH - 1, 31)]
    assert stamp_of(begin) == stamp_ns and begin.header.frame_id == 'eye'
    assert command_from_drag(begin).image_size == (WIDTH, HEIGHT)  # raises if it makes no sense


def test_clicks_beside_the_image_are_refused_with_a_sentence(bench):
    mouse = bench.tool(Point, 'image_mouse_left')
    before = bench.until(lambda: bench.refused('two_clicks'))
    mouse.publish(Point(x=float(WIDTH + 2), y=1.0))
    mouse.publish(Point(x=float('nan'), y=1.0))
    bench.until(lambda: bench.refused('two_clicks') == before + 2)
    assert 'not a number' in bench.status('newest refusal')
    assert bench.drags == []


# RViz2's Publish Point, and polygons.


def test_two_points_in_metres_are_a_drag(bench):
    point = bench.tool(PointStamped, '/clicked_point')
    for x in (0.1, -0.2):
        point.publish(PointStamped(header=Header(frame_id='eye'), point=Point(x=x, y=0.1, z=0.5)))
    bench.until(lambda: len(bench.drags) == 2)
    assert path_of(bench.drags[0]) == [
        pytest.approx((63.5 + 20, 47.5 + 20)), pytest.approx((63.5 - 40, 47.5 + 20))]


def test_a_point_of_an_unknown_frame_is_refused_with_what_to_do(bench):
    point = bench.tool(PointStamped, '/clicked_point')
    point.publish(PointStamped(header=Header(frame_id='map'), point=Point(x=1.0)))
    bench.until(lambda: 'camera_pose' in bench.status('newest refusal'))
    assert "'map'" in bench.status('newest refusal') and bench.drags == []


def test_a_polygon_in_pixels_is_a_path(bench):
    polygon = bench.tool(PolygonStamped, 'drag_polygon')
    points = [Point32(x=x, y=20.0) for x in (10.0, 30.0, 55.0)]
    polygon.publish(PolygonStamped(polygon=Polygon(points=points)))
    bench.until(lambda: len(bench.drags) == 2)
    assert path_of(bench.drags[0]) == [(10, 20), (30, 20), (55, 20)]
    assert [drag.phase for drag in bench.drags] == [Drag.BEGIN, Drag.END]


def test_a_polygon_in_metres_is_projected(bench):
    polygon = bench.tool(PolygonStamped, 'drag_polygon')
    points = [Point32(x=x, y=0.0, z=1.0) for x in (0.0, 0.25)]
    polygon.publish(PolygonStamped(
        header=Header(frame_id='eye'), polygon=Polygon(points=points)))
    bench.until(lambda: len(bench.drags) == 2)
    assert path_of(bench.drags[0]) == [
        pytest.approx((63.5, 47.5)), pytest.approx((88.5, 47.5))]


# Other settings.


def test_every_parameter_is_documented(bench):
    request = ListParameters.Request()
    names = bench.call(ListParameters, '/drag_adapter/list_parameters', request).result.names
    text = (REPOSITORY / 'docs' / 'how_an_operator_drags.md').read_text()
    table = text[text.index('## Parameters'):]
    of_all_nodes = ('use_sim_time', 'start_type_description_service')
    ours = [name for name in names if name not in of_all_nodes]
    assert len(ours) >= 14 and [name for name in ours if f'`{name}`' not in table] == []


TF_STAND_IN = '''
"""Of tf2_ros, which has no wheel, what the adapter uses; knows the way from map to eye alone."""
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3


class TransformException(Exception):
    pass


class Buffer:
    def lookup_transform(self, target_frame, source_frame, time):
        if (target_frame, source_frame) != ('eye', 'map'):
            raise TransformException(f'"{source_frame}" does not exist.')
        return TransformStamped(transform=Transform(
            translation=Vector3(z=0.5), rotation=Quaternion(w=1.0)))


class TransformListener:
    def __init__(self, buffer, node):
        pass
'''


def test_tf_says_where_the_camera_is_where_it_is_installed(tmp_path, monkeypatch):
    (tmp_path / 'tf2_ros.py').write_text(TF_STAND_IN)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    with adapter_bench() as bench:
        calibrate(bench)
        point = bench.tool(PointStamped, '/clicked_point')
        for frame_id, x in (('map', 0.1), ('odom', 0.1), ('map', -0.2)):
            point.publish(PointStamped(header=Header(frame_id=frame_id), point=Point(x=x)))
        bench.until(lambda: len(bench.drags) == 2)
        assert path_of(bench.drags[0]) == [
            pytest.approx((63.5 + 20, 47.5)), pytest.approx((63.5 - 40, 47.5))]
        bench.until(lambda: 'TF says: "odom" does not exist.' in bench.status('newest refusal'))


def test_tools_that_are_switched_off_are_not_listened_to(ros_node, spin_until):
    command = [sys.executable, '-m', 'dragstream_ros.nodes.drag_adapter', '--ros-args']
    for parameter in ('two_clicks:=false', 'interactive_marker:=false', 'polygon:=false',
                      'clicked_point:=ignored'):
        command += ['-p', parameter]
    process = subprocess.Popen(command)
    try:
        spin_until(ros_node, lambda: ('drag_adapter', '/') in
                   ros_node.get_node_names_and_namespaces(), 30)
        spin_until(ros_node, lambda: ros_node.count_publishers('/diagnostics'))
        names = dict(ros_node.get_subscriber_names_and_types_by_node('drag_adapter', '/'))
        assert {name for name in names if 'param' not in name} == {'/image', '/camera_info'}
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.parametrize(('parameter', 'said'), [
    ('clicked_point:=fly', 'choose one of ignored, drag, handle'),
    ('camera_pose:=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]', 'unit quaternion'),
    ('camera_pose:=[0.0, 1.0]', 'no pose'),
])
def test_a_parameter_that_makes_no_sense_ends_the_node_with_a_sentence(
    ros_domain, parameter, said
):
    done = subprocess.run(
        [sys.executable, '-m', 'dragstream_ros.nodes.drag_adapter', '--ros-args', '-p', parameter],
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and said in done.stderr and 'Traceback' not in done.stderr


def test_a_camera_without_calibration_is_told_once_and_clicks_in_pixels_work():
    with adapter_bench() as bench:
        calibrate(bench, focal_px=0.0)
        mouse = bench.tool(Point, 'image_mouse_left')
        bench.spin(1.0)
        for x in (20.0, 90.0):
            mouse.publish(Point(x=x, y=50.0))
        bench.until(lambda: len(bench.drags) == 2)
        bench.until(lambda: bench.refused('interactive_marker') == 1)
        assert 'no calibration' in bench.status('newest refusal')


def test_clicks_on_a_compressed_topic_under_another_name():
    with adapter_bench('-r', 'image:=front/raw', image_transport='compressed') as bench:
        bench.rename_jpeg_camera('front/raw/compressed')
        mouse = bench.tool(Point, 'front/raw/compressed_mouse_left')

        bench.until(lambda: bench.film_jpeg() or bench.is_ready(), 30.0)
        for x in (20.0, 90.0):
            mouse.publish(Point(x=x, y=50.0))
        bench.until(lambda: len(bench.drags) == 2)
        assert path_of(bench.drags[0]) == [(20, 50), (90, 50)]
        assert (bench.drags[0].image_width, bench.drags[0].image_height) == (WIDTH, HEIGHT)
