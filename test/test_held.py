"""What a drag holds: the region it came with or that is found, put in its place pixel by pixel."""
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import (
    DragCommand,
    DragHandle,
    DragMode,
    Operation,
    advance,
)
from dragstream_ros.core.held import RIM_PX, Held, with_regions
from dragstream_ros.core.sides import Sides
from dragstream_ros.core.table_view import TableView, seen_in
from dragstream_ros.masks.grow_region import grow_region

HALF_WAY_AND_END = np.array([0.0, 0.5, 1.0])
FAR, FARTHER = TableView(horizon=-0.5), TableView(horizon=-2.0)


def picture() -> np.ndarray:
    """Grey, with a red square of 10 px whose top left pixel is (30, 40)."""
    pixels = np.full((128, 128, 3), 100, np.uint8)
    pixels[40:50, 30:40] = (220, 30, 30)
    return pixels


def mask_of(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., 0] > 200


def drag(*path: tuple[float, float], **settings: object) -> DragCommand:
    handle = DragHandle(path_px=np.array(path, float), **settings)  # type: ignore[arg-type]
    return DragCommand(drag_id='d', operator_id='o', mode=DragMode.ANIMATE, handles=(handle,),
                       image_size=(128, 128), stamp_ns=0)


def put(held: Held, count: int = 2) -> np.ndarray:
    """Frames (count, 3, H, W) in 0..1 that were black, with what is held."""
    return held.put(torch.zeros(count, 3, 128, 128))[0].numpy()


def test_a_region_is_found_only_for_a_handle_that_came_without_one() -> None:
    pixels = picture()
    bare, disc = drag((35, 45), (60, 45)), drag((35, 45), (60, 45), radius_px=4.0)
    given = drag((35, 45), (60, 45), mask=mask_of(pixels))
    found = with_regions(bare, pixels, grow_region).handles[0].mask
    assert found is not None and (found == mask_of(pixels)).mean() > 0.995
    assert with_regions(disc, pixels, grow_region).handles[0].mask is None
    assert with_regions(given, pixels, grow_region).handles[0].mask is given.handles[0].mask


def test_what_is_turned_is_also_looked_for_around_its_centre() -> None:
    pixels = picture()
    pixels[40:50, 40:60] = (30, 30, 220)
    turned = drag((33, 45), (40, 52), operation=Operation.ROTATE, centre_px=np.array([50.0, 45.0]))
    found = with_regions(turned, pixels, grow_region).handles[0].mask
    expected = np.zeros((128, 128), bool)
    expected[40:50, 30:60] = True
    assert found is not None and (found == expected).mean() > 0.995
    far = replace(turned, handles=(replace(turned.handles[0], centre_px=np.array([300.0, 45.0])),))
    found = with_regions(far, pixels, grow_region).handles[0].mask
    assert found is not None and found[45, 33] and not found[:, 100:].any()


def test_what_is_held_is_where_it_is_dragged_as_it_was_grabbed() -> None:
    pixels = picture()
    held = Held.of(drag((35, 45), (75, 65), mask=mask_of(pixels)), pixels, HALF_WAY_AND_END)
    half_way, end = put(held)
    expected = np.zeros((128, 128), bool)
    expected[60:70, 70:80] = True
    assert np.array_equal(end[0] > 0.5, expected)
    assert end[:, 65, 75] * 255 == pytest.approx([220, 30, 30], abs=0.1)
    assert np.array_equal(half_way[0] > 0.5, np.roll(expected, (-10, -20), (0, 1)))


def test_what_is_held_grows_as_it_comes_nearer() -> None:
    pixels = picture()
    away = seen_in(FAR, drag((34.5, 44.5), (34.5, 94.5), mask=mask_of(pixels)))
    shown = put(Held.of(away, pixels, HALF_WAY_AND_END))[-1, 0] > 0.5
    rows, columns = np.nonzero(shown)
    # 109 rows below the horizon it was 10 px wide, and now it is 159 below.
    assert np.ptp(rows) + 1 == pytest.approx(14.6, abs=1) and np.ptp(columns) == np.ptp(rows)
    assert (columns.mean(), rows.mean()) == pytest.approx((34.5, 94.5), abs=0.3)


def test_it_covers_the_pixels_that_show_it_and_what_is_frozen() -> None:
    pixels, frozen = picture(), np.zeros((128, 128), bool)
    frozen[:10] = True
    held = Held.of(replace(drag((35, 45), (75, 65), mask=mask_of(pixels)), frozen=frozen),
                   pixels, HALF_WAY_AND_END)
    expected = frozen.copy()
    expected[60:70, 70:80] = True
    _, covered = held.put(torch.zeros(2, 3, 128, 128))
    assert np.array_equal(covered[-1, 0].numpy() > 0.5, expected)


def test_what_is_held_turns_clockwise_about_its_centre() -> None:
    pixels = picture()
    turned = drag((70, 45), (45, 70), mask=mask_of(pixels), operation=Operation.ROTATE,
                  centre_px=np.array([45.0, 45.0]))
    end = put(Held.of(turned, pixels, HALF_WAY_AND_END))[-1]
    rows, columns = np.nonzero(end[0] > 0.5)
    # From 10 px left of the centre to 10 px above it.
    assert (columns.mean(), rows.mean()) == pytest.approx((45.5, 34.5), abs=0.6)


def box(pixels: np.ndarray, corners: np.ndarray, height_px: int, *, striped: bool = False,
        ) -> np.ndarray:
    """Paint a box that is seen from above at a slant, and say where it is, (H, W) bool.

    corners: (4, 2) of its top, (x, y). Sides are half as light; a stripe of its top is black.
    """
    where = np.zeros((128, 128), np.uint8)
    for down, level in [*((down, 0.5) for down in range(height_px, 0, -1)), (0, 1.0)]:
        face = _filled(corners + (0, down))
        pixels[face > 0] = np.array([240, 60, 60]) * level
        where |= face
    if striped:
        left, right = (corners[[0, 1]] + share * (corners[[3, 2]] - corners[[0, 1]])
                       for share in (0.4, 0.6))
        pixels[_filled(np.concatenate([left, right[::-1]])) > 0] = 10
    return where > 0


def _filled(corners: np.ndarray) -> np.ndarray:
    return cv2.fillConvexPoly(
        np.zeros((128, 128), np.uint8), np.rint(corners).astype(np.int32), 1)


@pytest.mark.parametrize('striped', [False, True])
def test_what_stands_on_a_table_keeps_its_sides_below_its_top_when_it_is_turned(striped) -> None:
    middle, height_px, grey = np.array([64.0, 60.0]), 6, np.full((128, 128, 3), 100, np.uint8)
    corners = middle + np.array([[-16, -9], [16, -9], [16, 9], [-16, 9]])
    pixels, expected = grey.copy(), grey.copy()
    where = box(pixels, corners, height_px, striped=striped)
    turn = np.deg2rad(60)
    cos, sin = np.cos(turn), np.sin(turn)
    box(expected, (corners - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle, height_px,
        striped=striped)
    command = seen_in(FARTHER, drag(
        middle + (12, 0), middle + 12 * np.array([cos, sin]), mask=where,
        operation=Operation.ROTATE, centre_px=middle))

    def unlike(command: DragCommand) -> int:
        frame = put(Held.of(command, pixels, HALF_WAY_AND_END))[-1].transpose(1, 2, 0) * 255
        shown = np.where(frame.any(-1, keepdims=True), frame, 100)
        return int((np.abs(shown - expected).max(-1) > 40).sum())

    flat = replace(command, handles=(command.handles[0].grasped(horizon_px=None),))
    assert unlike(command) < (0.25 if striped else 0.2) * where.sum()    # rims
    assert unlike(flat) > (1.5 if striped else 2) * unlike(command)


@pytest.mark.filterwarnings('error')
def test_what_is_held_outside_the_picture_has_no_sides() -> None:
    assert Sides.of(picture(), np.zeros((128, 128), bool)) == Sides()


def test_sides_of_another_colour_than_the_top_keep_it() -> None:
    middle, pixels = np.array([64.0, 60.0]), np.full((128, 128, 3), 100, np.uint8)
    corners = middle + np.array([[-16, -9], [16, -9], [16, 9], [-16, 9]])
    where = box(pixels, corners, 6)
    sides = where & ~(_filled(corners) > 0)
    pixels[sides] = (20, 120, 40)
    command = seen_in(FARTHER, drag((76, 60), (64, 72), mask=where, operation=Operation.ROTATE,
                                    centre_px=middle))
    frame = put(Held.of(command, pixels, HALF_WAY_AND_END))[-1].transpose(1, 2, 0) * 255
    assert np.abs(frame[79:82, 58:71] - (20, 120, 40)).max() < 10
    assert np.abs(frame[50:70, 58:71] - (240, 60, 60)).max() < 10


def test_what_has_no_crease_is_turned_as_it_is() -> None:
    pixels = picture()
    turned = drag((40, 45), (34.5, 50.5), mask=mask_of(pixels), operation=Operation.ROTATE,
                  centre_px=np.array([34.5, 44.5]))
    flat, standing = (put(Held.of(command, pixels, HALF_WAY_AND_END))
                      for command in (turned, seen_in(FARTHER, turned)))
    assert np.array_equal(flat, standing)


def test_what_it_leaves_is_where_the_frame_before_the_chunk_shows_it() -> None:
    pixels = picture()
    command = drag((35, 45), (75, 45), mask=mask_of(pixels))
    left = Held.of(command, pixels, np.array([0.5, 0.75, 1.0])).left()
    assert left[45, 55] and not left[45, 35] and not left[45, 75]
    assert left[40 - RIM_PX, 50] and not left[40 - RIM_PX - 1, 50]


def test_what_is_held_still_leaves_its_place_too() -> None:
    pixels = picture()
    left = Held.of(drag((35, 45), mask=mask_of(pixels)), pixels, HALF_WAY_AND_END).left()
    assert left[40:50, 30:40].all() and not left[45, 42]


def test_what_turns_on_the_spot_leaves_its_corners() -> None:
    pixels = picture()
    turned = drag((40, 45), (34.5, 50.5), mask=mask_of(pixels), operation=Operation.ROTATE,
                  centre_px=np.array([34.5, 44.5]))
    assert Held.of(turned, pixels, HALF_WAY_AND_END).left()[40, 30]


def test_what_stands_leaves_its_sides_too() -> None:
    pixels, middle = np.full((128, 128, 3), 100, np.uint8), np.array([64.0, 60.0])
    where = box(pixels, middle + np.array([[-16, -7], [16, -7], [16, 7], [-16, 7]]), 6)
    turned = seen_in(FARTHER, drag(middle + (12, 0), middle + (0, 12), mask=where,
                                   operation=Operation.ROTATE, centre_px=middle))
    left = Held.of(turned, pixels, np.array([1.0, 1.25, 1.5])).left()
    rows, columns = np.nonzero(left.numpy())
    assert (rows.min(), rows.max()) == pytest.approx((43, 83), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((56, 72), abs=1)


def test_each_pixel_that_shows_it_knows_where_it_is_from() -> None:
    pixels = picture()
    turned = drag((70, 45), (45, 70), mask=mask_of(pixels), operation=Operation.ROTATE,
                  centre_px=np.array([45.0, 45.0]))
    origin = Held.of(turned, pixels, HALF_WAY_AND_END).origin()
    # A quarter of a turn clockwise about (45, 45): from left of it to above it.
    assert origin[:, 33, 47].tolist() == pytest.approx([33.0, 43.0], abs=1e-3)
    assert origin[:, 45, 35].isnan().all() and int((~origin[0].isnan()).sum()) == 100


def test_what_is_frozen_stays_as_it_was_whatever_comes() -> None:
    pixels = picture()
    frozen = np.zeros((128, 128), bool)
    frozen[60:, :] = True
    command = replace(drag((35, 45), (75, 65), mask=mask_of(pixels)), frozen=frozen)
    end = put(Held.of(command, pixels, HALF_WAY_AND_END))[-1]
    assert np.abs(end[:, 60:] * 255 - 100).max() < 0.01


def test_several_handles_are_all_put_in_their_places() -> None:
    pixels = picture()
    one = drag((35, 45), (75, 45), mask=mask_of(pixels))
    both = replace(one, handles=(one.handles[0], replace(
        one.handles[0], path_px=np.array([[35.0, 45.0], [35.0, 95.0]]))))
    end = put(Held.of(both, pixels, HALF_WAY_AND_END))[-1]
    assert end[0, 45, 75] > 0.8 and end[0, 95, 35] > 0.8


def test_a_handle_that_has_left_the_picture_holds_nothing_and_changes_nothing() -> None:
    pixels = picture()
    gone = advance(drag((35, 45), (-75, 45), (-75, 60), mask=mask_of(pixels)), 0.9)
    held = Held.of(gone, pixels, HALF_WAY_AND_END)
    assert not held.masks.any() and not held.left().any() and not put(held).any()


def test_a_thing_that_is_dragged_off_the_picture_is_gone() -> None:
    pixels = picture()
    held = Held.of(drag((35, 45), (-75, 45), mask=mask_of(pixels)), pixels, HALF_WAY_AND_END)
    assert not put(held)[-1].any()


def test_an_arm_that_ends_at_a_bar_goes_on_behind_it() -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)      # a wide camera's: bars of 16 px
    pixels[16:112] = 100
    pixels[16:50, 60:70] = (220, 30, 30)
    down = drag((65, 45), (65, 75), mask=mask_of(pixels))
    _, end = put(Held.of(down, pixels, HALF_WAY_AND_END))
    assert (end[0, 16:78, 62:68] > 0.5).all() and not end[0, 82:].any()


def test_a_thing_between_bars_is_where_it_is_dragged() -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[16:112] = picture()[16:112]
    there = drag((35, 45), (75, 65), mask=mask_of(pixels))
    assert np.array_equal(put(Held.of(there, pixels, HALF_WAY_AND_END)),
                          put(Held.of(there, picture(), HALF_WAY_AND_END)))
