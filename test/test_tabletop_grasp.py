"""What is grabbed is whole: also below an arm, or where the rest of its thing is over it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import painted_table
import pytest
import torch
from painted_table import BLACK, BLUE, RED, TABLE, bare_table, painted

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.core.held import Held
from dragstream_ros.masks.thing_pieces import ThingPieces
from dragstream_ros.world_models.tabletop.backdrop import Backdrop
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.grasp import grasped
from dragstream_ros.world_models.tabletop.hidden_parts import hidden_parts
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid

SIDE = 96
BOX, ARM = np.s_[30:54, 30:50], np.s_[:42, 38:42]   # the arm comes in from above, over the box
mask_of = partial(painted_table.mask_of, SIDE)


def seen(picture: np.ndarray, things: np.ndarray, arms: tuple[int, ...] = (),
         whole: np.ndarray | None = None) -> SeenPicture:
    """At rest, on a bare table; whole: what all of the one thing beside others is."""
    pieces = ThingPieces(np.where(things > 0, things, things.max() + 1).astype(np.int32), things,
                         np.where(np.isin(things, arms), things, 0))
    hidden = {} if whole is None else hidden_parts(picture, pieces, lambda *_: whole[None])
    return SeenPicture(picture, pieces, grid((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool),
                       np.tile(np.eye(2, 3), (int(things.max()) + 2, 1, 1)),
                       Backdrop.of(picture, pieces, painted), hidden,
                       rested=np.ones((SIDE, SIDE), bool))


def below_an_arm() -> SeenPicture:
    picture, things = bare_table(SIDE), np.zeros((SIDE, SIDE), np.int32)
    picture[BOX], things[BOX] = RED, 1
    picture[ARM], things[ARM] = BLACK, 2
    return seen(picture, things, arms=(2,), whole=mask_of(BOX))


def dragged(of: SeenPicture, mask: np.ndarray, path: list[tuple[float, float]],
            ) -> tuple[np.ndarray, DragHandle]:
    """The last frame of a chunk in which the flow lets everything be, and the handle as grasped."""
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(SIDE, SIDE), stamp_ns=0,
        handles=(DragHandle(path_px=np.array(path)),))
    of, picture, command = grasped(of, of.picture, command, lambda *_: mask, is_real=True,
                                   view=None)
    still = torch.zeros(5, 3, SIDE, SIDE)
    guess = FirstGuess.of(of.picture, still[:, :2], still[:, 2:],
                          Held.of(command, picture, np.linspace(0, 1, 6)), of)
    frame = (guess.frames[-1] * 255).round().permute(1, 2, 0).byte().numpy()
    return frame, command.handles[0]


def is_all(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixels.astype(int) - colour).max() <= 3)


def test_what_is_dragged_from_below_an_arm_is_whole() -> None:
    of = below_an_arm()
    frame, handle = dragged(of, of.pieces.things == 1, [(33.0, 40.0), (73.0, 40.0)])
    assert handle.grasp.hidden is not None and np.array_equal(
        handle.grasp.hidden, mask_of(np.s_[30:42, 38:42]))
    assert is_all(frame[32:52, 72:88], RED) and is_all(frame[:40, 39:41], BLACK)
    assert is_all(frame[32:52, 31:37], TABLE)


def test_while_it_is_there_the_arm_is_over_it() -> None:
    of = below_an_arm()
    frame, _ = dragged(of, of.pieces.things == 1, [(33.0, 40.0), (36.0, 40.0)])
    assert is_all(frame[:40, 39:41], BLACK)
    assert is_all(frame[32:52, 35:37], RED) and is_all(frame[32:52, 43:51], RED)


def test_what_an_arm_carries_is_dragged_as_it_is_seen() -> None:
    of = below_an_arm()
    things = of.pieces.things.copy()
    things[28:56, 28:30] = things[28:56, 50:52] = things[54:56, 30:50] = 2      # all around it
    of = replace(of, pieces=replace(of.pieces, things=things, arms=things * (things == 2)))
    _, handle = dragged(of, things == 1, [(33.0, 40.0), (73.0, 40.0)])
    assert handle.grasp.hidden is None


def test_a_region_has_nothing_of_a_neighbour_but_all_of_what_it_has_most_of() -> None:
    picture, things = bare_table(SIDE), mask_of().astype(np.int32)
    things[30:54, 30:50], things[36:44, 50:54], things[30:54, 54:80] = 1, 2, 3
    picture[things == 1], picture[things > 1] = RED, BLUE
    touched = (things == 1) | (things == 2) | mask_of(np.s_[30:54, 54:56])
    _, handle = dragged(seen(picture, things), touched, [(40.0, 40.0), (40.0, 70.0)])
    assert handle.mask is not None and np.array_equal(handle.mask, np.isin(things, (1, 2)))


def test_who_touches_both_colours_of_a_thing_holds_all_of_it() -> None:
    picture, things = bare_table(SIDE), mask_of(np.s_[36:49, 26:59]).astype(np.int32)
    left, right = mask_of(np.s_[36:49, 26:42]), mask_of(np.s_[36:49, 42:59])
    picture[left], picture[right] = RED, BLUE
    of = seen(picture, things)

    def its_colour(_: np.ndarray, *points_px: np.ndarray) -> np.ndarray:
        return left if points_px[0][0] < 42 else right

    paths = ([(30.0, 42.0), (42.0, 30.0)], [(54.0, 42.0), (42.0, 54.0)])
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(SIDE, SIDE), stamp_ns=0,
        handles=tuple(DragHandle(path_px=np.array(path)) for path in paths))
    _, _, command = grasped(of, of.picture, command, its_colour, is_real=True, view=None)
    assert all(np.array_equal(handle.mask, things > 0) for handle in command.handles)
    assert command.handles[0].grasp.grip is command.handles[1].grasp.grip is not None
    marked = replace(command, handles=tuple(
        DragHandle(path_px=np.array(path), mask=half)
        for path, half in zip(paths, (left, right))))
    _, _, apart = grasped(of, of.picture, marked, its_colour, is_real=True, view=None)
    assert all(handle.grasp.grip is None for handle in apart.handles)


def test_what_is_touched_at_the_very_rim_is_found_there() -> None:
    """A point of the picture is up to half a pixel beyond the middle of its last one."""
    picture, things = bare_table(SIDE), mask_of(np.s_[80:96, 80:96]).astype(np.int32)
    picture[things > 0] = RED
    _, handle = dragged(seen(picture, things), things > 0, [(95.5, 95.5), (80.0, 60.0)])
    assert handle.mask is not None and np.array_equal(handle.mask, things > 0)


def two_links() -> tuple[SeenPicture, np.ndarray]:
    """A red bar, of which the right end is round and over the left end of a blue one."""
    picture, things = bare_table(SIDE), mask_of().astype(np.int32)
    rows, columns = np.indices((SIDE, SIDE))
    red = mask_of(np.s_[42:55, 20:50]) | (np.hypot(columns - 50, rows - 48) <= 6)
    blue = mask_of(np.s_[42:55, 50:80]) & ~red
    picture[red], picture[blue] = RED, BLUE
    things[red | blue] = 1
    return seen(picture, things), blue


def test_a_link_that_is_turned_goes_on_below_the_rest_which_stays() -> None:
    of, blue = two_links()
    angles = np.radians(np.linspace(0, 90, 7))
    path = [(50 + 25 * np.cos(angle), 48 + 25 * np.sin(angle)) for angle in angles]
    frame, handle = dragged(of, blue, path)
    assert handle.operation is Operation.ROTATE
    assert handle.centre_px == pytest.approx((50, 48), abs=0.5)
    assert is_all(frame[44:53, 22:52], RED)
    assert is_all(frame[56:76, 46:54], BLUE)                # down from the joint, without a gap
    assert is_all(frame[44:53, 60:80], TABLE)


def test_what_a_lid_was_in_front_of_is_more_of_its_box() -> None:
    picture, things = bare_table(SIDE), mask_of().astype(np.int32)
    box, lid = mask_of(np.s_[40:70, 30:60]), mask_of(np.s_[30:50, 38:52])
    picture[box], picture[lid] = RED, BLUE
    things[box | lid] = 1
    frame, handle = dragged(seen(picture, things), lid, [(45.0, 40.0), (45.0, 10.0)])
    assert handle.operation is Operation.TRANSLATE and handle.grasp.hidden is None
    assert is_all(frame[42:68, 32:58], RED) and is_all(frame[32:38, 40:50], TABLE)
    assert is_all(frame[2:18, 40:50], BLUE)


def shaded_box() -> SeenPicture:
    """Its shadow falls to the right, and takes half of the light."""
    picture, things = bare_table(SIDE), mask_of().astype(np.int32)
    picture[30:54, 50:58] //= 2
    picture[BOX], things[BOX] = RED, 1
    return seen(picture, things)


def test_the_shadow_of_what_is_turned_falls_to_where_it_fell() -> None:
    of, middle = shaded_box(), np.array([39.5, 41.5])
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(SIDE, SIDE), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(49.0, 41.5), (39.5, 51.0)]), centre_px=middle,
                            operation=Operation.ROTATE, mask=of.pieces.things == 1),))
    still, of = torch.zeros(5, 3, SIDE, SIDE), of.dragged(of.picture)
    frame = FirstGuess.of(of.picture, still[:, :2], still[:, 2:],
                          Held.of(command, of.picture, np.linspace(0, 1, 6)), of).frames[-1] * 255
    half = torch.tensor(TABLE) / 2
    assert (frame[:, 36:48, 53:58].mean((1, 2)) - half).abs().max() < 4     # right of the turned
    assert (frame[:, 56:62, 36:44].mean((1, 2)) - torch.tensor(TABLE)).abs().max() < 4  # not below


def test_a_part_takes_its_own_shadow_along() -> None:
    of = shaded_box()
    right = mask_of(np.s_[30:54, 40:50])
    frame, _ = dragged(of, right, [(45.0, 40.0), (75.0, 40.0)])
    assert is_all(frame[32:52, 52:58], TABLE) and is_all(frame[32:52, 32:38], RED)
    assert (np.abs(frame[32:52, 82:86].astype(int) - np.array(TABLE) // 2) < 10).all()
