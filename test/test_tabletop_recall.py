"""What is grabbed in a predicted frame is whole again, as it was really seen."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.masks.grow_region import grow_region
from dragstream_ros.world_models import load_world_model
from dragstream_ros.world_models.tabletop.recall import recalled
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid

BOX = np.s_[50:70, 40:70]       # of 30 x 20 px
GREY, RED, BLUE = 100, (220, 30, 30), (30, 30, 220)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def picture() -> np.ndarray:
    pixels = np.full((128, 128, 3), GREY, np.uint8)
    pixels[BOX] = RED
    return pixels


def moved_by(shift: tuple[int, int]) -> tuple[SeenPicture, np.ndarray]:
    """What was seen, and the frame in which all of it has moved by (x, y)."""
    seen = SeenPicture.of(picture())
    origin = grid((128, 128)) - np.array(shift, np.float32)[:, None, None]
    return replace(seen, origin=origin), np.roll(picture(), shift[::-1], (0, 1))


def frayed(seen: SeenPicture, frame: np.ndarray, lost: tuple[slice, slice]) -> SeenPicture:
    """The frame shows something else there, which was never seen."""
    frame[lost] = GREY
    return seen.without(np.isin(np.arange(128 * 128).reshape(128, 128),
                                np.arange(128 * 128).reshape(128, 128)[lost]))


def test_what_has_lost_a_part_is_whole_again_where_it_is_by_now() -> None:
    seen, frame = moved_by((9, 20))
    expected = frame.copy()
    seen = frayed(seen, frame, np.s_[70:90, 65:79])         # nearly half of it
    found = recalled(seen, frame, [np.array([55.0, 80.0])], grow_region)
    assert found is not None
    whole, mask, seen = found
    assert np.array_equal(whole, expected)
    assert mask.sum() == pytest.approx(600, abs=4) and mask[71:89, 50:78].all()
    assert seen.origin[:, 80, 72] == pytest.approx((63, 60), abs=0.01)


def test_what_has_turned_a_little_or_grown_is_found_as_it_is_by_now() -> None:
    seen, _ = moved_by((0, 0))
    angle, scale, middle = 0.15, 1.2, np.array([54.5, 59.5])
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    pixels = grid((128, 128)) - middle[:, None, None]
    seen = replace(seen, origin=(
        np.tensordot(back, pixels, 1) + middle[:, None, None]).astype(np.float32))
    found = recalled(seen, picture(), [middle], grow_region)
    assert found is not None and found[1].sum() == pytest.approx(600 * scale ** 2, rel=0.05)


def test_what_reaches_in_does_so_still() -> None:
    pixels = np.full((128, 128, 3), GREY, np.uint8)
    pixels[50:70, 98:] = RED
    seen = SeenPicture.of(pixels)
    origin = grid((128, 128)) + np.array([4, 0], np.float32)[:, None, None]
    origin[:, :, 124:] = np.nan
    found = recalled(replace(seen, origin=origin), np.roll(pixels, -4, 1),
                     [np.array([105.0, 60.0])], grow_region)
    assert found is not None
    whole, mask, _ = found
    assert mask[51:69, 95:].all() and (whole[51:69, 95:] == RED).all()


@pytest.mark.parametrize('why', ['not seen', 'mostly gone', 'turned far'])
def test_what_is_not_known_is_left_as_the_frame_shows_it(why) -> None:
    seen, frame = moved_by((0, 0))
    if why == 'not seen':
        seen = seen.without(np.ones((128, 128), bool))
    elif why == 'mostly gone':
        for lost in (np.s_[50:70, 40:52], np.s_[50:70, 58:70]):
            seen = frayed(seen, frame, lost)
    else:
        turned = np.array([54.5, 59.5], np.float32)[:, None, None]
        x, y = grid((128, 128)) - turned
        seen = replace(seen, origin=np.stack([0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x]) + turned)
    assert recalled(seen, frame, [np.array([54.5, 59.5])], grow_region) is None


def test_an_arm_that_hides_some_of_it_stays_before_it() -> None:
    seen, frame = moved_by((0, 0))
    arms = np.zeros((128, 128), np.int32)
    arms[100:110, :60] = 1
    seen = replace(seen, pieces=replace(seen.pieces, arms=arms))
    # The arm has come up, before the lower half of the box.
    frame[60:70, :60] = BLUE
    origin = seen.origin.copy()
    origin[1, 60:70, :60] += 40
    found = recalled(replace(seen, origin=origin), frame, [np.array([55.0, 54.0])], grow_region)
    assert found is not None
    whole, mask, _ = found
    assert np.array_equal(whole, frame) and not mask[60:70, :60].any()
    assert mask[51:59, 41:69].all() and mask[62:68, 62:68].all()


def test_a_thing_that_is_dragged_again_and_again_stays_whole() -> None:
    stream = DragStream(load_world_model('tabletop'), config=StreamConfig(mode='free_running'),
                        grow=grow_region)
    stream.reset(np.stack([picture()] * 10), [i * 10 ** 8 for i in range(10)])
    here, way = np.array([54.5, 59.5]), np.array([10.3, 4.7])   # between pixels each time
    for number in range(12):
        stream.push_drag(DragCommand(
            drag_id=str(number), operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128),
            handles=(DragHandle(path_px=np.stack([here, here + way])),), stamp_ns=9 * 10 ** 8,
            duration_secs=0.5))
        chunk = stream.step()
        assert chunk is not None
        here, way = here + way, -way
    red = (chunk.frames[-1, ..., 0] > 160) & (chunk.frames[-1, ..., 1] < 90)
    assert red.sum() == pytest.approx(600, rel=0.12)
    assert np.abs(chunk.frames[-1][53:67, 43:67].astype(int) - RED).max() < 25
