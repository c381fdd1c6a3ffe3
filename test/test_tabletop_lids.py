"""A lid is told from a link by the drag, and swings up from its box, which stays and is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from painted_table import BLACK, BLUE, RED, TABLE, bare_table, painted

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.core.held import Held
from dragstream_ros.core.lid import BELOW
from dragstream_ros.core.table_view import TableView
from dragstream_ros.masks.thing_pieces import ThingPieces
from dragstream_ros.world_models.tabletop.backdrop import Backdrop, grown
from dragstream_ros.world_models.tabletop.find_hinge import find_hinge
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.grasp import grasped
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid
from dragstream_ros.world_models.tabletop.swing import swing_parts

SIDE, SIZE = 128, (128, 128)
VIEW = TableView(horizon=-1.9, tilt_deg=55)
WIDE, REACH, BACK, HIGH = 14.0, 18.0, 10.0, 10.0    # px of the picture's middle
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Box:
    """A box with a lid in the middle of a picture; turned: of its hinge, rad."""

    turned: float

    def seen(self, along: float, away: float, up: float = 0.0) -> np.ndarray:
        """Where in the picture a place of it is: from the hinge's middle, level with that."""
        cos, sin = np.cos(self.turned), np.sin(self.turned)
        middle = VIEW.rays(np.array([[63.5, 63.5]]), SIZE)[0]
        places = middle + np.array(along * np.array([cos, sin, 0]) + away * np.array([sin, -cos, 0])
                                   + up * UP)
        return VIEW.pixels(places[None], SIZE)[0]

    def lid_point(self, along: float, away: float, angle: float) -> np.ndarray:
        return self.seen(along, away * np.cos(angle), away * np.sin(angle))

    def path(self, angles: np.ndarray, along: float = 6.0, away: float = 14.0) -> np.ndarray:
        return np.stack([self.lid_point(along, away, angle) for angle in angles])

    def lid(self, angle: float) -> np.ndarray:
        """The lid (SIDE, SIDE) bool."""
        return _filled([self.lid_point(along, away, angle)
                        for along in (-WIDE, WIDE) for away in (0, REACH)])

    def body(self) -> np.ndarray:
        """All but the lid (SIDE, SIDE) bool."""
        return _filled([self.seen(along, away, up) for along in (-WIDE, WIDE)
                        for away in (-BACK, REACH) for up in (0, -HIGH)])

    def hinge(self) -> np.ndarray:
        return np.stack([self.seen(-WIDE, 0), self.seen(WIDE, 0)])


def _filled(corners_px: list[np.ndarray]) -> np.ndarray:
    hull = cv2.convexHull(np.rint(corners_px).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((SIDE, SIDE), np.uint8), hull, 1) > 0


def off_px(hinge, box: Box) -> float:
    """How far the ends of the true hinge are off the line that was found, at most."""
    along = hinge.along_px / np.linalg.norm(hinge.along_px)
    away = box.hinge() - hinge.foot_px
    return float(np.abs(away @ (-along[1], along[0])).max())


OPENS, CLOSES = np.linspace(0.0, 1.3, 11), np.linspace(1.5, 0.4, 11)


@pytest.mark.parametrize('turned', [-2.5, -1.2, -0.4, 0.0, 0.5, 1.1, 2.8])
@pytest.mark.parametrize('angles', [OPENS, CLOSES])
def test_the_hinge_of_a_lid_is_found_by_its_outline_and_the_path_of_a_point(turned, angles) -> None:
    box = Box(turned)
    found = find_hinge(box.path(angles), box.lid(angles[0]), VIEW)
    assert found is not None
    hinge, _ = found
    assert off_px(hinge, box) < 2.0
    assert hinge.is_open == (angles[0] > 1)
    closed = _filled(list(hinge.foot_px + along * hinge.along_px + away * hinge.level_px
                          for along in hinge.width_px for away in (0, hinge.reach_px)))
    true = box.lid(0.0)
    assert (closed & true).sum() > 0.75 * (closed | true).sum()


def test_a_part_that_is_pulled_off_or_slid_over_the_table_has_no_hinge() -> None:
    box = Box(0.4)
    start = box.lid_point(6.0, 14.0, 0.0)
    aside = start + np.linspace(0, 1, 11)[:, None] * (25.0, 6.0)
    to_and_fro = start + np.sin(np.linspace(0, 3, 11))[:, None] * (3.0, -25.0)
    assert find_hinge(aside, box.lid(0.0), VIEW) is None
    assert find_hinge(to_and_fro, box.lid(0.0), VIEW) is None


def painted_box(box: Box, angle: float, *colours: tuple[int, int, int]) -> np.ndarray:
    """The lid in stripes of these colours; blue."""
    picture, lid = bare_table(SIDE), box.lid(angle)
    picture[box.body()] = RED
    stripes = np.array(colours or [BLUE])[np.indices((SIDE, SIDE))[1] % len(colours or [BLUE])]
    picture[lid] = stripes[lid]
    return picture


def swung(box: Box, angles: np.ndarray, view: TableView | None = VIEW,
          colours: Sequence[tuple[int, int, int]] = ()) -> tuple[np.ndarray, DragHandle]:
    """The frames of a chunk in which the flow would take all of the box along, and the handle."""
    picture, lid = painted_box(box, angles[0], *colours), box.lid(angles[0])
    things = (box.body() | lid).astype(np.int32)
    pieces = ThingPieces(np.where(things > 0, 1, 2).astype(np.int32), things, 0 * things)
    of = SeenPicture(picture, pieces, grid((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool),
                     np.tile(np.eye(2, 3), (3, 1, 1)), Backdrop.of(picture, pieces, painted), {},
                     rested=np.ones((SIDE, SIDE), bool))
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=SIZE, stamp_ns=0,
        handles=(DragHandle(path_px=box.path(angles), mask=lid),))
    of, grabbed, command = grasped(of, picture, command, lambda *_: lid, is_real=True, view=view)
    flow = torch.zeros(5, 3, SIDE // 2, SIDE // 2)
    flow[:, 1] = -20.0
    guess = FirstGuess.of(picture, flow[:, :2], flow[:, 2:],
                          Held.of(command, grabbed, np.linspace(0, 1, 6)), of)
    frames = (guess.frames * 255).round().permute(0, 2, 3, 1).byte().numpy()
    return frames.astype(int), command.handles[0]


def is_like(frame: np.ndarray, colour: tuple[int, int, int], levels: float = 1.0) -> np.ndarray:
    return np.abs(frame - levels * np.array(colour)).max(-1) < 12


def test_a_hand_that_is_marked_goes_where_it_is_dragged_whatever_it_hangs_on() -> None:
    arm, hand = np.zeros((2, SIDE, SIDE), bool)
    arm[:60, 60:70], hand[52:66, 56:74] = True, True
    picture, things = bare_table(SIDE), (arm | hand).astype(np.int32)
    picture[arm], picture[hand] = BLACK, BLUE
    pieces = ThingPieces(np.where(things > 0, 1, 2).astype(np.int32), things, things)
    of = SeenPicture(picture, pieces, grid((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool),
                     np.tile(np.eye(2, 3), (3, 1, 1)), Backdrop.of(picture, pieces, painted), {})
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=SIZE, stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(65.0, 62.0), (80.0, 58.0)]), mask=hand),))
    *_, command = grasped(of, picture, command, lambda *_: hand, is_real=True, view=VIEW)
    handle, = command.handles
    assert handle.operation is Operation.TRANSLATE and handle.grasp.hinge is None


@dataclass(frozen=True)
class Bars:
    """Two bars on the table, of which one turns below the round end of the other; angle: rad."""

    angle: float

    def way(self, angle: float, far: float, aside: float = 0.0) -> np.ndarray:
        """Where in the picture a place is, from the joint; what lies on the level of that."""
        middle = VIEW.rays(np.array([[63.5, 63.5]]), SIZE)[0]
        cos, sin = np.cos(angle), np.sin(angle)
        place = middle + np.array([far * cos - aside * sin, far * sin + aside * cos, 0.0])
        return VIEW.pixels(place[None], SIZE)[0]

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """The one that turns, as far as it is seen, and the other; (SIDE, SIDE) bool."""
        link, rest = (_filled([*(self.way(angle, 26, aside) for aside in (-8, 8)),
                               *(self.way(turn, 8) for turn in np.linspace(0, 6.2, 32))])
                      for angle in (self.angle, np.pi))
        return link & ~rest, rest


TURNS = np.linspace(0.6, 1.6, 11)


@pytest.mark.parametrize(('drawn', 'off_px'), [
    (lambda path: path, 0.1), (np.rint, 3.5), (lambda path: path[[0, -1]], 3.5),
    (lambda path: np.rint(path[:5]), 3.5)])
def test_a_link_turns_about_its_joint_however_the_drag_is_drawn(drawn, off_px) -> None:
    bars = Bars(TURNS[0])
    link, rest = bars.masks()
    path = np.stack([bars.way(angle, 20) for angle in TURNS])
    picture, things = bare_table(SIDE), (link | rest).astype(np.int32)
    picture[rest], picture[link] = RED, BLUE
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=SIZE, stamp_ns=0,
        handles=(DragHandle(path_px=drawn(path), mask=link),))
    handle, = swing_parts(command, picture, things, VIEW).handles
    assert handle.operation is Operation.ROTATE and handle.grasp.hinge is None
    assert np.linalg.norm(handle.centre_px - bars.way(0, 0)) < off_px
    hidden = handle.grasp.hidden
    assert hidden is not None and (hidden & rest).sum() > 0.9 * hidden.sum()


@pytest.mark.parametrize('horizon', [0.3, 0.45, 0.49])
def test_a_part_at_the_horizon_or_above_is_shifted_or_swung_but_never_lost(horizon) -> None:
    view, lid, body = TableView(horizon=horizon, tilt_deg=20), *np.zeros((2, SIDE, SIDE), bool)
    lid[50:70, 50:80], body[40:90, 48:84] = True, True
    row = horizon * SIDE - 0.5      # to the pixel, where rays are level
    for path in ([(63.5, row), (63.5, row - 9)], [(63.5, row + 3), (70.0, row - 9), (75.0, row)]):
        command = DragCommand(
            drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=SIZE, stamp_ns=0,
            handles=(DragHandle(path_px=np.array(path), mask=lid),))
        with np.errstate(divide='raise', invalid='raise'):
            handle, = swing_parts(command, bare_table(SIDE), body.astype(np.int32), view).handles
        assert handle.centre_px is None or np.isfinite(handle.centre_px).all()
        assert handle.grasp.hinge is None or np.isfinite(handle.grasp.hinge.foot_px).all()


def is_blue(frame: np.ndarray) -> np.ndarray:
    return (frame[..., 2] > 1.5 * frame[..., 0]) & (frame[..., 2] > 60)


def test_a_lid_that_is_opened_stands_up_from_its_box_which_stays_and_is_dark_inside() -> None:
    box = Box(0.3)
    frames, handle = swung(box, OPENS)
    assert handle.grasp.hinge is not None and handle.operation is Operation.TRANSLATE
    frame, lid = frames[-1], box.lid(OPENS[-1])
    # Past the line of sight it is seen from below, in its shade, and as high as it truly is.
    seen = is_blue(frame)
    assert (seen & lid).sum() > 0.75 * lid.sum() and seen.sum() < 1.4 * lid.sum()
    assert is_like(frame, BLUE, BELOW)[seen & lid].mean() > 0.6
    closed, apart = box.lid(0.0), ~grown(lid, 4)
    inside = ~grown(~(closed & apart), 2)
    assert (frame[inside].sum(-1) < 0.75 * sum(RED)).mean() > 0.75
    assert is_like(frame, RED)[box.body() & ~closed & apart].mean() > 0.95
    assert is_like(frame, TABLE)[~box.body() & apart].mean() > 0.99


def test_a_lid_that_is_seen_from_its_edge_is_as_thick_as_a_lid() -> None:
    box = Box(0.0)
    frames, _ = swung(box, np.linspace(0.0, np.radians(2 * VIEW.tilt_deg - 20), 11))
    assert min(is_blue(frame).sum() for frame in frames) > 1.5 * 2 * WIDE


def test_a_lid_that_is_closed_again_lies_on_its_box() -> None:
    box = Box(-0.3)
    frames, handle = swung(box, CLOSES)
    assert handle.grasp.hinge is not None and handle.grasp.hinge.is_open
    lid = box.lid(CLOSES[-1])
    blue = is_blue(frames[-1])
    assert (blue & lid).sum() > 0.8 * lid.sum() and blue.sum() < 1.3 * lid.sum()


@pytest.mark.parametrize('drawn', [np.rint, lambda path: path[[0, -1]]])
def test_a_lid_swings_up_however_the_drag_is_drawn(drawn) -> None:
    for turned in (-0.4, 0.5, 2.6):
        box = Box(turned)
        lid = box.lid(0.0)
        command = DragCommand(
            drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=SIZE, stamp_ns=0,
            handles=(DragHandle(path_px=drawn(box.path(OPENS)), mask=lid),))
        handle, = swing_parts(command, painted_box(box, 0.0),
                              (box.body() | lid).astype(np.int32), VIEW).handles
        assert handle.grasp.hinge is not None and off_px(handle.grasp.hinge, box) < 4.0


@pytest.mark.parametrize('colours', [
    [BLACK], [(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(255, 255, 255), BLACK]])
@pytest.mark.parametrize('angles', [OPENS, CLOSES])
def test_a_lid_of_any_colours_is_drawn(angles, colours) -> None:
    box = Box(-0.3)
    frames, handle = swung(box, angles, colours=colours)
    assert handle.grasp.hinge is not None
    is_lid = ~is_like(frames[-1], TABLE) & ~is_like(frames[-1], RED)
    assert is_lid[box.lid(angles[-1])].mean() > 0.75


def test_where_nobody_knows_how_the_camera_looks_a_lid_is_shifted() -> None:
    for view in (None, TableView(horizon=-1.9)):
        _, handle = swung(Box(0.3), OPENS, view)
        assert handle.grasp.hinge is None
