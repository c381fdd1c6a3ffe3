"""Things of which others hide a part: how they go on, and what comes to light."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import painted_table
import pytest
import torch
from painted_table import BLACK, RED, TABLE, bare_table, painted

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.held import Held
from dragstream_ros.masks.thing_pieces import ThingPieces
from dragstream_ros.world_models.tabletop.backdrop import Backdrop
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.hidden_parts import hidden_parts
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel
from dragstream_ros.world_models.tabletop.recall import recalled
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid
from dragstream_ros.world_models.tabletop.whole_thing import cut_out, put_back, view_of

SIDE = 64
BOX, BAR = np.s_[20:40, 20:36], np.s_[:, 26:30]     # the bar comes in from above, over the box
LEFT, RIGHT = np.s_[20:40, 20:26], np.s_[20:40, 30:36]
where = partial(painted_table.mask_of, SIDE)


def seen(*, is_completed: bool = True) -> SeenPicture:
    """A box, and a bar of an arm in front of its middle."""
    picture = bare_table(SIDE)
    labels = np.ones((SIDE, SIDE), np.int32)
    picture[BOX], labels[BOX] = RED, 2
    picture[BAR], labels[BAR] = BLACK, 3
    things = labels * (labels > 1)
    pieces = ThingPieces(labels, things, things * (things == 3))
    hidden = hidden_parts(picture, pieces, lambda *_: where(BOX)[None]) if is_completed else {}
    return SeenPicture(picture, pieces, grid((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool),
                       np.tile(np.eye(2, 3), (4, 1, 1)), Backdrop.of(picture, pieces, painted),
                       hidden)


def moved(of: SeenPicture, thing: np.ndarray, right_px: int) -> FirstGuess:
    """Five frames after which a thing (H, W) bool is so much further to the right."""
    flow = torch.zeros(5, 3, SIDE, SIDE)
    flow[:, 2, thing] = 1
    there = torch.from_numpy(np.roll(thing, right_px, 1))
    flow[:, 0, there], flow[:, 2, there] = right_px, 0
    return FirstGuess.of(of.picture, flow[:, :2], flow[:, 2:], None, of)


def last_frame(of: FirstGuess) -> np.ndarray:
    return np.asarray((of.frames[-1] * 255).round().permute(1, 2, 0).byte())


def is_all(frame: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(frame.astype(int) - colour).max() <= 3)


def test_what_is_hidden_is_where_others_are_and_has_the_colours_beside_it() -> None:
    parts = seen().hidden
    assert set(parts) == {2} and parts[2].by == {3}     # an arm goes on where nobody sees it
    assert np.array_equal(parts[2].mask, where(np.s_[20:40, 26:30]))
    assert is_all(parts[2].picture[BOX], RED)


def test_a_thing_that_touches_nothing_is_whole() -> None:
    of = seen(is_completed=False)
    alone = replace(of.pieces, things=of.pieces.things * (of.pieces.things == 2))
    assert hidden_parts(of.picture, alone, lambda *_: pytest.fail('was asked')) == {}


def test_what_an_arm_hid_comes_to_light_when_it_leaves() -> None:
    whole, torn = (last_frame(moved(seen(is_completed=completed), where(BAR), 14))
                   for completed in (True, False))
    assert is_all(whole[22:38, 21:35], RED) and is_all(whole[:18, 41:43], BLACK)
    assert is_all(torn[22:38, 27:29], TABLE)


def test_and_the_rest_of_the_thing_stays_with_its_rim() -> None:
    of, rim = seen(), np.s_[40, 20:26]
    picture = of.picture.copy()
    picture[rim] = (160, 75, 70)        # half of the box and half of the table
    backdrop = Backdrop.of(picture, of.pieces, painted)
    frame = last_frame(moved(replace(of, picture=picture, backdrop=backdrop), where(BAR), 14))
    assert np.array_equal(frame[rim], picture[rim])


def test_a_sliver_beside_a_thing_is_not_hidden() -> None:
    of, beside = seen(), where(np.s_[20:40, 26:28])
    assert not hidden_parts(of.picture, of.pieces, lambda *_: (where(LEFT) | beside)[None])


def test_and_when_it_is_dragged_away() -> None:
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(SIDE, SIDE), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(28.0, 10.0), (50.0, 10.0)]), mask=where(BAR)),))
    still, of = torch.zeros(5, 3, SIDE, SIDE), seen()
    frame = last_frame(FirstGuess.of(
        of.picture, still[:, :2], still[:, 2:], Held.of(command, of.picture, np.linspace(0, 1, 6)),
        of))
    assert is_all(frame[22:38, 21:35], RED)


def test_what_hides_a_thing_stays_in_front_of_it() -> None:
    frame = last_frame(moved(seen(), where(LEFT, RIGHT), 12))
    assert is_all(frame[:, 27:29], BLACK)
    assert is_all(frame[22:38, 33:46], RED)


def test_nothing_moves_and_the_frame_is_the_picture() -> None:
    frame = last_frame(moved(seen(), where(), 0))
    assert np.array_equal(frame, seen().picture)


def test_nobody_knows_where_what_was_hidden_comes_from() -> None:
    after = moved(seen(), where(BAR), 14).seen
    assert np.isnan(after.origin[:, 24:36, 27:29]).all()
    assert not np.isnan(after.origin[:, 24:36, 22:25]).any()


def test_what_is_grabbed_in_a_predicted_frame_has_what_was_hidden() -> None:
    guess = moved(seen(), where(BAR), 14)
    found = recalled(guess.seen, last_frame(guess), [np.array([22.0, 30.0])],
                     lambda picture, *_: where(LEFT, RIGHT))
    assert found is not None
    frame, mask, after = found
    assert np.array_equal(mask, where(BOX)) and is_all(frame[BOX], RED)
    assert np.isnan(after.origin[:, 24:36, 27:29]).all()


def test_a_view_of_a_thing_at_the_rim_is_put_back_where_it_was() -> None:
    thing = where(np.s_[0:12, 50:64])
    view = view_of(seen().picture, thing, where())
    assert view.shape == (5, 64, 64) and view[3].sum() == thing.sum()
    assert np.array_equal(put_back(cut_out(thing, thing), thing), thing)


def test_the_bundled_model_completes_a_box_under_an_arm() -> None:
    """A box that it has never seen: a top, its sides, and an arm over its middle."""
    picture = np.full((128, 128, 3), 120, np.uint8)
    rows, columns = np.indices((128, 128))
    box = (rows >= 50) & (rows < 74) & (columns >= 50) & (columns < 80)
    picture[box & (rows < 66)], picture[box & (rows >= 66)] = (60, 90, 200), (35, 55, 120)
    arm = np.abs(columns - 66 - (rows - 62) // 3) < 7
    seen, others = box & ~arm, arm & ~(box & ~arm)
    model = TabletopWorldModel.load()
    [whole] = model._complete(picture, seen[None], others[None])
    whole = seen | (whole & others)
    shares = [float((found & box).sum() / (found | box).sum()) for found in (seen, whole)]
    assert shares[0] < 0.65 and shares[1] > 0.9, shares


def test_squares_of_the_table_are_never_drawn_as_things() -> None:
    """A flow that lets a square go along must not put it over what lies there."""
    of = seen()
    labels = of.pieces.labels.copy()
    labels[44:60, 4:20] = 4
    of = replace(of, pieces=replace(of.pieces, labels=labels), motions=np.tile(
        np.eye(2, 3), (5, 1, 1)))
    of = replace(of, backdrop=Backdrop.of(of.picture, of.pieces, painted))
    after = moved(of, where(np.s_[44:60, 4:20]), 12)
    assert (after.seen.motions == np.eye(2, 3)).all()
    assert np.array_equal(last_frame(after), of.picture)
