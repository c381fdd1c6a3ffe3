"""Pieces of one colour, and their motions: arms and boxes stay whole where the flow bends them."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from dragstream_ros.masks.colour_pieces import colour_pieces
from dragstream_ros.world_models.tabletop.rigid_pieces import RigidPieces

NO_HOLE = torch.zeros(1, 1, 64, 64)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def picture() -> np.ndarray:
    """Grey, with a red box of 30 x 20 px whose top left pixel is (40, 50)."""
    pixels = np.full((128, 128, 3), 100, np.uint8)
    pixels[50:70, 40:70] = (220, 30, 30)
    return pixels


def flow_of(shift_px: np.ndarray) -> torch.Tensor:
    """(1, 2, 64, 64) of (64, 64, 2)."""
    return torch.from_numpy(shift_px).permute(2, 0, 1)[None].float()


def put(displacement: torch.Tensor, left: torch.Tensor | None = None) -> np.ndarray:
    pieces = RigidPieces.of(colour_pieces(picture()), displacement, NO_HOLE, left)
    return pieces.put(torch.zeros(1, 3, 128, 128), picture())[0].permute(1, 2, 0).numpy()


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


def torn(shift_px: float) -> torch.Tensor:
    """By this flow most of the box goes to the right, the rest stays behind."""
    shift = np.zeros((64, 64, 2))
    shift[24:36, 26:46, 0] = shift_px
    return flow_of(shift)


def test_a_piece_with_a_torn_flow_moves_as_one() -> None:
    shown = put(torn(5.0))[..., 0] > 0.5
    rows, columns = np.nonzero(shown)
    assert (rows.min(), rows.max()) == (50, 69)
    assert columns.max() - columns.min() == pytest.approx(29, abs=2)
    assert columns.mean() == pytest.approx(54.5 + 5, abs=1)


def test_a_piece_whose_flow_is_of_two_bodies_is_left_to_the_flow() -> None:
    assert not put(torn(20.0)).any()


def test_a_piece_that_turns_keeps_its_size() -> None:
    y, x = np.mgrid[:64, :64] * 2.0 + 0.5
    angle, (dx, dy) = np.radians(20), (x - 54.5, y - 59.5)
    back = np.stack([np.cos(angle) * dx + np.sin(angle) * dy,
                     np.cos(angle) * dy - np.sin(angle) * dx], -1)
    shift = np.where((np.hypot(dx, dy) < 24)[..., None], np.stack([dx, dy], -1) - back, 0)
    shown = put(flow_of(shift))[..., 0] > 0.5
    rows, columns = np.nonzero(shown)
    assert shown.sum() == pytest.approx(600, rel=0.05)
    assert (columns.mean(), rows.mean()) == pytest.approx((54.5, 59.5), abs=0.7)
    # Its long side falls by 20 degrees.
    spread_x, spread_y, joint = *np.var([columns, rows], 1), np.cov(columns, rows)[0, 1]
    falls = 0.5 * np.degrees(np.arctan2(2 * joint, spread_x - spread_y))
    assert falls == pytest.approx(20, abs=5)


def test_what_hardly_moves_and_the_background_are_no_pieces() -> None:
    assert not put(flow_of(np.full((64, 64, 2), 0.4))).any()
    everything = RigidPieces.of(np.ones((128, 128), np.int32), flow_of(np.full((64, 64, 2), 9.0)),
                                NO_HOLE)
    assert not everything.pieces[0] and not everything.moved.any()


def test_what_a_drag_has_taken_away_is_not_put_again() -> None:
    left = torch.zeros(1, 128, 128, dtype=torch.bool)
    left[:, 45:75, 35:75] = True
    assert not put(flow_of(np.full((64, 64, 2), 9.0)), left).any()


def test_of_a_piece_that_is_taken_in_part_the_rest_is_put() -> None:
    left = torch.zeros(1, 128, 128, dtype=torch.bool)
    left[:, :, :55] = True
    shown = put(flow_of(np.full((64, 64, 2), (9.0, 0.0))), left)[..., 0] > 0.5
    columns = np.flatnonzero(shown.any(0))
    assert (columns.min(), columns.max()) == (64, 78)


def test_a_piece_that_leaves_the_picture_is_gone() -> None:
    shift = np.zeros((64, 64, 2))
    shift[..., 0] = -90.0
    assert not put(flow_of(shift)).any()
