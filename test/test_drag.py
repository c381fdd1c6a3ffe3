"""What a drag asks for, in numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dragstream_ros.core.drag import (
    SMALLEST_SCALE,
    DragCommand,
    DragHandle,
    DragMode,
    Operation,
    advance,
    is_noop,
    n_segments,
    path_leaves_image,
    pose_at,
    position_at,
    resize_points,
    shift,
)
from dragstream_ros.core.grasp import Grasp
from dragstream_ros.core.grip import Grip
from dragstream_ros.core.hinge import Hinge
from dragstream_ros.core.pose import Pose
from dragstream_ros.core.table_view import TableView, seen_in
from dragstream_ros.core.turn_centre import turn_centre

FAR, NEAR = TableView(horizon=-0.5), TableView(horizon=0.5)


def handle(*points, **changes) -> DragHandle:
    return DragHandle(path_px=np.array(points, np.float64), **changes)


def rotation(*points, centre=(50.0, 50.0), **changes) -> DragHandle:
    return handle(*points, operation=Operation.ROTATE, centre_px=np.array(centre), **changes)


def command(*handles, **changes) -> DragCommand:
    fields = {
        'drag_id': 'd',
        'operator_id': 'o',
        'mode': DragMode.ANIMATE,
        'handles': handles,
        'image_size': (100, 80),
        'stamp_ns': 0,
    }
    return DragCommand(**{**fields, **changes})


def test_without_times_the_handle_goes_at_constant_speed_and_arrives_at_the_duration():
    corner = handle((0, 0), (30, 0), (30, 10))  # 40 px in 2 s: 20 px/s
    np.testing.assert_allclose(position_at(corner, 0.0, 2.0), (0, 0))
    np.testing.assert_allclose(position_at(corner, 1.0, 2.0), (20, 0))
    np.testing.assert_allclose(position_at(corner, 1.75, 2.0), (30, 5))


def test_with_times_the_handle_keeps_them_whatever_the_duration():
    timed = handle((0, 0), (10, 0), (10, 40), times_secs=np.array([0.0, 0.2, 1.2]))
    np.testing.assert_allclose(position_at(timed, 0.1, 9.0), (5, 0))
    np.testing.assert_allclose(position_at(timed, 0.7, 9.0), (10, 20))


def test_two_points_at_the_same_time_are_a_jump():
    jump = handle((0, 0), (0, 0), (10, 0), times_secs=np.array([0.0, 0.5, 0.5]))
    np.testing.assert_allclose(position_at(jump, 0.49, 1.0), (0, 0))
    np.testing.assert_allclose(position_at(jump, 0.5, 1.0), (10, 0))


def test_after_the_end_of_its_path_a_handle_stays():
    np.testing.assert_allclose(position_at(handle((1, 2), (5, 6)), 7.0, 1.0), (5, 6))
    assert pose_at(rotation((60, 50), (50, 60)), 7.0, 1.0).angle_rad == pytest.approx(math.pi / 2)


def test_one_point_means_stay():
    np.testing.assert_allclose(pose_at(handle((3, 4)), 0.5, 1.0).delta_px, (0, 0))


def test_a_pose_is_measured_from_the_command_not_from_the_frame_before():
    straight = handle((10, 10), (20, 10))
    np.testing.assert_allclose(pose_at(straight, 0.4, 1.0).delta_px, (4, 0))
    np.testing.assert_allclose(pose_at(straight, 0.8, 1.0).delta_px, (8, 0))


def test_clockwise_on_screen_is_positive_and_a_quarter_turn_brings_up_to_the_right():
    up_to_right = rotation((50, 40), (60, 50))
    assert pose_at(up_to_right, 1.0, 1.0).angle_rad == pytest.approx(math.pi / 2)
    np.testing.assert_allclose(position_at(up_to_right, 1.0, 1.0), (60, 50), atol=1e-12)


def test_a_rotation_turns_at_a_constant_rate_on_a_circle():
    half = rotation((60, 50), (50, 60))
    middle = position_at(half, 0.5, 1.0)
    np.testing.assert_allclose(middle, 50 + 10 * np.sqrt(0.5) * np.ones(2))


def test_a_rotation_follows_the_direction_of_the_arm_not_its_length():
    np.testing.assert_allclose(
        position_at(rotation((60, 50), (50, 90)), 1.0, 1.0), (50, 60), atol=1e-12
    )


def test_angles_are_unwrapped_along_the_path_over_more_than_a_full_turn():
    quarters = [(60, 50), (50, 60), (40, 50), (50, 40), (60, 50), (50, 60)]
    assert pose_at(rotation(*quarters), 1.0, 1.0).angle_rad == pytest.approx(2.5 * math.pi)
    back = rotation(*quarters[::-1])
    assert pose_at(back, 1.0, 1.0).angle_rad == pytest.approx(-2.5 * math.pi)


def test_a_turn_across_the_left_where_atan2_jumps_is_a_small_turn():
    assert pose_at(rotation((40, 51), (40, 49)), 1.0, 1.0).angle_rad == pytest.approx(
        2 * math.atan(0.1)
    )


@pytest.mark.parametrize(
    ('pose', 'expected'),
    [
        (Pose(delta_px=np.array([15.9, 0.0])), 1),
        (Pose(delta_px=np.array([16.0, 0.0])), 1),
        (Pose(delta_px=np.array([0.0, -32.0])), 2),
        (Pose(delta_px=np.array([121.0, 0.0])), 7),
        (Pose(delta_px=np.zeros(2), angle_rad=-math.radians(24)), 3),
    ],
)
def test_segments_are_the_whole_steps_in_the_motion_and_at_least_one(pose, expected):
    assert n_segments([pose], translation_step_px=16.0, rotation_step_deg=8.0) == expected


def test_the_furthest_handle_decides_the_number_of_segments():
    poses = [Pose(delta_px=np.array([20.0, 0.0])), Pose(delta_px=np.array([0.0, 70.0]))]
    assert n_segments(poses, translation_step_px=16.0, rotation_step_deg=8.0) == 4


def test_progressive_targets_grow_and_the_last_is_the_whole_motion():
    pose = Pose(delta_px=np.array([30.0, -40.0]))
    lengths = [np.linalg.norm(pose.scaled(s / 3).delta_px) for s in range(1, 4)]
    np.testing.assert_allclose(lengths, [50 / 3, 100 / 3, 50])
    assert Pose(delta_px=np.zeros(2), angle_rad=0.6).scaled(0.5).angle_rad == 0.3


def test_what_comes_nearer_on_a_plane_grows_as_far_as_it_comes_from_the_horizon():
    # 100 rows below the horizon when it is grabbed, 150 in the end, 80 half-way up.
    down, up = (seen_in(FAR, command(handle((10, 59.5), (10, y)))).handles[0]
                for y in (109.5, 39.5))
    pose = pose_at(down, 1.0, 1.0)
    assert pose.scale == pytest.approx(1.5)
    np.testing.assert_allclose(pose.apply(np.array([[10, 59.5], [14, 55.5]])),
                               [(10, 109.5), (16, 103.5)])
    assert pose_at(up, 1.0, 1.0).scale == pytest.approx(0.8)
    assert pose.scaled(0.5).scale == pose_at(down, 0.5, 1.0).scale == pytest.approx(1.25)


def test_without_a_horizon_or_above_it_things_keep_their_size():
    drag = command(handle((10, 20), (10, 70)))
    assert seen_in(None, drag) is drag
    in_the_sky = seen_in(NEAR, drag).handles[0]
    assert pose_at(in_the_sky, 1.0, 1.0).scale == 1.0
    beyond = seen_in(NEAR, command(handle((10, 70), (10, 0)))).handles[0]
    assert pose_at(beyond, 1.0, 1.0).scale == SMALLEST_SCALE


def test_what_turns_on_a_plane_goes_round_in_an_ellipse():
    # Seen at 30 degrees, in the middle of the picture, a circle is half as high as it is wide.
    drag = seen_in(TableView(horizon=-1.0, tilt_deg=30),
                   command(rotation((60, 39.5), (50, 44.5), centre=(50.0, 39.5))))
    pose = pose_at(drag.handles[0], 1.0, 1.0)
    assert pose.angle_rad == pytest.approx(math.pi / 2)
    np.testing.assert_allclose(
        pose.apply(np.array([[60, 39.5], [50, 44.5], [50, 39.5]])),
        [(50, 44.5), (40, 39.5), (50, 39.5)], atol=1e-9)


def circle_on_a_plane(degrees: tuple[float, float]) -> np.ndarray:
    """A way around (50, 40), of 10 px, where circles look half as high as they are wide."""
    angles = np.radians(np.linspace(*degrees, 11))
    return np.column_stack([50 + 10 * np.cos(angles), 40 + 5 * np.sin(angles)])


@pytest.mark.parametrize('too_low_px', [-1.5, 0.0, 1.5, 3.0])
def test_a_turn_has_its_centre_at_the_height_of_what_is_grabbed(too_low_px):
    """The middle that an operator points at is higher or lower than a box's edge."""
    found = turn_centre(circle_on_a_plane((-60, 20)), np.array([50, 40 + too_low_px]), 0.5, 128)
    np.testing.assert_allclose(found, (50, 40), atol=0.8)


def test_what_a_path_does_not_tell_of_a_centre_is_as_it_was_said():
    said = np.array([50.0, 46.0])
    for path in (circle_on_a_plane((30, 30)), np.array([(44.0, 40.0), (62.0, 40.0)])):
        np.testing.assert_array_equal(turn_centre(path, said, 0.5, 128), said)


def test_a_centre_is_never_moved_onto_the_path():
    towards = np.array([(50.0, 40.0), (56.0, 60.0)])
    found = turn_centre(towards, np.array([50.0, 44.0]), 1.0, 128)
    assert 42.0 <= found[1] <= 46.0


def test_only_where_the_view_is_known_and_one_handle_turns_it_is_a_centre_moved():
    turned = rotation(*circle_on_a_plane((-60, 20)), centre=(50.0, 43.0))
    slanting = TableView(horizon=-1.0, tilt_deg=30)
    for view, moved in ((slanting, True), (FAR, False)):
        [seen] = seen_in(view, command(turned)).handles
        assert (seen.centre_px[1] < 42.0) == moved
    gripped = turned.grasped(grip=Grip(np.array([0.0]), turned.path_px[None, :1]))
    [seen] = seen_in(slanting, command(gripped)).handles
    np.testing.assert_array_equal(seen.centre_px, (50.0, 43.0))


def test_a_plane_looks_flatter_farther_away_and_from_lower():
    seen = TableView(horizon=-1.0, tilt_deg=30)
    assert [seen.flatness(y) for y in (-1.0, 0.0, 0.5, 0.95)] == pytest.approx(
        [0.1, 1 / 3, 0.5, 0.65])
    assert TableView(horizon=-100.0, tilt_deg=90).flatness(0.3) == pytest.approx(1.0, abs=0.01)
    assert FAR.flatness(0.0) == 1.0     # nobody has said from how high


def test_a_model_says_how_its_camera_sees_the_table_or_what_is_wrong_with_that():
    assert TableView.of(None, None) is None
    assert TableView.of(-1, 40) == TableView(horizon=-1, tilt_deg=40)
    assert TableView.of(2, None) == TableView(horizon=2)
    for wrong in (('far', None), (math.nan, None), (True, None), (-1, '40')):
        with pytest.raises(ValueError, match='must be a number or null'):
            TableView.of(*wrong)
    for wrong in ((None, 40), (0.6, 40), (-1, 0), (-1, 91)):
        with pytest.raises(ValueError, match='looks down by 0 to 90 degrees'):
            TableView.of(*wrong)


@pytest.mark.parametrize('pose', [
    Pose(delta_px=np.array([3.0, -4.0])),
    Pose(delta_px=np.zeros(2), angle_rad=0.7, centre_px=np.array([5.0, 6.0])),
    Pose(delta_px=np.array([3.0, -4.0]), scale=1.3, centre_px=np.array([5.0, 6.0])),
    Pose(delta_px=np.zeros(2), angle_rad=0.7, centre_px=np.array([5.0, 6.0]), flatness=0.6),
])
def test_a_motion_can_be_undone(pose):
    points = np.array([[0.0, 0.0], [7.0, -2.0]])
    np.testing.assert_allclose(pose.back().apply(pose.apply(points)), points, atol=1e-12)


def test_half_a_way_grown_it_goes_on_from_there():
    mask = np.zeros((80, 100), bool)
    mask[20:30, 40:50] = True
    grabbed = seen_in(FAR, command(handle((44.5, 24.5), (44.5, 64.5), mask=mask)))
    later = advance(grabbed, 0.5).handles[0]
    assert later.mask.sum() == pytest.approx(100 * (85 / 65) ** 2, rel=0.2)
    now, then = pose_at(grabbed.handles[0], 1.0, 1.0).scale, pose_at(later, 0.5, 0.5).scale
    assert pose_at(grabbed.handles[0], 0.5, 1.0).scale * then == pytest.approx(now, rel=0.01)


def test_below_half_a_pixel_everywhere_a_drag_is_a_noop():
    assert is_noop(command(handle((5, 5), (5.3, 5.3)), handle((9, 9))))
    assert not is_noop(command(handle((5, 5), (5.5, 5))))
    assert not is_noop(command(handle((5, 5), (9, 5), (5, 5))))  # there and back again


def test_resizing_keeps_the_edges_of_the_picture_on_its_edges():
    corners = np.array([[-0.5, -0.5], [639.5, 479.5], [319.5, 239.5]])
    resized = resize_points(corners, (640, 480), (128, 96))
    np.testing.assert_allclose(resized, [[-0.5, -0.5], [127.5, 95.5], [63.5, 47.5]])
    np.testing.assert_allclose(resize_points(resized, (128, 96), (640, 480)), corners)


def test_a_path_may_leave_the_picture_and_that_is_noticed():
    assert path_leaves_image(command(handle((5, 5), (99.6, 5))))
    assert not path_leaves_image(command(handle((5, 5), (99.5, -0.5))))


def test_advance_leaves_the_rest_of_the_path_with_the_same_clock():
    whole = command(handle((0, 10), (20, 10), (20, 30)), duration_secs=2.0)
    rest = advance(whole, 0.5)
    np.testing.assert_allclose(rest.handles[0].path_px, [(10, 10), (20, 10), (20, 30)])
    assert rest.duration_secs == 1.5
    for later_secs in (0.0, 0.3, 0.9, 1.5, 4.0):
        np.testing.assert_allclose(
            position_at(rest.handles[0], later_secs, rest.duration_secs),
            position_at(whole.handles[0], 0.5 + later_secs, whole.duration_secs),
        )


def test_advance_of_a_rotation_keeps_the_remaining_angle():
    rest = advance(command(rotation((50, 40), (60, 50), (50, 60))), 0.75)
    pose = pose_at(rest.handles[0], 1.0, rest.duration_secs)
    assert pose.angle_rad == pytest.approx(math.pi / 4)


def test_advance_past_the_end_leaves_handles_that_stay():
    rest = advance(command(handle((1, 1), (9, 1))), 3.0)
    np.testing.assert_allclose(rest.handles[0].path_px, [(9, 1)])
    assert rest.duration_secs == 0.0


def test_advance_takes_the_mask_along():
    mask = np.zeros((80, 100), bool)
    mask[10:14, 20:24] = True
    rest = advance(command(handle((22, 12), (42, 2), mask=mask)), 0.5)
    assert np.array_equal(rest.handles[0].mask, np.roll(mask, (-5, 10), axis=(0, 1)))


def test_advance_turns_the_mask_of_a_rotation():
    mask = np.zeros((80, 100), bool)
    mask[30:45, 49:52] = True  # a bar above the centre (50, 50)
    rest = advance(command(rotation((50, 40), (60, 50), mask=mask)), 1.0)
    expected = np.zeros((80, 100), bool)
    expected[49:52, 56:71] = True  # the bar to its right
    assert np.array_equal(rest.handles[0].mask, expected)


def test_shift_moves_the_start_and_the_mask_but_not_the_target():
    mask = np.zeros((80, 100), bool)
    mask[8:13, 8:13] = True
    moved = shift(
        command(handle((10, 10), (20, 10), (30, 10), mask=mask)), [np.array([4.0, 2.0])]
    ).handles[0]
    np.testing.assert_allclose(moved.path_px, [(14, 12), (22, 11), (30, 10)])
    np.testing.assert_allclose(moved.times_secs, [0.0, 0.5, 1.0])
    assert np.array_equal(moved.mask, np.roll(mask, (2, 4), axis=(0, 1)))


def test_shift_moves_a_rotation_and_a_staying_handle_as_a_whole():
    turning, staying = shift(
        command(rotation((60, 50), (50, 60)), handle((5, 5))), [np.array([1.0, 2.0])] * 2
    ).handles
    np.testing.assert_allclose(turning.path_px, [(61, 52), (51, 62)])
    np.testing.assert_allclose(turning.centre_px, (51, 52))
    np.testing.assert_allclose(staying.path_px, [(6, 7)])


def test_shift_wants_one_displacement_per_handle():
    with pytest.raises(ValueError, match='shorter'):
        shift(command(handle((5, 5)), handle((6, 6))), [np.zeros(2)])


def test_a_mask_that_moves_out_of_the_picture_is_cut_off_not_wrapped():
    mask = np.zeros((80, 100), bool)
    mask[:, 95:] = True
    moved = shift(command(handle((97, 5), mask=mask)), [np.array([3.0, 0.0])]).handles[0].mask
    assert moved[:, 98:].all() and not moved[:, :98].any()


HINGE = Hinge(      # along row 40; a lid over it that lies 20 px down
    foot_px=np.array([50.0, 40.0]), along_px=np.array([1.0, 0.0]), level_px=np.array([0.0, 1.0]),
    up_px=np.array([0.0, -0.6]), radius_px=16.0, width_px=(-15.0, 15.0), reach_px=20.0,
    is_open=False)


def test_what_swings_about_a_hinge_takes_the_share_of_the_shift_that_it_is_away_from_there():
    lid = handle((50, 56), (55, 36), grasp=Grasp(hinge=HINGE))
    pose = pose_at(lid, 1.0, 1.0)
    np.testing.assert_allclose(pose.apply(np.array([(50.0, 56.0), (50.0, 48.0), (20.0, 40.0)])),
                               [(55, 36), (52.5, 38), (20, 40)])
    np.testing.assert_allclose(pose.back().apply(np.array([(55.0, 36.0), (52.5, 38.0)])),
                               [(50, 56), (50, 48)])
    np.testing.assert_allclose(pose.scaled(0.5).apply(np.array([50.0, 56.0])), (52.5, 46))


def test_a_lid_that_is_seen_from_its_edge_can_be_swung_back():
    pose = pose_at(handle((50, 56), (50, 40), grasp=Grasp(hinge=HINGE)), 1.0, 1.0)
    assert np.isfinite(pose.back().apply(np.array([50.0, 41.0]))).all()


def test_a_lid_shows_its_upper_face_until_it_has_passed_the_line_of_sight():
    lies, steep, past = (HINGE.foot_px + 16 * (np.cos(angle) * HINGE.level_px
                                              + np.sin(angle) * HINGE.up_px)
                         for angle in np.radians([0, 50, 70]))
    assert HINGE.shows_outside(lies) and HINGE.shows_outside(steep)     # tan 59 is 1 / 0.6
    assert not HINGE.shows_outside(past)
    assert [round(math.degrees(HINGE.angle(point))) for point in (lies, steep, past)] == [0, 50, 70]
    np.testing.assert_allclose(HINGE.outwards(0.0), HINGE.up_px)


def test_a_ray_to_the_horizon_is_level_and_one_to_a_place_leads_to_it():
    view, size = TableView(horizon=-0.5, tilt_deg=50), (160, 120)
    points = np.array([(80.0, -60.5), (0.0, 119.0), (40.0, 70.0)])
    rays = view.rays(points, size)
    assert rays[0, 2] == pytest.approx(0) and rays[0, 1] > 0 and (rays[1:, 2] < 0).all()
    np.testing.assert_allclose(view.pixels(3 * rays, size), points, atol=1e-9)
    down = TableView(horizon=-0.5).rays(np.array([79.5, 59.5]), size)
    np.testing.assert_allclose(down / np.linalg.norm(down), (0, 0, -1), atol=1e-9)
