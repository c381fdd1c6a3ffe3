"""The tools of the drag adapter as pure functions of what they are told, with numbers."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import Point32, Polygon

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.image import encode_jpeg
from dragstream_ros.core.drag import Operation
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.tools.interactive_marker import Choice, MarkerDrag, MarkerDragConfig
from dragstream_ros.tools.polygon import is_in_pixels, points_of, stroke_along
from dragstream_ros.tools.stroke import MAX_POINTS, View, thinned
from dragstream_ros.tools.two_clicks import TwoClicks, TwoClicksConfig
from dragstream_ros.worker.mailbox import RawFrame

NS = 1_000_000_000
WIDTH, HEIGHT = 160, 120
PICTURE = np.random.default_rng(1).integers(
    0, 255, (HEIGHT // 4, WIDTH // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
CAMERA = CameraModel(
    matrix=np.array([[100.0, 0.0, 79.5], [0.0, 100.0, 59.5], [0.0, 0.0, 1.0]]),
    distortion=np.zeros(5), turn=np.eye(3), shift=np.zeros(3))
CENTRE_M = np.array([0.0, 0.0, 1.0])


def view(secs: float = 0.0, picture: np.ndarray = PICTURE) -> View:
    height, width = picture.shape[:2]
    return View(RawFrame(
        data=picture.tobytes(), stamp_ns=round(secs * NS), arrival_ns=0, width=width,
        height=height, step=3 * width), 'eye')


def click(clicks: TwoClicks, x: float, y: float, secs: float = 0.0, **fields):
    return clicks.click(np.array([x, y]), view(secs, **fields), secs)


# Views.


def test_a_compressed_view_knows_its_size():
    jpeg = View(RawFrame(
        data=encode_jpeg(PICTURE), stamp_ns=1, arrival_ns=0, compressed=True), 'eye')
    assert jpeg.size == view().size == (WIDTH, HEIGHT)


def test_a_long_path_is_thinned_and_keeps_its_ends():
    path = np.arange(2000.0).reshape(-1, 2)
    assert MAX_POINTS / 2 < len(thinned(path)) <= MAX_POINTS
    assert (thinned(path)[[0, -1]] == path[[0, -1]]).all()
    assert len(thinned(path[:5])) == 5


# Two clicks.


def test_the_second_click_is_the_target():
    clicks = TwoClicks()
    assert click(clicks, 10, 20) is None and clicks.holds
    stroke = click(clicks, 90, 30, 1.0)
    assert stroke.path_px.tolist() == [[10, 20], [90, 30]] and not clicks.holds
    assert stroke.view.stamp_ns == 0  # the image that was grabbed in: the predictor follows it


def test_a_click_on_the_same_place_undoes_the_first():
    clicks = TwoClicks(TwoClicksConfig(undo_px=6.0))
    click(clicks, 10, 20)
    assert click(clicks, 14, 24) is None and not clicks.holds
    assert click(clicks, 50, 50) is None and clicks.holds


def test_a_first_click_is_forgotten_after_a_while():
    clicks = TwoClicks(TwoClicksConfig(timeout_secs=10.0))
    click(clicks, 10, 20)
    assert click(clicks, 90, 30, 10.5) is None
    assert click(clicks, 20, 30, 11.0).path_px[0].tolist() == [90, 30]


def test_after_another_image_size_the_first_click_means_nothing():
    clicks = TwoClicks()
    click(clicks, 10, 20)
    assert click(clicks, 90, 30, 0.5, picture=PICTURE[:60]) is None and clicks.holds


def test_a_late_second_click_finds_again_what_was_grabbed():
    clicks = TwoClicks()
    click(clicks, 60, 50)
    moved = np.roll(PICTURE, (3, 8), axis=(0, 1))
    stroke = click(clicks, 120, 50, 3.0, picture=moved)
    assert stroke.view.stamp_ns == 3 * NS  # older images are not kept by the predictor
    assert stroke.path_px[0] == pytest.approx((68, 53), abs=0.3)
    assert stroke.path_px[1].tolist() == [120, 50]


def test_what_was_grabbed_and_is_gone_is_told():
    clicks = TwoClicks()
    click(clicks, 60, 50)
    other = np.random.default_rng(2).integers(0, 255, PICTURE.shape, np.uint8)
    with pytest.raises(DragStreamError, match='changed too much') as told:
        click(clicks, 120, 50, 3.0, picture=other)
    assert told.value.code is ErrorCode.DRAG_LOST and not clicks.holds


@pytest.mark.parametrize(('x', 'y', 'seen'), [
    (WIDTH, HEIGHT, (WIDTH - 1, HEIGHT - 1)), (-1.0, 0.0, (0.0, 0.0)), (0.0, -0.4, (0.0, 0.0)),
])
def test_a_click_one_past_the_edge_is_on_the_edge(x, y, seen):
    clicks = TwoClicks()
    click(clicks, 50, 50)
    assert click(clicks, x, y).path_px[1] == pytest.approx(seen)


@pytest.mark.parametrize(('x', 'y', 'code'), [
    (WIDTH + 1, 0, ErrorCode.DRAG_OUTSIDE_IMAGE), (5, -2, ErrorCode.DRAG_OUTSIDE_IMAGE),
    (float('inf'), 0, ErrorCode.DRAG_NOT_FINITE),
])
def test_a_click_outside_is_refused_and_the_first_click_kept(x, y, code):
    clicks = TwoClicks()
    click(clicks, 50, 50)
    with pytest.raises(DragStreamError) as told:
        click(clicks, x, y)
    assert told.value.code is code and clicks.holds


# The interactive marker.


def pressed(**fields) -> MarkerDrag:
    drag = MarkerDrag(MarkerDragConfig(update_secs=0.1))
    for name, value in fields.items():
        setattr(drag, name, value)
    drag.press(CENTRE_M, view(), CAMERA, 0.0)
    return drag


def test_the_handle_rests_in_the_middle_of_the_image():
    drag = MarkerDrag(MarkerDragConfig(depth_m=2.5))
    assert drag.rest_m(view(), CAMERA) == pytest.approx([0.0, 0.0, 2.5])
    drag.place(np.array([0.3, 0.2, 1.0]), view(), CAMERA)
    assert drag.rest_m(view(), CAMERA) == pytest.approx([0.75, 0.5, 2.5])
    drag.choose(Choice.CENTRE)
    assert drag.rest_m(view(), CAMERA) == pytest.approx([0.0, 0.0, 2.5])


def test_a_path_grows_with_the_mouse_and_is_told_now_and_then():
    drag = pressed()
    drag.move(CENTRE_M + [0.1, 0.0, 0.0], 0.0)
    assert drag.news(0.05) is None
    drag.move(CENTRE_M + [0.2, 0.1, 0.0], 0.0)
    assert drag.news(0.1).path_px.tolist() == pytest.approx(
        np.array([[79.5, 59.5], [89.5, 59.5], [99.5, 69.5]]))
    assert drag.news(0.5) is None and drag.let_go() is None and not drag.is_held


def test_less_than_a_pixel_is_no_news():
    drag = pressed()
    drag.move(CENTRE_M + [0.009, 0.0, 0.0], 0.0)
    assert drag.news(1.0) is None and drag.let_go() is None


def test_what_was_not_told_yet_is_told_when_it_is_let_go():
    drag = pressed()
    drag.move(CENTRE_M + [0.1, 0.0, 0.0], 0.0)
    assert drag.let_go().path_px[-1] == pytest.approx([89.5, 59.5])


def test_a_path_has_at_most_so_many_points_and_ends_where_the_mouse_is():
    drag = pressed()
    for angle in np.linspace(0, 20, 500):
        drag.move(CENTRE_M + 0.4 * np.array([np.sin(angle), 1 - np.cos(angle), 0.0]), 0.0)
    path_px = drag.let_go().path_px
    assert len(path_px) <= MAX_POINTS
    assert path_px[0] == pytest.approx([79.5, 59.5])


def test_a_turn_keeps_its_sense_past_half_a_circle():
    drag = pressed(operation=Operation.ROTATE)
    for degrees in range(-15, -271, -15):
        drag.move(CENTRE_M, np.radians(degrees))
    stroke = drag.let_go()
    arms = stroke.path_px - stroke.centre_px
    assert np.degrees(np.unwrap(np.arctan2(arms[:, 1], arms[:, 0]))[-1]) == pytest.approx(-270)


def test_a_turn_of_a_few_degrees_is_told():
    drag = pressed(operation=Operation.ROTATE)
    drag.move(CENTRE_M, np.radians(4.0))
    stroke = drag.let_go()
    arm = stroke.path_px[-1] - stroke.centre_px
    assert np.degrees(np.arctan2(arm[1], arm[0])) == pytest.approx(4.0)


@pytest.mark.parametrize('x_m', [-0.77, 0.77])
def test_what_is_near_the_edge_is_turned_with_a_shorter_arm(x_m):
    drag = MarkerDrag()
    drag.operation = Operation.ROTATE
    drag.press(np.array([x_m, 0.0, 1.0]), view(), CAMERA, 0.0)
    for degrees in range(0, 361, 10):
        drag.move(CENTRE_M, np.radians(degrees))
    path_px = drag.let_go().path_px
    assert (path_px >= 0.0).all() and (path_px <= (WIDTH - 1, HEIGHT - 1)).all()
    with pytest.raises(DragStreamError, match='too near the edge'):
        drag.press(np.array([x_m * 1.03, 0.0, 1.0]), view(), CAMERA, 0.0)
    assert not drag.is_held


def test_a_pose_before_the_press_is_none_of_ours():
    drag = MarkerDrag()
    drag.move(CENTRE_M, 0.0)
    assert drag.news(1.0) is None and drag.let_go() is None


# Polygons.


def polygon(*points) -> Polygon:
    return Polygon(points=[Point32(x=x, y=y, z=z) for x, y, z in points])


def test_a_polygon_is_the_path_of_one_handle():
    points = points_of(polygon((5.0, 6.0, 0.0), (7.0, 8.0, 0.0), (float(WIDTH), 9.0, 0.0)))
    stroke = stroke_along(points[:, :2], view())
    assert stroke.path_px.tolist() == [[5, 6], [7, 8], [WIDTH - 1, 9]]


@pytest.mark.parametrize(('z', 'frame_id', 'in_pixels'), [
    (0.0, '', True), (0.0, 'eye', True), (1.0, 'eye', False), (0.0, 'map', False),
    (1.0, '', True),
])
def test_points_are_metres_only_where_the_camera_can_see_them(z, frame_id, in_pixels):
    points = points_of(polygon((5.0, 6.0, z), (7.0, 8.0, z)))
    assert is_in_pixels(points, frame_id, 'eye') is in_pixels


def test_one_point_is_no_path():
    with pytest.raises(DragStreamError, match='no path') as told:
        points_of(polygon((1.0, 2.0, 0.0)))
    assert told.value.code is ErrorCode.DRAG_EMPTY


def test_a_path_must_be_in_the_image():
    path_px = np.array([[5.0, 6.0], [WIDTH + 30.0, 9.0]])
    with pytest.raises(DragStreamError, match=r'\(190, 9\) is outside the 160x120'):
        stroke_along(path_px, view())


