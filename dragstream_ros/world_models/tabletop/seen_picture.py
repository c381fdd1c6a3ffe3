"""What was seen last, cut into pieces, and where in it every pixel of now comes from.

A prediction that lives on its own frames wears out: each chunk blurs the last one's blur.  So a
piece is cut from the real picture, however many chunks ago that was, and put where it is by now.
"""
from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch

from dragstream_ros.core.arm import Arm, within_rims
from dragstream_ros.core.region import dilate
from dragstream_ros.masks.thing_pieces import ThingPieces, thing_pieces
from dragstream_ros.world_models.tabletop.backdrop import Backdrop, Paint, distances
from dragstream_ros.world_models.tabletop.hidden_parts import Complete, HiddenPart, hidden_parts

STILL_PX = 0.5


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """picture: (H, W, 3) uint8 RGB, and its pieces.

    origin: (2, H, W) float32, where in it each pixel of the newest frame comes from, (x, y); NaN
    where that is not from it.
    gone: (H, W) bool, what of it the drag took away: that is put elsewhere meanwhile.
    motions: (n, 2, 3) float64, of every piece, from a pixel (x, y, 1) of the newest frame to where
    in the picture what it shows is from, px; None where nothing is known of the things.
    backdrop: what is behind them, or None; hidden: what they hide of each other, by number.
    rested: (H, W) bool, what was as in the frame before the picture; None: nothing.
    grabbed: the picture that the drag is of, and grabbed_origin: the origin as of that; or None.
    is_strange: the model knows tables, and this is none of them.
    reaching: how its arms go on beyond the rim, by number.
    """

    picture: np.ndarray
    pieces: ThingPieces
    origin: np.ndarray
    gone: np.ndarray
    motions: np.ndarray | None = None
    backdrop: Backdrop | None = None
    hidden: Mapping[int, HiddenPart] = field(default_factory=dict)
    rested: np.ndarray | None = None
    grabbed: np.ndarray | None = None
    grabbed_origin: np.ndarray | None = None
    is_strange: bool = False
    reaching: Mapping[int, Arm] = field(default_factory=dict)

    @classmethod
    def of(cls, picture: np.ndarray, paint: Paint | None = None,
           complete: Complete | None = None) -> SeenPicture:
        """Cut (H, W, 3) uint8 RGB.

        paint: of its table, without it there is no backdrop; complete: of things on that.
        """
        size, pieces = picture.shape[:2], thing_pieces(picture)
        backdrop = None if paint is None else Backdrop.of(picture, pieces, paint)
        motions = None if backdrop is None else np.tile(
            np.eye(2, 3), (int(pieces.labels.max()) + 1, 1, 1))
        hidden = {} if backdrop is None or complete is None else hidden_parts(
            picture, pieces, complete)
        return cls(picture, pieces, grid(size), np.zeros(size, bool), motions, backdrop, hidden,
                   is_strange=paint is not None and backdrop is None,
                   reaching=reaching(pieces.arms))

    @property
    def owners(self) -> np.ndarray:
        """(H, W) int32, the piece that each pixel of the picture goes with."""
        return self.pieces.labels if self.backdrop is None else self.backdrop.owners

    def origins(self, displacement: np.ndarray, hidden: np.ndarray, left: np.ndarray,
                ) -> np.ndarray:
        """Where each pixel of frames to come is from, (F, 2, H, W) float32, NaN if not from here.

        displacement: (F, 2, H, W) px, from the newest frame on; hidden: (F, H, W) bool, what that
        does not show; left: (H, W) bool, what of that is left out.
        """
        here = grid(self.gone.shape)
        back = here - displacement
        x, y = np.rint(back).astype(int).swapaxes(0, 1)
        inside = (x >= 0) & (x < self.gone.shape[1]) & (y >= 0) & (y < self.gone.shape[0])
        x, y = x * inside, y * inside
        found = back + (self.origin - here)[:, y, x].swapaxes(0, 1)
        found.swapaxes(0, 1)[:, hidden | ~inside | left[y, x]] = np.nan
        return found

    def gone_by(self, left: np.ndarray, still: np.ndarray) -> np.ndarray:
        """What drags have taken of the picture by now, (H, W) bool.

        left: of the newest frame; still: what of that stays, with its rim and its shadow.
        """
        gone = self.gone.copy()
        gone[_nearest(self.origin[:, left & ~np.isnan(self.origin[0])], gone.shape)] = True
        if self.backdrop is None or self.motions is None:
            return gone
        gone = _closed(gone)
        gone &= ~self.backdrop.grazed(gone)
        stays = mostly(self.shows(self.pieces.labels * ~gone), still, len(self.motions))
        return gone | self.backdrop.around(gone) & ~stays[self.owners]

    def shows(self, of_picture: np.ndarray) -> np.ndarray:
        """A map (H, W) of the picture, as the newest frame shows it; 0 where it does not."""
        return self._shown(of_picture, self.origin)

    def showed(self, of_picture: np.ndarray) -> np.ndarray:
        """The same of the picture that the drag is of."""
        assert self.grabbed_origin is not None
        return self._shown(of_picture, self.grabbed_origin)

    @functools.cached_property
    def rests(self) -> np.ndarray:
        """What of the newest frame is where it was at rest in the picture, (H, W) bool."""
        if self.rested is None:
            return np.zeros(self.gone.shape, bool)
        way_px = np.abs(self.origin - grid(self.gone.shape)).max(0)
        return self.rested & (way_px < STILL_PX)

    def now(self, grabbed: np.ndarray) -> np.ndarray:
        """Where the newest frame shows what a mask (H, W) bool of the grabbed picture does."""
        return self.shows(self.taken(grabbed))

    def taken(self, grabbed: np.ndarray) -> np.ndarray:
        """What of the picture that mask shows, (H, W) bool."""
        assert self.grabbed_origin is not None
        taken, known = np.zeros(grabbed.shape, bool), ~np.isnan(self.grabbed_origin[0])
        taken[_nearest(self.grabbed_origin[:, grabbed & known], taken.shape)] = True
        return _closed(taken)

    def without(self, redone: np.ndarray) -> SeenPicture:
        """The same, where some of the newest frame (H, W) bool is something else."""
        return replace(self, origin=np.where(redone, np.float32(np.nan), self.origin))

    def dragged(self, grabbed: np.ndarray | None,
                origin: np.ndarray | None = None) -> SeenPicture:
        """The same, for a drag of another picture, or none: what the last one held is let go of.

        origin: as of that picture, if it is not of the newest frame.
        """
        if self.grabbed is grabbed:
            return self
        back = np.zeros(self.gone.shape, bool)
        back[_nearest(self.origin[:, ~np.isnan(self.origin[0])], back.shape)] = True
        # What was turned leaves out a pixel here and there.
        back = dilate(torch.from_numpy(back), 1).numpy()
        if grabbed is not None and origin is None:
            origin = self.origin
        return replace(self, gone=self.gone & ~back, grabbed=grabbed, grabbed_origin=origin)

    def held(self, covered: np.ndarray, origin: np.ndarray) -> SeenPicture:
        """The same, where some of the newest frame (H, W) bool shows what is held.

        origin: (2, H, W), where in the grabbed picture that is from, NaN where it is not.
        """
        assert self.grabbed_origin is not None
        vacated = ~np.isnan(self.origin[0])
        vacated[vacated] = self.gone[_nearest(self.origin[:, vacated], self.gone.shape)]
        found = self.without(covered | vacated).origin
        known = ~np.isnan(origin[0])
        y, x = _nearest(origin[:, known], self.gone.shape)
        found[:, known] = self.grabbed_origin[:, y, x] + origin[:, known] - (x, y)
        return replace(self, origin=found)

    @staticmethod
    def _shown(numbers: np.ndarray, origin: np.ndarray) -> np.ndarray:
        shown, known = np.zeros_like(numbers), ~np.isnan(origin[0])
        shown[known] = numbers[_nearest(origin[:, known], numbers.shape)]
        return shown


def reaching(arms: np.ndarray) -> dict[int, Arm]:
    """By number, how arms (H, W) int32 go on beyond the rim; 0: none."""
    found = {}
    for number in np.unique(arms[arms > 0]).tolist():
        mask = arms == number
        rim = mask.copy()
        rim[1:-1, 1:-1] = False
        hand = np.unravel_index((distances(rim) * mask).argmax(), mask.shape)
        hand_px = np.array(hand[::-1])
        arm = Arm.of(within_rims(torch.from_numpy(mask), hand_px), hand_px)
        if arm is not None:
            found[number] = arm
    return found


def mostly(pieces: np.ndarray, where: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool: more than half of a piece is there; pieces: (H, W) int32, 0: none."""
    there_px, all_px = (np.bincount(of, minlength=count) for of in (pieces[where], pieces.ravel()))
    there_px[0] = 0
    return np.asarray(2 * there_px > all_px)


def _closed(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool of what was turned, which leaves out a pixel here and there."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3))) > 0


def _nearest(points: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels that are nearest to points (2, n), (x, y)."""
    x, y = (np.rint(axis).astype(int) for axis in points)
    return y.clip(0, shape[0] - 1), x.clip(0, shape[1] - 1)


@functools.lru_cache(maxsize=4)
def grid(size: tuple[int, int]) -> np.ndarray:
    """The pixels themselves, (2, H, W) float32, (x, y); not to be written to."""
    pixels = np.mgrid[:size[0], :size[1]][::-1].astype(np.float32)
    pixels.flags.writeable = False
    return pixels
