"""The bars around a wide or a tall camera's picture are found in it, and can be filled."""
from __future__ import annotations

import numpy as np
import pytest

from dragstream_ros.core.bars import bars_of, content_of, over_bars

GREY = np.full((96, 128, 3), 90, np.uint8)


def framed(top: int, bottom: int) -> np.ndarray:
    return np.pad(GREY, ((top, bottom), (0, 0), (0, 0)))


@pytest.mark.parametrize('top, bottom', [(16, 16), (16, 17), (0, 0)])
def test_bars_are_found(top: int, bottom: int) -> None:
    assert content_of(framed(top, bottom)) == (slice(top, top + 96), slice(0, 128))
    assert bars_of(framed(top, bottom)).sum() == (top + bottom) * 128


def test_bars_beside_a_tall_picture_are_found() -> None:
    assert content_of(framed(10, 10).swapaxes(0, 1)) == (slice(0, 128), slice(10, 106))


@pytest.mark.parametrize('picture', [framed(20, 0), framed(0, 40), np.zeros_like(GREY)])
def test_a_dark_part_of_a_picture_is_no_bar(picture: np.ndarray) -> None:
    assert content_of(picture) == (slice(0, len(picture)), slice(0, 128))


def test_what_is_at_the_edge_of_a_bar_goes_on_over_it() -> None:
    mask = np.zeros((128, 128), bool)
    mask[16:30, 50:60] = True
    filled = over_bars(mask, content_of(framed(16, 16)))
    assert filled[:30, 50:60].all() and filled.sum() == 300
    picture = framed(16, 16)
    assert (over_bars(picture, content_of(picture)) == 90).all()
