"""Frames of a picture whose things are known: its table, and on that its things and shadows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.held import Held
from dragstream_ros.masks.thing_pieces import ThingPieces
from dragstream_ros.world_models.tabletop.backdrop import Backdrop
from dragstream_ros.world_models.tabletop.bare_table import BareTable
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid, reaching

SIDE = 64
BOX, SHADOW, OTHER = np.s_[20:32, 20:32], np.s_[34:42, 20:32], np.s_[20:32, 44:56]
RED, GREEN = (200, 30, 30), (30, 180, 60)


def chequers() -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE)) // 8
    return np.where(((rows + columns) % 2 == 0)[..., None], (150, 140, 120), (110, 100, 90)
                    ).astype(np.uint8)


def painted(_: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """The table, from one who knows it."""
    return np.stack([chequers() for _ in hidden])


def seen(light: float | tuple[float, float, float] = 0.72) -> SeenPicture:
    """A box that casts a shadow below it, where so much of the light is left, and another one."""
    picture, labels = chequers(), np.ones((SIDE, SIDE), np.int32)
    picture[SHADOW] = np.rint(light * picture[SHADOW])
    picture[BOX], picture[OTHER] = RED, GREEN
    labels[BOX], labels[OTHER] = 2, 3
    things = labels * (labels > 1)
    pieces = ThingPieces(labels, things, np.zeros_like(labels))
    backdrop = Backdrop.of(picture, pieces, painted)
    return SeenPicture(picture, pieces, grid((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool),
                       np.tile(np.eye(2, 3), (4, 1, 1)), backdrop)


def guess(of: SeenPicture, newest: np.ndarray, where: tuple[slice, slice] = BOX,
          way_px: tuple[float, float] = (0.0, 0.0), held: Held | None = None) -> FirstGuess:
    """Of a flow that shows what is seen somewhere after so many px."""
    flow = torch.zeros(5, 3, SIDE, SIDE)
    flow[:, 2, where[0], where[1]] = float(any(way_px))
    rows, columns = (slice(at.start + round(way), at.stop + round(way))
                     for at, way in zip(where, way_px[::-1], strict=True))
    flow[:, 0, rows, columns], flow[:, 1, rows, columns] = way_px
    flow[:, 2, rows, columns] = 0
    return FirstGuess.of(newest, flow[:, :2], flow[:, 2:], held, of)


def last_frame(of: FirstGuess) -> np.ndarray:
    return np.asarray((of.frames[-1] * 255).round().permute(1, 2, 0).byte())


def off(frame: np.ndarray, other: np.ndarray) -> int:
    """The greatest difference of two pictures, in levels."""
    return int(np.abs(frame.astype(int) - other).max())


def test_a_shadow_goes_with_what_casts_it() -> None:
    backdrop = seen().backdrop
    assert backdrop is not None
    assert np.unique(backdrop.owners[SHADOW]).tolist() == [2]
    assert backdrop.shade[SHADOW] == pytest.approx(0.28, abs=0.01)
    assert backdrop.owners[60, 60] == 1 and backdrop.shade[60, 60] == 0


def test_a_shadow_in_coloured_light_is_one_and_a_thing_in_another_colour_is_none() -> None:
    coloured, reddish = seen((0.44, 0.53, 0.57)).backdrop, seen((0.9, 0.4, 0.4)).backdrop
    assert coloured is not None and reddish is not None
    assert coloured.shade[SHADOW] == pytest.approx(0.49, abs=0.01)
    assert not reddish.shade[SHADOW].any()


def test_an_edge_of_the_table_that_is_painted_off_is_no_shadow() -> None:
    def half_dark(edge: int) -> np.ndarray:
        return np.where((np.arange(SIDE) < edge)[None, :, None], 100, 150).astype(
            np.uint8).repeat(SIDE, 0).repeat(3, 2)

    of, picture = seen(), half_dark(42)
    picture[BOX] = RED
    backdrop = Backdrop.of(picture, of.pieces, lambda _, hidden: half_dark(40)[None].repeat(
        len(hidden), 0))
    assert backdrop is not None
    assert not (backdrop.shade[:, 38:44] > 0).any()


def test_an_edge_of_the_table_that_is_guessed_wrong_is_no_strange_thing() -> None:
    """The painter is tried on squares that it does not see: what it says there is not kept."""
    def with_wall(height: int) -> np.ndarray:
        return np.where(np.arange(SIDE)[:, None, None] < height, (250, 230, 250), chequers()
                        ).astype(np.uint8)

    def lower_where_hidden(picture: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden[..., None], with_wall(12), picture)

    of, picture = seen(), with_wall(9)
    picture[BOX] = RED
    backdrop = Backdrop.of(picture, of.pieces, lower_where_hidden)
    assert backdrop is not None
    assert off(backdrop.table[:16], picture[:16]) == 0 and not backdrop.shade[:16].any()


def test_what_is_painted_wrong_where_it_is_strange_is_no_shadow() -> None:
    def chequers_where_hidden(picture: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden[..., None], chequers(), picture)

    of, corner = seen(), np.s_[:6, 42:]
    picture = of.picture.copy()
    picture[corner] = (60, 60, 50)      # of which the painter knows nothing
    backdrop = Backdrop.of(picture, of.pieces, chequers_where_hidden)
    assert backdrop is not None
    assert not backdrop.shade[corner].any()


def test_a_thing_takes_the_thin_shadow_around_its_foot_along() -> None:
    of = seen()
    picture = of.picture.copy()
    foot = np.s_[32, 20:32]             # a row right below the box
    picture[foot] = np.rint(0.6 * chequers()[foot])
    backdrop = Backdrop.of(picture, of.pieces, painted)
    assert backdrop is not None
    assert backdrop.shade[foot] == pytest.approx(0.4, abs=0.02) and backdrop.shade[33, 20] == 0
    away = last_frame(guess(replace(of, picture=picture, backdrop=backdrop), picture,
                            way_px=(0.0, 16.0)))
    assert away[48, 22:30] == pytest.approx(0.6 * chequers()[48, 22:30], abs=3)


def test_a_foot_has_no_gaps_and_leaves_no_specks() -> None:
    of = seen()
    picture, table = of.picture.copy(), chequers()
    foot = np.s_[32:34, 20:32]          # two rows below the box
    picture[foot] = np.rint(0.6 * table[foot])
    picture[32, 25] = (130, 50, 50)     # where the box is mixed in
    picture[34, 24] = np.rint(0.85 * table[34, 24])     # the very end of it
    picture[34, 20:24], picture[34, 25:] = table[34, 20:24], table[34, 25:]
    picture[35:] = table[35:]
    backdrop = Backdrop.of(picture, of.pieces, painted)
    assert backdrop is not None
    assert backdrop.shade[32, 20:32] == pytest.approx(0.4, abs=0.02)
    assert backdrop.shade[34, 24] == pytest.approx(0.15, abs=0.02)
    assert backdrop.owners[34, 24] == 2


@pytest.mark.parametrize('lean', [-1.0, 0.0, 1.0])
def test_an_arm_that_comes_further_in_goes_on_as_it_leans(lean) -> None:
    rows, columns = np.indices((SIDE, SIDE))
    arm = (np.abs(columns - 32 - lean * rows) <= 3) & (rows < 14)
    labels = 1 + arm.astype(np.int32)
    picture = np.where(arm[..., None], np.uint8(RED), chequers())
    pieces = ThingPieces(labels, labels * arm, labels * arm)
    of = SeenPicture.of(picture)
    of = replace(of, pieces=pieces, reaching=reaching(pieces.arms), motions=np.tile(
        np.eye(2, 3), (3, 1, 1)), backdrop=Backdrop.of(picture, pieces, painted))
    flow = torch.zeros(5, 3, SIDE, SIDE)
    flow[:, 1] = 12.0                   # all of it is 12 px further down
    frame = last_frame(FirstGuess.of(picture, flow[:, :2], flow[:, 2:], None, of))
    beyond = (np.abs(columns - 32 - lean * (rows - 12)) <= 1) & (rows < 24)
    assert off(frame[beyond], np.array(RED)) <= 3


def test_where_nothing_is_known_there_is_no_backdrop() -> None:
    labels = np.ones((SIDE, SIDE), np.int32)
    pieces = ThingPieces(labels, np.zeros_like(labels), np.zeros_like(labels))
    assert Backdrop.of(chequers(), pieces, painted) is None


def test_a_table_that_the_painter_does_not_know_is_no_backdrop() -> None:
    """It is tried on what is seen: a picture of more than things and their table is not known."""
    of, grey = seen(), np.full((SIDE, SIDE, 3), 128, np.uint8)

    def guessed(_: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden[..., None], grey, chequers())

    assert Backdrop.of(of.picture, of.pieces, guessed) is None


def test_a_thing_that_is_not_known_is_no_part_of_the_table() -> None:
    def shown_or_painted(picture: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden[..., None], chequers(), picture)

    of = seen()
    known = of.pieces.things * (of.pieces.things != 3)
    backdrop = Backdrop.of(
        of.picture, ThingPieces(of.pieces.labels, known, np.zeros_like(known)), shown_or_painted)
    assert backdrop is not None and off(backdrop.table[OTHER], chequers()[OTHER]) == 0
    assert not backdrop.bare[OTHER].any()


def test_nothing_moves_and_the_frame_is_the_picture() -> None:
    still = guess(seen(), seen().picture)
    assert off(last_frame(still), seen().picture) == 0
    assert still.settled.min() == 1


def test_a_thing_that_leaves_bares_the_table_and_takes_its_shadow_along() -> None:
    moved = guess(seen(), seen().picture, way_px=(0.0, 16.0))
    frame, table = last_frame(moved), chequers()
    assert off(frame[38:46, 22:30], np.array(RED)) <= 3
    assert off(frame[18:34, 18:34], table[18:34, 18:34]) <= 1        # its rim as well
    assert frame[52:56, 22:30] == pytest.approx(0.72 * table[52:56, 22:30], abs=2)
    assert off(frame[OTHER], np.array(GREEN)) == 0
    assert moved.settled[-1, 0, 22, 22] == 0        # what comes to light may be denoised


@pytest.mark.parametrize('rests', [True, False])
def test_an_arm_that_rests_stays_whatever_the_flow_says(rests) -> None:
    of = seen()
    arms = of.pieces.things * (of.pieces.things == 3)
    of = replace(of, pieces=replace(of.pieces, arms=arms),
                 rested=np.full((SIDE, SIDE), rests))
    frame = last_frame(guess(of, of.picture, OTHER, (0.0, 12.0)))
    assert (off(frame[OTHER], of.picture[OTHER]) == 0) == rests


def test_what_is_hidden_by_now_is_remembered() -> None:
    under = guess(seen(), seen().picture, way_px=(24.0, 0.0))
    assert off(last_frame(under)[22:30, 46:54], np.array(RED)) <= 3
    newest = last_frame(under)
    # On it goes, and what it hid has not gone.
    away = guess(under.seen, newest, np.s_[20:32, 44:56], way_px=(0.0, 20.0))
    assert off(last_frame(away)[22:30, 46:54], np.array(GREEN)) <= 3
    assert off(last_frame(away)[42:50, 46:54], np.array(RED)) <= 3


def test_frames_do_not_wear_out() -> None:
    """Sixteen motions of fractions of a pixel, each from the frame of the one before."""
    at, newest = seen(), seen().picture
    for _ in range(8):
        for way_px in (3.4, -3.4):
            step = guess(at, newest, np.s_[16:36, 16:40], way_px=(way_px, 0.0))
            at, newest = step.seen, last_frame(step)
    rows = np.s_[22:30, 23:29]
    assert off(newest[rows], np.array(RED)) <= 3
    outside = np.s_[44:64, :]
    assert off(newest[outside], seen().picture[outside]) == 0


def test_a_drag_takes_the_shadow_along() -> None:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[BOX] = True
    command = DragCommand(
        drag_id='1', operator_id='test', mode=DragMode.ANIMATE, image_size=(SIDE, SIDE),
        handles=(DragHandle(path_px=np.array([[26.0, 26.0], [26.0, 42.0]]), mask=mask),),
        stamp_ns=0, duration_secs=0.5)
    picture = seen().picture
    held = Held.of(command, picture, np.linspace(0, 0.5, 6))
    dragged = guess(seen(), picture, held=held)
    frame, table = last_frame(dragged), chequers()
    assert off(frame[38:46, 22:30], np.array(RED)) <= 3
    assert off(frame[18:34, 18:34], table[18:34, 18:34]) <= 1
    assert frame[52:56, 22:30] == pytest.approx(0.72 * table[52:56, 22:30], abs=2)
    # Let go of, it stays where it is.
    after = guess(dragged.seen, frame)
    assert off(last_frame(after)[38:46, 22:30], np.array(RED)) <= 3


def test_what_is_no_thing_that_is_known_moves_as_a_piece() -> None:
    of = seen()
    pieces = replace(of.pieces, things=of.pieces.things * (of.pieces.labels != 3))
    of = replace(of, pieces=pieces, backdrop=Backdrop.of(of.picture, pieces, painted))
    moved = guess(of, of.picture, OTHER, way_px=(0.0, 16.0))
    assert off(last_frame(moved)[38:46, 46:54], np.array(GREEN)) <= 3


def test_an_untrained_network_fills_the_table_from_around() -> None:
    pixels = torch.full((1, 3, SIDE, SIDE), 0.5)
    hidden = torch.zeros(1, 1, SIDE, SIDE)
    hidden[..., 20:40, 20:40] = 1
    pixels[..., 20:40, 20:40] = 1.0
    assert torch.allclose(BareTable()(pixels, hidden), torch.tensor(0.5), atol=1e-5)


def test_what_lies_beside_a_thing_that_is_dragged_stays_whole() -> None:
    of = seen()
    left = np.zeros((SIDE, SIDE), bool)
    left[18:34, 18:45] = True           # the box and what is around it, the rim of the other
    gone = of.gone_by(left, np.zeros_like(left))
    assert gone[BOX].all() and gone[SHADOW].all() and not gone[OTHER].any()
    left[:] = False
    left[20:32, 20:28] = True           # two thirds of the box: a lid that is dragged by itself
    assert of.gone_by(left, np.zeros_like(left))[BOX].sum() == 8 * 12
