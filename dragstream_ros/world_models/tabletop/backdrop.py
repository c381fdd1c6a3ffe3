"""What is behind the things of a picture: the table, and the shadows that they cast on it.

Where a picture's things are known, all else is table.  So a frame to come is that table, with the
things put on it: nothing has to be carried along or filled in, and nothing wears out.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from dragstream_ros.core.region import dilate
from dragstream_ros.masks.fill_from_nearest import fill_from_nearest
from dragstream_ros.masks.thing_pieces import ThingPieces

RIM_PX = 2              # around a thing, where its colours are mixed with the table's
SHADES = 0.1, 0.8       # how much darker than the table a shadow is, as a share
FAINTEST = 0.03         # beside one that is that dark
SAME_HUE = 0.2          # how far apart the channels of a shadow may be in that
EDGE_LEVELS = 4         # beyond the colours of the table around, that an edge painted off may be
LEAST_SHADOW_PX = 6
LEAST_STRANGE_PX = 12   # that are off where it was tried: less is a fault of the painter
ALL_SHARE = 0.7         # of a piece: who takes so much of it takes its rim and its shadow along
GRAZED_SHARE, GRAZED_PX = 0.15, 1   # less of it, and so wide, is the rim of what lies beside it
TRIED_PX = 6            # squares of a picture, every other of which is hidden to try the painter
OFF_LEVELS, OFF_SHARE = 25, 0.075   # of what is tried: more is off where the table is none we know
# The table (n, H, W, 3) uint8 of a picture (H, W, 3), each told where it is hidden (n, H, W) bool.
Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Backdrop:
    """table: (H, W, 3) uint8 RGB, without anything on it.

    covers: (H, W) int32, the piece, as in ThingPieces, that each pixel shows; 0: a rim or a shadow.
    owners: (H, W) int32, the piece that each pixel goes with: a rim, or a shadow, with its thing.
    shade: (H, W) float32, by which share a shadow makes a pixel darker; 0 where none is.
    bare: (H, W) bool, where the picture shows the table. sure: (H, W) bool, where the table needs
    no second look.
    """

    table: np.ndarray
    covers: np.ndarray
    owners: np.ndarray
    shade: np.ndarray
    bare: np.ndarray
    sure: np.ndarray

    @classmethod
    def of(cls, picture: np.ndarray, pieces: ThingPieces, paint: Paint) -> Backdrop | None:
        """Of (H, W, 3) uint8 RGB; None where nothing in it is known, or the table is not."""
        labels, things = pieces.labels, pieces.things > 0
        if not things.any():
            return None
        near = grown(things, RIM_PX)
        if near.all():
            return None
        tried = (np.indices(near.shape) // TRIED_PX).sum(0) % 2 == 0
        table, again = paint(picture, np.stack([near, near | tried]))
        if not _is_alike(again, picture, tried & ~near):
            return None
        # The painter hardly changes a shadow that it is shown, or a thing that is not known: it is
        # told to paint those as well.
        shadows, _ = _shadows(picture, table, pieces)
        strange = grown(_strange(again, picture, tried & ~near, pieces), RIM_PX)
        table, = paint(picture, (near | grown(shadows, 1) | strange)[None])
        dark, shade = _shadows(picture, table, pieces)
        owner = fill_from_nearest(labels, things)
        owners = np.where(near, owner, labels)
        at_a_foot = grown(dark & near, 1)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(
            (dark & ~near).astype(np.uint8))
        for part in range(1, count):
            its = parts == part
            # Most of it strange: then it is the table there that is painted wrong.
            is_one = stats[part, cv2.CC_STAT_AREA] >= LEAST_SHADOW_PX and strange[its].mean() < 0.5
            if is_one or (its & at_a_foot).any():
                owners[its] = np.bincount(owner[its]).argmax()
            else:
                shade[its] = 0
        covers = np.where(things, owner, np.where(owners == labels, labels, 0))
        return cls(table, covers, owners, shade, ~things & ~_is_off(table, picture),
                   np.zeros(things.shape, bool))

    def around(self, part: np.ndarray) -> np.ndarray:
        """The rims and shadows (H, W) bool that go with a part (H, W) bool of what is seen."""
        found = np.zeros(part.shape, bool)
        shares = self._shares(part)
        for number in np.flatnonzero(shares >= GRAZED_SHARE).tolist():
            its = self.covers == number
            around = (self.owners == number) & ~its
            if shares[number] < ALL_SHARE:
                around &= distances(its & part) < distances(its & ~part)
            found |= around
        return found

    def grazed(self, part: np.ndarray) -> np.ndarray:
        """The pixels (H, W) bool of pieces of which the part has next to nothing but its rim."""
        inside = ~grown(~part, GRAZED_PX)
        return (self._shares(inside) < GRAZED_SHARE)[self.covers] & (self.covers > 0)

    def _shares(self, part: np.ndarray) -> np.ndarray:
        """How much of each piece (n,) is in it; of none at all: 0."""
        count = int(self.owners.max()) + 1
        inside, all_px = (np.bincount(of, minlength=count)
                          for of in (self.covers[part], self.covers.ravel()))
        inside[0] = 0
        return np.asarray(inside / np.maximum(all_px, 1))


def distances(mask: np.ndarray) -> np.ndarray:
    """Of every pixel (H, W) to a mask (H, W) bool, px."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)


def _is_alike(painted: np.ndarray, picture: np.ndarray, where: np.ndarray) -> bool:
    return bool(_is_off(painted, picture)[where].mean() <= OFF_SHARE)


def _is_off(painted: np.ndarray, picture: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(painted.astype(int) - picture).max(-1) > OFF_LEVELS)


def _strange(again: np.ndarray, picture: np.ndarray, tried: np.ndarray,
             pieces: ThingPieces) -> np.ndarray:
    """Where there is neither table nor shadow nor a thing that is known, (H, W) bool.

    again: the table, painted also where it was tried, (H, W) bool.
    """
    off = _is_off(again, picture) & tried
    off &= ~(_shadows(picture, again, pieces)[0]
             | _is_edge(picture, picture, TRIED_PX, known=tried & ~grown(off, RIM_PX)))
    # Every other square was tried: what is off in some of them is so between them.
    joined = cv2.morphologyEx(off.astype(np.uint8), cv2.MORPH_CLOSE,
                              np.ones((2 * TRIED_PX + 1,) * 2, np.uint8))
    parts, strange = cv2.connectedComponents(joined)[1], np.zeros(off.shape, bool)
    for part in np.flatnonzero(np.bincount(parts[off]) >= LEAST_STRANGE_PX):
        strange |= convex(parts == part)
    return strange


def _is_edge(picture: np.ndarray, table: np.ndarray, off_px: int,
             known: np.ndarray | None = None) -> np.ndarray:
    """Where an edge of the table may be painted so far off, (H, W) bool: its colours are near.

    known: (H, W) bool, what of the table is; None: all.
    """
    around = np.ones((2 * off_px + 1,) * 2, np.uint8)
    unknown = np.zeros(picture.shape[:2], bool) if known is None else ~known
    darkest, lightest = (of(np.where(unknown[..., None], nothing, table), around).astype(int)
                         for of, nothing in ((cv2.erode, np.uint8(255)), (cv2.dilate, np.uint8(0))))
    return np.asarray(((picture.astype(int) + EDGE_LEVELS >= darkest)
                       & (picture <= lightest + EDGE_LEVELS)).all(-1))


def _shadows(picture: np.ndarray, table: np.ndarray, pieces: ThingPieces,
             ) -> tuple[np.ndarray, np.ndarray]:
    """Where shadows lie, (H, W) bool, and the share of the light that they take, float32."""
    darker = 1 - (picture + 1.0) / (table + 1.0)
    shade, things = darker.mean(-1), pieces.things > 0
    grey = (np.ptp(darker, -1) < SAME_HUE) & (shade < SHADES[1])
    apart = grey & ~grown(things, 1)
    dark = apart & (shade > SHADES[0]) & ~_is_edge(picture, table, RIM_PX)
    dark = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    # At its rim a shadow is fainter; and what stands on the table has a thin one around its foot.
    dark |= apart & (shade > FAINTEST) & grown(dark, RIM_PX)
    deep, foot = grey & (shade > SHADES[0]) & ~things, grown(things & (pieces.arms == 0), RIM_PX)
    dark |= deep & grown(deep & foot, 1)
    shade = np.where(dark, shade, 0).astype(np.float32)
    # Where a thing's colours are mixed in, it is as dark as beside that.
    closed = cv2.morphologyEx(shade, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    shade = np.where(foot & ~things & (np.abs(darker).max(-1) > SHADES[0]), closed, shade)
    return shade > 0, shade


def grown(mask: np.ndarray, rim_px: int) -> np.ndarray:
    """A mask (H, W) bool, and what is so near to it."""
    return dilate(torch.from_numpy(mask), rim_px).numpy()


def opened(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool without what is thinner than three pixels."""
    return grown(~grown(~mask, 1), 1)


def convex(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask (H, W) bool that is not empty."""
    hull = cv2.convexHull(cv2.findNonZero(mask.astype(np.uint8)))
    return cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1) > 0
