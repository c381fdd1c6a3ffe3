"""What stays where it is while something beside it is dragged, and parts that hang on the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.core.held import Held
from dragstream_ros.core.table_view import TableView
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture
from dragstream_ros.world_models.tabletop.swing import swing_parts


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def table_with_an_arm() -> tuple[np.ndarray, SeenPicture]:
    """Grey, with an arm from the left over its middle, and a red box of 20 x 20 px above it."""
    pixels = np.full((128, 128, 3), 100, np.uint8)
    pixels[20:40, 50:70] = (220, 30, 30)
    arms = np.zeros((128, 128), np.int32)
    arms[56:72, :90] = 1
    pixels[arms > 0] = (30, 30, 220)
    seen = SeenPicture.of(pixels)
    return pixels, replace(seen, pieces=replace(seen.pieces, arms=arms))


def dragged_down(pixels: np.ndarray, seen: SeenPicture, way_px: float, *, flow_px: float = 20.0,
                 ) -> FirstGuess:
    """The box goes down; by the flow the arm, and all else, goes to the right."""
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(60.0, 30.0), (60.0, 30.0 + way_px)]),
                            mask=pixels[..., 0] > 200),))
    flow = torch.zeros(5, 3, 64, 64)
    flow[:, 0] = flow_px
    return FirstGuess.of(
        pixels, flow[:, :2], flow[:, 2:], Held.of(command, pixels, np.linspace(0, 1, 6)), seen)


def test_an_arm_that_a_thing_passes_below_stays_and_hides_it() -> None:
    pixels, seen = table_with_an_arm()
    guess = dragged_down(pixels, seen, 30.0)                # its lower half below the arm's upper
    last = (255 * guess.frames[-1].permute(1, 2, 0)).round().numpy()
    assert np.array_equal(last[56:72, :90], pixels[56:72, :90])
    assert (last[51:55, 51:69, 0] > 200).all() and (last[20:40, 50:70, 0] < 150).all()
    assert (last[74:100, :, 2] < 150).all()                 # and it is nowhere else
    assert (guess.settled[-1, 0, 56:72, :90] == 1).all()
    assert np.array_equal(guess.seen.origin[:, 64, 60], (60, 64))
    # Below it and out again.
    out = (255 * dragged_down(pixels, seen, 60.0).frames[-1].permute(1, 2, 0)).round().numpy()
    assert (out[82:98, 52:68, 0] > 200).all()
    assert np.array_equal(out[56:72, :90], pixels[56:72, :90])


def test_an_arm_that_a_thing_does_not_pass_goes_where_the_flow_has_it() -> None:
    pixels, seen = table_with_an_arm()
    last = dragged_down(pixels, seen, 10.0).frames[-1].numpy()
    assert last[2, 60:68, 95:105].min() > 0.8


def test_what_rests_stays_unless_the_drag_touches_it() -> None:
    pixels, seen = table_with_an_arm()
    box, beside = np.s_[100:116, 100:116], np.s_[42:50, 52:68]      # that lies in the way
    pixels[box] = pixels[beside] = (30, 200, 30)
    arms = seen.pieces.arms
    seen = SeenPicture.of(pixels)
    things = arms.copy()
    things[box], things[beside] = 2, 3
    seen = replace(seen, pieces=replace(seen.pieces, arms=arms, things=things))
    for where, stays in (((arms > 0) | (things > 0), True), (None, False)):
        last = 255 * dragged_down(
            pixels, replace(seen, rested=where), 10.0, flow_px=12).frames[-1].numpy()
        assert (last[2, 58:70, 92:100].max() < 150) == stays
        assert (last[1, 102:114, 101:111].min() > 190) == stays
        assert last[1, 42:50, 52:60].max() < 150


def test_where_no_thing_is_known_what_rests_stays_behind_what_moves() -> None:
    pixels = np.full((128, 128, 3), (90, 120, 90), np.uint8)
    bar, box = np.s_[50:64, 10:30], np.s_[40:74, 60:80]     # that will be in front of it
    pixels[bar], pixels[box] = (30, 30, 220), (220, 30, 30)
    rested = np.ones((128, 128), bool)
    rested[bar] = False
    flow = torch.zeros(5, 3, 64, 64)
    flow[:, 0] = 50.0       # of all
    for where, stays in ((rested, True), (None, False)):
        seen = replace(SeenPicture.of(pixels), rested=where)
        guess = FirstGuess.of(pixels, flow[:, :2], flow[:, 2:], None, seen)
        last = (255 * guess.frames[-1].permute(1, 2, 0)).round().numpy()
        assert (last[52:62, 62:78, 2] > 190).all()                          # the bar has come
        assert (last[42:48, 62:78, 0] > 190).all() == stays
        assert (last[100:, :] == (90, 120, 90)).all()
        assert (guess.settled[-1, 0, 100:] == 1).all() == stays
        if stays:       # and where it was is what is beside that
            assert np.abs(last[50:64, 10:30] - (90, 120, 90)).max() < 8
            assert np.array_equal(guess.seen.origin[:, 44, 70], (70, 44))


def test_an_arm_around_a_thing_carries_it() -> None:
    pixels, seen = table_with_an_arm()
    arms = seen.pieces.arms.copy()
    for finger in (np.s_[26:56, 44:50], np.s_[26:56, 70:76]):
        arms[finger], pixels[finger] = 1, (30, 30, 220)
    seen = SeenPicture.of(pixels)
    seen = replace(seen, pieces=replace(seen.pieces, arms=arms))
    last = dragged_down(pixels, seen, 30.0).frames[-1].numpy()
    assert last[2, 60:68, 95:105].min() > 0.8               # it went with the flow
    assert last[0, 52:68, 52:68].min() > 0.8                # and the thing is before it, as it was


def test_an_arm_that_is_dragged_itself_does_not_stay() -> None:
    pixels, seen = table_with_an_arm()
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(60.0, 30.0), (60.0, 60.0)]),
                            mask=pixels[..., 0] > 200),
                 DragHandle(path_px=np.array([(80.0, 64.0), (80.0, 94.0)]),
                            mask=pixels[..., 2] > 200)))
    still = torch.zeros(5, 3, 64, 64)
    last = FirstGuess.of(pixels, still[:, :2], still[:, 2:],
                         Held.of(command, pixels, np.linspace(0, 1, 6)), seen).frames[-1].numpy()
    assert last[2, 88:98, 40:85].min() > 0.8 and last[2, 58:70, 75:85].max() < 0.5


def test_what_an_edit_takes_elsewhere_leaves_nothing_where_it_was_before_the_chunk() -> None:
    pixels, seen = table_with_an_arm()
    after = pixels.copy()
    after[20:40, 50:70] = 100
    after[20:40, 56:76] = (220, 30, 30)             # the chunk had moved the box by 6 px
    origin = seen.origin.copy()
    origin[0, 20:40, 56:76] -= 6
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.EDIT, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(66.0, 30.0), (106.0, 30.0)]),
                            mask=after[..., 0] > 200),))
    still = torch.zeros(5, 3, 64, 64)
    last = FirstGuess.of(
        pixels, still[:, :2], still[:, 2:], Held.of(command, after, np.linspace(0, 1, 6)),
        seen.dragged(after, origin)).frames[-1].numpy()
    assert (last[0] > 0.7).sum() == 400 and last[0, 21:39, 97:115].min() > 0.8


def two_links() -> tuple[np.ndarray, np.ndarray, SeenPicture]:
    """A red bar, a blue one that hangs on its right end, the mask of that, and what was seen."""
    pixels = np.full((128, 128, 3), 100, np.uint8)
    pixels[60:72, 30:60], pixels[60:72, 60:90] = (220, 30, 30), (30, 30, 220)
    seen = SeenPicture.of(pixels)
    things = np.zeros((128, 128), np.int32)
    things[60:72, 30:90] = 1
    return pixels, pixels[..., 2] > 200, replace(seen, pieces=replace(seen.pieces, things=things))


def test_the_rest_of_a_thing_stays_where_a_part_of_it_is_dragged() -> None:
    pixels, mask, seen = two_links()
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(80.0, 66.0), (80.0, 96.0)]), mask=mask),))
    flow = torch.zeros(5, 3, 64, 64)
    flow[:, 1] = 30.0               # by which all of it would come along
    guess = FirstGuess.of(pixels, flow[:, :2], flow[:, 2:],
                          Held.of(command, pixels, np.linspace(0, 1, 6)), seen)
    last = (255 * guess.frames[-1].permute(1, 2, 0)).round().numpy()
    assert np.array_equal(last[60:72, 30:58], pixels[60:72, 30:58])
    assert (last[91:101, 61:89, 2] > 200).all() and (last[60:72, 62:88, 2] < 150).all()
    assert (last[91:101, 30:58, 0] < 150).all()
    whole = replace(command.handles[0], mask=mask | (pixels[..., 0] > 200))
    last = FirstGuess.of(
        pixels, flow[:, :2], flow[:, 2:],
        Held.of(replace(command, handles=(whole,)), pixels, np.linspace(0, 1, 6)), seen).frames[-1]
    assert last[0, 91:101, 31:58].min() > 0.8 and last[0, 60:72, 30:58].max() < 0.6


def turned_about(path: np.ndarray, view: TableView | None = None) -> DragHandle:
    pixels, mask, seen = two_links()
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=path, mask=mask),))
    return swing_parts(command, pixels, seen.pieces.things, view).handles[0]


def test_a_part_that_is_dragged_around_its_joint_turns_about_it() -> None:
    angles = np.linspace(0, 1.2, 8)
    round_it = np.array([60.0, 66.0]) + 20 * np.stack([np.cos(angles), np.sin(angles)], 1)
    turned = turned_about(round_it)
    assert turned.operation is Operation.ROTATE
    assert turned.centre_px == pytest.approx((60, 66), abs=0.5)
    # On a table that is seen aslant the arc is one of an ellipse, and the farther end is smaller.
    view = TableView(horizon=-1.0, tilt_deg=40)
    joint, end = view.rays(np.array([(60.0, 66.0), (80.0, 66.0)]), (128, 128))
    arm = np.linalg.norm(end * joint[2] / end[2] - joint)
    places = joint + arm * np.stack([np.cos(angles), -np.sin(angles), 0 * angles], 1)
    seen_aslant = turned_about(view.pixels(places, (128, 128)), view)
    assert seen_aslant.operation is Operation.ROTATE
    assert seen_aslant.centre_px == pytest.approx((60, 66), abs=0.01)


@pytest.mark.parametrize('path', [
    [(80, 66), (80, 90)], [(80, 66), (80, 75), (80, 90)], [(80, 66), (90, 69), (100, 75)]])
def test_any_other_drag_shifts_the_part(path) -> None:
    assert turned_about(np.array(path, float)).operation is Operation.TRANSLATE


def test_who_drags_all_of_a_thing_does_not_turn_it() -> None:
    pixels, mask, seen = two_links()
    angles = np.linspace(0, 1.2, 8)
    path = np.array([60.0, 66.0]) + 20 * np.stack([np.cos(angles), np.sin(angles)], 1)
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=path, mask=seen.pieces.things > 0),))
    assert swing_parts(command, pixels, seen.pieces.things, None).handles[0].operation is (
        Operation.TRANSLATE)
