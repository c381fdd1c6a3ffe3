"""Projection by camera_info, against OpenCV's own mapping and against numbers done by hand."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.rigid_transform import RigidTransform
from dragstream_ros.errors import DragStreamError, ErrorCode

SIZE = (640, 480)
K = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
P = [480.0, 0.0, 310.0, -48.0, 0.0, 480.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
PLUMB_BOB = [-0.28, 0.07, 0.001, -0.002, 0.01]
RATIONAL = [0.4, 0.1, 0.0005, -0.0003, 0.01, 0.6, 0.15, 0.02]


def info(**fields) -> CameraInfo:
    return CameraInfo(**{
        'width': SIZE[0], 'height': SIZE[1], 'k': K, 'p': P, 'distortion_model': 'plumb_bob',
        'd': PLUMB_BOB, 'r': list(np.eye(3).ravel()), **fields})


def test_without_a_lens_it_is_the_pinhole():
    camera = CameraModel.from_info(info(d=[]), SIZE)
    assert camera.project([[0.2, -0.1, 2.0]])[0] == pytest.approx([370.0, 214.5])
    assert camera.rays([[370.0, 214.5]])[0] == pytest.approx([0.1, -0.05, 1.0])


@pytest.mark.parametrize(('model', 'd'), [
    ('plumb_bob', PLUMB_BOB), ('rational_polynomial', RATIONAL),
])
def test_a_point_goes_through_the_lens_and_back(model, d):
    camera = CameraModel.from_info(info(distortion_model=model, d=d), SIZE)
    pixels = np.stack(np.meshgrid([20.0, 320.0, 600.0], [20.0, 240.0, 450.0]), -1).reshape(-1, 2)
    points_m = camera.rays(pixels) * np.linspace(0.3, 5.0, 9)[:, None]
    assert np.abs(camera.project(points_m) - pixels).max() < 0.1
    straight = CameraModel.from_info(info(d=[]), SIZE).project(points_m)
    assert np.linalg.norm(straight - pixels, axis=1).max() > 10  # the lens does matter


def test_the_plumb_bob_lens_by_hand():
    x, y, (k1, k2, p1, p2, k3) = 0.3, 0.2, PLUMB_BOB
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    camera = CameraModel.from_info(info(), SIZE)
    assert camera.project([[0.6, 0.4, 2.0]])[0] == pytest.approx([500 * u + 320, 510 * v + 240])


def test_a_pixel_shows_one_point_of_a_plane():
    camera = CameraModel.from_info(info(), SIZE)
    plane = np.array([0.0, -0.6, -0.8, 1.6])    # a table, seen aslant; 2 m ahead on the axis
    points_m = np.array([[0.0, 0.0, 2.0], [0.3, 0.4, 1.7], [-0.2, -0.4, 2.3]])
    assert points_m @ plane[:3] + plane[3] == pytest.approx(0)
    assert camera.on_plane(camera.project(points_m), plane) == pytest.approx(points_m, abs=1e-3)
    sky = camera.on_plane(np.array([[320.0, 239.0]]), np.array([0.0, -1.0, 0.0, 0.5]))
    assert np.isnan(sky).all()                  # above the horizon of a level floor


def test_a_rectified_pair_s_other_camera_sees_the_same_point_of_a_plane():
    camera = CameraModel.from_info(info(), SIZE, is_rectified=True)
    point_m = np.array([[0.2, 0.1, 2.0]])
    found = camera.on_plane(camera.project(point_m), np.array([0.0, 0.0, 1.0, -2.0]))
    assert found == pytest.approx(point_m)


def test_rectified_images_are_described_by_p_alone():
    camera = CameraModel.from_info(info(), SIZE, is_rectified=True)
    assert camera.project([[0.2, 0.1, 2.0]])[0] == pytest.approx([48 - 24 + 310, 24 + 230])


def test_a_stereo_camera_is_turned_to_its_rectified_frame():
    turn, _ = cv2.Rodrigues(np.array([0.0, 0.1, 0.0]))
    camera = CameraModel.from_info(info(d=[], r=list(turn.ravel())), SIZE)
    assert camera.project([turn @ [0.0, 0.0, 3.0]])[0] == pytest.approx([320, 240])
    assert camera.rays([[320.0, 240.0]])[0] == pytest.approx(turn[:, 2] / turn[2, 2])


def test_binning_and_region_are_taken_into_account():
    region = RegionOfInterest(x_offset=100, y_offset=40, width=400, height=400)
    camera = CameraModel.from_info(info(d=[], roi=region, binning_x=2, binning_y=2), (200, 200))
    x, y = camera.project([[0.0, 0.0, 1.0]])[0]
    assert ((x + 0.5) * 2 - 0.5 + 100, (y + 0.5) * 2 - 0.5 + 40) == pytest.approx((320, 240))


def test_what_is_far_outside_is_not_folded_back_into_the_image():
    camera = CameraModel.from_info(info(d=[-0.4, 0.05, 0.0, 0.0, 0.0]), SIZE)
    beside = np.array([[1.6, 0.0, 1.0]])
    folded, _ = cv2.projectPoints(
        beside, np.zeros(3), np.zeros(3), camera.matrix, camera.distortion)
    assert 0 < folded[0, 0, 0] < SIZE[0]
    assert camera.project(beside)[0, 0] > SIZE[0]
    for x in np.linspace(-4, 4, 33):
        left, _ = camera.project([[x, 0.0, 1.0]])[0]
        assert (0 <= left < SIZE[0]) == (abs(x) < 0.9), x


@pytest.mark.parametrize(('fields', 'size', 'said'), [
    ({'k': [0.0] * 9}, SIZE, 'no calibration'),
    ({}, (320, 240), 'no calibration for images of 320x240'),
    ({'k': [float('nan'), *K[1:]]}, SIZE, 'no calibration'),
    ({'distortion_model': 'equidistant', 'd': [0.1] * 4}, SIZE, 'rectified'),
    ({'d': [0.1] * 3}, SIZE, 'with 3 numbers'),
])
def test_a_calibration_of_no_use_is_told_in_a_sentence(fields, size, said):
    with pytest.raises(DragStreamError, match=said) as told:
        CameraModel.from_info(info(**fields), size)
    assert told.value.code is ErrorCode.DRAG_INVALID


@pytest.mark.parametrize(('point', 'code'), [
    ([0.1, 0.1, -1.0], ErrorCode.DRAG_OUTSIDE_IMAGE),
    ([0.1, 0.1, 0.0], ErrorCode.DRAG_OUTSIDE_IMAGE),
    ([float('nan'), 0.1, 1.0], ErrorCode.DRAG_NOT_FINITE),
])
def test_what_cannot_be_seen_is_told_with_its_code(point, code):
    with pytest.raises(DragStreamError) as told:
        CameraModel.from_info(info(), SIZE).project([point])
    assert told.value.code is code


def test_a_pose_by_numbers_turns_and_shifts():
    # The optical frame of a camera that looks along x of the robot, 1 m above its origin.
    camera_in_robot = RigidTransform.from_numbers([0, 0, 1, -0.5, 0.5, -0.5, 0.5])
    assert camera_in_robot.apply(np.array([0.0, 0.0, 2.0])) == pytest.approx([2.0, 0.0, 1.0])
    to_camera = camera_in_robot.inverse()
    assert to_camera.apply(np.array([2.0, 0.3, 0.6])) == pytest.approx([-0.3, 0.4, 2.0])


@pytest.mark.parametrize('numbers', [[0] * 7, [0] * 6, [0, 0, 0, 0, 0, 0, float('nan')]])
def test_numbers_that_are_no_pose_are_refused(numbers):
    with pytest.raises(ValueError, match='no pose'):
        RigidTransform.from_numbers(numbers)
