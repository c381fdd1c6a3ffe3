"""A picture cut into what moves as one, as far as that is known: its things, and else its colours.

And which of the things are arms: those that reach into the picture from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.masks.colour_pieces import colour_pieces
from dragstream_ros.masks.thing_finder import find_things

ALL_BUT_ALL = 0.9   # of a piece of one colour: then the rest of it is of that thing as well
LARGEST_ARM = 0.3   # share of the picture: what is larger and reaches in is the table


@dataclass(frozen=True, eq=False)
class ThingPieces:
    """labels: (H, W) int32, from 1 on, the piece that each pixel belongs to: a thing, or a colour.

    things: (H, W) int32, the same where it is a thing that is known; 0: none.
    arms: (H, W) int32, the same where it is an arm; 0: none.
    """

    labels: np.ndarray
    things: np.ndarray
    arms: np.ndarray


def thing_pieces(picture: np.ndarray) -> ThingPieces:
    """Cut (H, W, 3) uint8 RGB; the picture must not be changed afterwards."""
    colours = colour_pieces(picture)
    things = _filled(find_things(picture).shown(), colours)
    labels = np.where(things > 0, things, colours + things.max())
    return ThingPieces(labels, things, np.where(_of_arms(things), things, 0))


def _filled(things: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Things (H, W) int32, and what else is of a piece that is all but all of one of them."""
    count = np.zeros((int(colours.max()) + 1, int(things.max()) + 1), int)
    np.add.at(count, (colours, things), 1)
    most = count.argmax(1)
    is_of_one = count.max(1) > ALL_BUT_ALL * count.sum(1)
    return np.where(things > 0, things, (most * is_of_one)[colours]).astype(np.int32)


def _of_arms(things: np.ndarray) -> np.ndarray:
    """Where things (H, W) int32 are arms, (H, W) bool."""
    rim = np.concatenate([things[[0, -1]].ravel(), things[:, [0, -1]].ravel()])
    share = np.bincount(things.ravel()) / things.size
    return np.isin(things, rim[share[rim] < LARGEST_ARM]) & (things > 0)
