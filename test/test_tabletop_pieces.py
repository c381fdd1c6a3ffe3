"""Pieces of one colour, and their motions: arms and boxes stay whole where the flow bends them."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.held import Held
from dragstream_ros.masks.colour_pieces import colour_pieces
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.rigid_pieces import RigidPieces
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid

SURE = np.ones((1, 128, 128))
NOTHING = np.zeros((128, 128), bool)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def picture() -> np.ndarray:
    """Grey, with a red box of 30 x 20 px whose top left pixel is (40, 50)."""
    pixels = np.full((128, 128, 3), 100, np.uint8)
    pixels[50:70, 40:70] = (220, 30, 30)
    return pixels


def origins(shift_px: np.ndarray) -> np.ndarray:
    """(1, 2, 128, 128), where each pixel comes from, of (128, 128, 2) or (2,)."""
    shift = np.broadcast_to(shift_px, (128, 128, 2)).transpose(2, 0, 1)
    return (grid((128, 128)) - shift)[None].astype(np.float32)


def put(shift_px: np.ndarray, gone: np.ndarray = NOTHING) -> np.ndarray:
    """(128, 128, 3) in 0..1: the pieces of the picture, moved so, on black."""
    pieces = RigidPieces.of(colour_pieces(picture()), origins(shift_px), SURE, gone)
    frames, _ = pieces.put(torch.zeros(1, 3, 128, 128), picture())
    return frames[0].permute(1, 2, 0).numpy()


def test_what_has_one_colour_is_one_piece() -> None:
    pieces = colour_pieces(picture())
    assert len(np.unique(pieces)) == 2
    assert (pieces == pieces[60, 55]).sum() == pytest.approx(600, abs=40)


def test_shading_does_not_cut_a_piece() -> None:
    pixels = picture()
    pixels[50:70, 40:70] = np.linspace(120, 240, 30).astype(np.uint8)[None, :, None]
    assert len(np.unique(colour_pieces(pixels)[55:65, 45:65])) == 1


def test_specks_join_what_is_around_them() -> None:
    pixels = picture()
    pixels[20:22, 20:23] = 255
    assert len(np.unique(colour_pieces(pixels))) == 2


def torn(shift_px: float) -> np.ndarray:
    """By this flow most of the box goes to the right, the rest stays behind."""
    shift = np.zeros((128, 128, 2))
    shift[48:72, 52:92, 0] = shift_px
    return shift


def test_a_piece_with_a_torn_flow_moves_as_one() -> None:
    shown = put(torn(5.0))[..., 0] > 0.5
    rows, columns = np.nonzero(shown)
    assert (rows.min(), rows.max()) == (50, 69)
    assert columns.max() - columns.min() == pytest.approx(29, abs=2)
    assert columns.mean() == pytest.approx(54.5 + 5, abs=1)


def test_a_piece_whose_flow_is_of_two_bodies_is_left_to_the_flow() -> None:
    assert not put(torn(40.0)).any()


def test_a_piece_that_turns_keeps_its_size() -> None:
    y, x = np.mgrid[:128, :128]
    angle, (dx, dy) = np.radians(20), (x - 54.5, y - 59.5)
    back = np.stack([np.cos(angle) * dx + np.sin(angle) * dy,
                     np.cos(angle) * dy - np.sin(angle) * dx], -1)
    shift = np.where((np.hypot(dx, dy) < 24)[..., None], np.stack([dx, dy], -1) - back, 0)
    shown = put(shift)[..., 0] > 0.5
    rows, columns = np.nonzero(shown)
    assert shown.sum() == pytest.approx(600, rel=0.05)
    assert (columns.mean(), rows.mean()) == pytest.approx((54.5, 59.5), abs=0.7)
    # Its long side falls by 20 degrees.
    spread_x, spread_y, joint = *np.var([columns, rows], 1), np.cov(columns, rows)[0, 1]
    falls = 0.5 * np.degrees(np.arctan2(2 * joint, spread_x - spread_y))
    assert falls == pytest.approx(20, abs=5)


def test_what_hardly_moves_and_the_background_are_no_pieces() -> None:
    assert not put(np.array((0.4, 0.4))).any()
    everything = RigidPieces.of(
        np.ones((128, 128), np.int32), origins(np.array((9.0, 9.0))), SURE, NOTHING)
    assert not everything.pieces[0] and not everything.moved.any()


def test_what_a_drag_has_taken_away_is_not_put_again() -> None:
    gone = np.zeros((128, 128), bool)
    gone[45:75, 35:75] = True
    assert not put(np.array((9.0, 9.0)), gone).any()


def test_of_a_piece_that_is_taken_in_part_the_rest_is_put() -> None:
    gone = np.zeros((128, 128), bool)
    gone[:, :55] = True
    shown = put(np.array((9.0, 0.0)), gone)[..., 0] > 0.5
    columns = np.flatnonzero(shown.any(0))
    assert (columns.min(), columns.max()) == (64, 78)


def test_a_piece_that_has_gone_leaves_no_rim_of_mixed_colours() -> None:
    pixels = picture()
    pixels[49:71, 39:71][~np.pad(np.ones((20, 30), bool), 1)] = (160, 65, 65)
    shift = np.zeros((128, 128, 2))
    shift[50:70, 85:115, 0] = 45.0
    where = origins(shift)
    where[:, :, 50:70, 40:70] = np.nan         # the flow knows what is hidden, and fills it
    labels = np.ones((128, 128), np.int32)
    labels[50:70, 40:70] = 2
    filled = pixels.copy()
    filled[50:70, 40:70] = 100
    pieces = RigidPieces.of(labels, where, SURE, NOTHING)
    frames, _ = pieces.put(torch.from_numpy(filled).permute(2, 0, 1)[None].float() / 255, pixels)
    shown = (frames[0].permute(1, 2, 0) * 255).round().numpy()
    assert (shown[40:80, 30:80] == 100).all()
    assert (shown[52:68, 87:113] == (220, 30, 30)).all()


def test_a_piece_that_leaves_the_picture_is_gone() -> None:
    assert not put(np.array((-90.0, 0.0))).any()


def test_what_comes_in_over_the_border_shows_more_of_itself() -> None:
    pixels = np.full((128, 128, 3), 100, np.uint8)
    pixels[50:70, :30] = (220, 30, 30)
    pieces = RigidPieces.of(colour_pieces(pixels), origins(np.array((12.0, 0.0))), SURE, NOTHING)
    frames, covered = pieces.put(torch.zeros(1, 3, 128, 128), pixels)
    assert (frames[0, 0, 52:68, :41] > 0.8).all() and not frames[0, 0, :, 44:].any()
    assert (covered[0, 0, 52:68, :41] > 0.9).all()


def test_where_a_pixel_comes_from_adds_up_over_chunks() -> None:
    seen = SeenPicture.of(picture())
    hidden = np.zeros((1, 128, 128), bool)
    for _ in range(2):
        found = seen.origins(np.full((1, 2, 128, 128), 3.0, np.float32), hidden, NOTHING)
        seen = replace(seen, origin=found[0])
    assert seen.origin[:, 60, 60] == pytest.approx((54.0, 54.0))
    assert np.isnan(seen.origin[:, 2, 2]).all()     # came in from outside


def test_what_was_hidden_or_made_anew_comes_from_nowhere() -> None:
    hidden = np.zeros((1, 128, 128), bool)
    hidden[0, 60, 60] = True
    redone = np.zeros((128, 128), bool)
    redone[20, 30] = True
    seen = SeenPicture.of(picture()).without(redone)
    found = seen.origins(np.full((1, 2, 128, 128), 2.0, np.float32), hidden, NOTHING)[0]
    assert np.isnan(found[:, 60, 60]).all() and np.isnan(found[:, 22, 32]).all()
    assert found[:, 61, 61] == pytest.approx((59.0, 59.0))


def test_what_a_drag_takes_is_gone_from_what_was_seen() -> None:
    seen = SeenPicture.of(picture())
    seen = replace(seen, origin=seen.origins(np.full((1, 2, 128, 128), 4.0, np.float32),
                                             NOTHING[None], NOTHING)[0])
    left = np.zeros((128, 128), bool)
    left[54:74, 44:74] = True                       # the box, as it is now
    gone = seen.gone_by(left, np.zeros_like(left))
    assert gone[50:70, 40:70].all() and gone.sum() == 600


def moving_box(shift_px: float, seen: SeenPicture | None, newest: np.ndarray) -> FirstGuess:
    """All of the picture to the right, evenly over five frames."""
    ways = torch.linspace(shift_px / 5, shift_px, 5)
    displacement = torch.stack([ways, torch.zeros(5)], 1)[:, :, None, None].expand(5, 2, 64, 64)
    return FirstGuess.of(newest, displacement, torch.zeros(5, 1, 64, 64), None, seen)


def test_a_piece_is_cut_from_the_real_picture_however_many_chunks_ago() -> None:
    guess = moving_box(10.0, None, picture())
    worn = np.full((128, 128, 3), 130, np.uint8)    # nothing can be seen in it
    guess = moving_box(10.0, guess.seen, worn)
    red = (guess.frames[-1, 0] > 0.8).numpy()
    rows, columns = np.nonzero(red)
    assert (rows.min(), rows.max()) == (50, 69)
    assert (columns.min(), columns.max()) == pytest.approx((60, 89), abs=1)
    assert guess.settled[-1, 0].numpy()[red].min() > 0.5


def test_what_was_seen_is_remembered_through_drags_with_what_they_held() -> None:
    before = moving_box(10.0, None, picture())
    newest = (255 * before.frames[-1].permute(1, 2, 0)).byte().numpy()
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(65.0, 60.0), (65.0, 100.0)]),
                            mask=newest[..., 0] > 200),))
    still = torch.zeros(5, 3, 64, 64)
    dragged = FirstGuess.of(newest, still[:, :2], still[:, 2:],
                            Held.of(command, newest, np.linspace(0, 1, 6)), before.seen).seen
    assert dragged.picture is before.seen.picture
    assert dragged.gone[51:69, 41:69].all() and dragged.gone.sum() < 900    # the box, as first seen
    assert dragged.origin[:, 100, 65] == pytest.approx((55.0, 60.0), abs=0.6)
    # Let go of, it is cut from the real picture again, whatever became of the newest one.
    after = moving_box(10.0, dragged, np.full((128, 128, 3), 100, np.uint8))
    rows, columns = np.nonzero(after.frames[-1, 0].numpy() > 0.7)
    assert (rows.min(), rows.max()) == pytest.approx((90, 109), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((60, 89), abs=1)


def test_what_a_thing_has_passed_in_front_of_shows_again() -> None:
    striped = np.full((128, 128, 3), 100, np.uint8)
    striped[:, np.arange(128) % 32 < 16] = 140
    start, seen = striped.copy(), None
    start[48:72, 8:32] = (220, 30, 30)
    newest, left = start, 8
    for shift in (32, 48):                          # to the columns from 40, then from 88 on
        displacement, hole = torch.zeros(5, 2, 64, 64), torch.zeros(5, 1, 64, 64)
        for frame, way in enumerate(np.linspace(shift / 5, shift, 5)):
            hole[frame, 0, 24:36, left // 2:left // 2 + 12] = 1.0
            there = round((left + way) / 2)
            displacement[frame, 0, 24:36, there:there + 12] = way
            hole[frame, 0, 24:36, there:there + 12] = 0.0
        guess = FirstGuess.of(newest, displacement, hole, None, seen)
        newest = (255 * guess.frames[-1].permute(1, 2, 0)).byte().numpy()
        seen, left = guess.seen, left + shift
    assert newest[52:68, 90:108, 0].min() > 200                 # the box, where it is now
    passed = np.s_[52:68, 44:60]
    assert np.abs(newest[passed].astype(int) - striped[passed]).mean() < 2
    assert seen.origin[:, 60, 50] == pytest.approx((50.0, 60.0))
    # What was behind it at first was never seen, and is no red box.
    assert newest[52:68, 12:28, 0].max() < 160
