"""Pieces of one colour, those of one thing joined: what moves as one, as far as that is known.

And which of them are arms: things that reach into the picture from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.masks.colour_pieces import colour_pieces
from dragstream_ros.masks.known_thing import at_border, known_thing
from dragstream_ros.masks.thing_finder import ThingFinder

SHARED = 0.5        # of a piece, what a touch of another one finds where both are of one thing
LARGEST_ARM = 0.3   # share of the picture: what is larger and reaches in is the table


@dataclass(frozen=True, eq=False)
class ThingPieces:
    """labels: (H, W) int32, from 1 on, the piece that each pixel belongs to.

    things: (H, W) int32, the same with the parts of a thing joined that can move by themselves,
    such as a lid and its box: from 1 on; 0: no thing that is known.
    arms: (H, W) int32, from 1 on, the arm that each pixel belongs to; 0: none that is known.
    """

    labels: np.ndarray
    things: np.ndarray
    arms: np.ndarray


def thing_pieces(picture: np.ndarray) -> ThingPieces:
    """Cut (H, W, 3) uint8 RGB."""
    labels, finder = colour_pieces(picture), ThingFinder.of(picture)
    count = int(labels.max()) + 1
    size_px = np.bincount(labels.ravel(), minlength=count)
    # Of the second piece, the share that a touch of the first finds; none is 0.
    finds = np.zeros((count, count))
    points = _innermost(labels, count)
    likely = finder.likelihood(*points)
    for piece, mask in enumerate(likely > 0, 1):
        finds[piece] = np.bincount(labels[mask], minlength=count) / np.maximum(size_px, 1)
    both, one = (finds > SHARED) & (finds.T > SHARED), (finds > SHARED) | (finds.T > SHARED)
    is_known = finds.diagonal() > SHARED
    return ThingPieces(_joined(both)[labels], (_joined(one) * is_known)[labels],
                       _arms(likely, points))


def _arms(likely: np.ndarray, points: list[np.ndarray]) -> np.ndarray:
    """Number (H, W) int32 those of the things at points that are at the picture's border.

    likely: (n, H, W), how likely each pixel is of the thing at each of n points (x, y).
    """
    arms = np.zeros(likely.shape[1:], np.int32)
    for one, (x, y) in zip(likely, points, strict=True):
        if arms[y, x] or not at_border(one > 0):
            continue
        thing = known_thing(one, np.array([x, y]))
        if thing is not None and at_border(thing) and thing.mean() < LARGEST_ARM:
            arms[thing & (arms == 0)] = arms.max() + 1
    return arms


def _innermost(labels: np.ndarray, count: int) -> list[np.ndarray]:
    """Of each piece from 1 on the pixel (x, y) that is farthest from what is not of it."""
    edge = np.zeros(labels.shape, bool)
    for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        differ = labels[here] != labels[there]
        edge[here] |= differ
        edge[there] |= differ
    inside = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L1, 3).ravel()
    order = np.lexsort((inside, labels.ravel()))    # of each piece the last one is innermost
    last = np.searchsorted(labels.ravel()[order], np.arange(1, count), side='right') - 1
    y, x = np.unravel_index(order[last], labels.shape)
    return list(np.stack([x, y], -1))


def _joined(alike: np.ndarray) -> np.ndarray:
    """For n pieces one number (n,) int32 each, the same for those that are alike (n, n) bool.

    Also for those that are alike by way of others.
    """
    reached, before = alike | np.eye(len(alike), dtype=bool), np.zeros_like(alike)
    while (reached != before).any():
        before, reached = reached, (reached.astype(np.float32) @ reached) > 0
    return reached.argmax(1).astype(np.int32)
