"""Several handles on one thing move it as one: fingers at both ends turn it, none doubles it."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import (
    DragCommand,
    DragHandle,
    DragMode,
    Operation,
    pose_at,
    poses_at,
    position_at,
)
from dragstream_ros.core.grip import Grip
from dragstream_ros.core.held import Held
from dragstream_ros.core.join_handles import join_handles, one_of_each
from dragstream_ros.core.table_view import TableView, seen_in

LEFT, RIGHT, MIDDLE = (40.0, 60.0), (80.0, 60.0), np.array([60.0, 60.0])
BAR = np.s_[54:67, 34:87]


def grip(*paths: list[tuple[float, float]], turns: bool = True) -> Grip:
    points = np.array(paths, float).swapaxes(0, 1)
    return Grip(np.linspace(0, 1, len(points)), points, turns)


def round_about(start: tuple[float, float], centre: np.ndarray, degrees: float, flatness: float = 1,
                steps: int = 12) -> list[tuple[float, float]]:
    """The way of a point that turns, on circles that look so flat."""
    angles = np.radians(np.linspace(0, degrees, steps + 1))
    x, y = (start - centre) / (1, flatness)
    return [(centre[0] + x * np.cos(a) - y * np.sin(a),
             centre[1] + (x * np.sin(a) + y * np.cos(a)) * flatness) for a in angles]


def mask_of(*windows: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((128, 128), bool)
    for window in windows:
        mask[window] = True
    return mask


def drag(*handles: DragHandle) -> DragCommand:
    return DragCommand(drag_id='d', operator_id='o', mode=DragMode.ANIMATE, handles=handles,
                       image_size=(128, 128), stamp_ns=0)


def bar(path: list[tuple[float, float]], **settings: object) -> DragHandle:
    return DragHandle(path_px=np.array(path, float),
                      **{'mask': mask_of(BAR), **settings})  # type: ignore[arg-type]


def test_two_handles_that_go_the_same_way_shift_it() -> None:
    both = grip([LEFT, (50, 65)], [RIGHT, (90, 65)])
    assert both.angle_rad(1.0, 1.0) == pytest.approx(0)
    np.testing.assert_allclose(both.shift_px(0.5), (5, 2.5))


@pytest.mark.parametrize('flatness', [1.0, 0.7])
def test_two_handles_that_go_round_each_other_turn_it(flatness: float) -> None:
    both = grip(*(round_about(end, MIDDLE, 60, flatness) for end in (LEFT, RIGHT)))
    assert np.degrees(both.angle_rad(1.0, flatness)) == pytest.approx(60)
    assert np.degrees(both.angle_rad(0.5, flatness)) == pytest.approx(30)
    np.testing.assert_allclose(both.shift_px(1.0), (0, 0), atol=1e-9)


def test_one_may_turn_it_more_than_half_round() -> None:
    both = grip(*(round_about(end, MIDDLE, -450, steps=30) for end in (LEFT, RIGHT)))
    assert np.degrees(both.angle_rad(1.0, 1.0)) == pytest.approx(-450)
    assert np.degrees(both.most_turned_rad(1.0)) == pytest.approx(450)


def test_what_is_held_still_is_what_it_turns_about() -> None:
    pinned = grip([LEFT, LEFT], [RIGHT, (40, 110)])         # 10 px more than fit
    np.testing.assert_allclose(pinned.centre_px, LEFT)
    np.testing.assert_allclose(pinned.shift_px(1.0), (0, 0))
    assert np.degrees(pinned.angle_rad(1.0, 1.0)) == pytest.approx(90)


def test_what_reaches_into_the_picture_is_shifted_by_those_that_move() -> None:
    arm = grip([LEFT, LEFT], [RIGHT, (90, 64)], turns=False)
    assert arm.angle_rad(1.0, 1.0) == 0
    np.testing.assert_allclose(arm.shift_px(1.0), (10, 4))


def test_paths_that_do_not_fit_a_rigid_thing_are_met_half_way() -> None:
    apart = grip([LEFT, (30, 60)], [RIGHT, (90, 60)])
    assert apart.angle_rad(1.0, 1.0) == 0 and (apart.shift_px(1.0) == 0).all()
    through = grip([LEFT, RIGHT], [RIGHT, LEFT])            # the fingers meet on the way
    assert abs(np.degrees(through.angle_rad(1.0, 1.0))) == pytest.approx(180)
    assert np.isfinite(through.angle_rad(0.5, 1.0))


def test_a_handle_that_arrives_sooner_waits_for_the_others() -> None:
    soon = bar([LEFT, (40, 70)], times_secs=np.array([0.0, 0.25]))
    both = join_handles(drag(soon, bar([RIGHT, (80, 70)]))).handles[0].grasp.grip
    assert both is not None and np.degrees(both.angle_rad(0.25, 1.0)) < -5
    assert both.angle_rad(1.0, 1.0) == pytest.approx(0)
    np.testing.assert_allclose(both.shift_px(1.0), (0, 10))


def test_only_handles_on_one_thing_are_joined() -> None:
    other = bar([(20, 20), (30, 20)], mask=mask_of(np.s_[10:30, 10:30]))
    disc = bar([RIGHT, (90, 60)], mask=None, radius_px=8.0)
    part = bar([RIGHT, (90, 60)], mask=mask_of(np.s_[54:67, 70:87]))
    command = join_handles(drag(bar([LEFT, (40, 80)]), other, disc, part))
    assert all(handle.grasp.grip is None for handle in command.handles)
    joined = join_handles(drag(bar([LEFT, (40, 80)]), other, bar([RIGHT, (80, 40)])))
    first, alone, last = joined.handles
    assert first.grasp.grip is not None and first.grasp.grip is last.grasp.grip
    assert alone.grasp.grip is None
    assert one_of_each(joined).handles == (first, alone)


def test_they_share_all_that_was_found_of_it() -> None:
    more = mask_of(BAR, np.s_[54:67, 87:100])
    first, second = join_handles(
        drag(bar([LEFT, (40, 80)]), bar([RIGHT, (80, 40)], mask=more))).handles
    assert first.mask is second.mask and np.array_equal(first.mask, more)


def test_what_is_turned_by_a_handle_and_shifted_by_another_does_both() -> None:
    turned = bar(round_about(RIGHT, MIDDLE, 90), operation=Operation.ROTATE, centre_px=MIDDLE)
    both = join_handles(drag(bar(round_about(LEFT, MIDDLE, 90)), turned))
    pose = pose_at(both.handles[0], 1.0, 1.0)
    assert np.degrees(pose.angle_rad) == pytest.approx(90, abs=0.5)
    np.testing.assert_allclose(pose.delta_px, (0, 0), atol=0.2)


def test_each_handle_is_where_the_thing_takes_it() -> None:
    """A chunk's tracks say so, one for each handle that was sent."""
    command = join_handles(drag(bar(round_about(LEFT, MIDDLE, 90)),
                                bar(round_about(RIGHT, MIDDLE, 90))))
    ends = [position_at(handle, 1.0, 1.0) for handle in command.handles]
    np.testing.assert_allclose(ends, [(60, 40), (60, 80)], atol=1e-6)
    assert len(poses_at(command, np.array([1.0]))[0]) == 2


def test_the_thing_is_there_once() -> None:
    picture = np.full((128, 128, 3), 100, np.uint8)
    picture[BAR] = (220, 30, 30)
    command = join_handles(drag(bar(round_about(LEFT, MIDDLE, 90)),
                                bar(round_about(RIGHT, MIDDLE, 90))))
    held = Held.of(command, picture, np.array([0.0, 1.0]))
    frame, covered = held.put(torch.zeros(1, 3, 128, 128))
    upright = mask_of(np.s_[36:85, 55:66])
    assert (covered[0, 0].numpy() > 0.5)[upright].mean() > 0.98
    assert covered.sum() < 1.1 * mask_of(BAR).sum()
    assert (frame[0, 0].numpy()[upright] > 0.8).mean() > 0.98


def test_on_a_table_it_turns_as_the_table_is_seen_and_grows_as_it_comes_nearer() -> None:
    view = TableView(horizon=-1.0, tilt_deg=50.0)
    near = [(40.0, 100.0), (80.0, 100.0)]
    command = seen_in(view, join_handles(drag(bar([LEFT, near[0]]), bar([RIGHT, near[1]]))))
    grasp, pose = command.handles[0].grasp, pose_at(command.handles[0], 1.0, 1.0)
    assert grasp.flatness == pytest.approx(view.flatness(60.5 / 128))
    assert pose.scale == pytest.approx((100 + 128.5) / (60 + 128.5))
    alone = seen_in(view, drag(bar([LEFT, near[0]]))).handles[0]
    assert alone.grasp.flatness == 1.0
