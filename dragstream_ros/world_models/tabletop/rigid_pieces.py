"""Pieces of one colour stay whole: each is moved as one, as the flow has it on the average.

A flow that is not sure of an arm or of a box bends and tears it.  The bodies of this world are
rigid, and what has one colour is mostly of one body: so each piece that moves gets one motion, a
shift and a turn, that fits the flow of all its pixels.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from dragstream_ros.core.arm import Arm
from dragstream_ros.core.held import RIM_PX
from dragstream_ros.core.region import dilate
from dragstream_ros.masks.fill_from_nearest import fill_from_nearest
from dragstream_ros.world_models.tabletop.seen_picture import grid

MOVES_PX = 0.7          # on the average; what moves less is as well carried pixel by pixel
LEAST_SEEN_PX = 12      # of a piece in a frame, for a motion to be fitted
LARGEST_SHARE = 0.2     # of the picture; what is larger is background
MISFIT_PX = 8.0         # mean, beyond which a piece is of several bodies: its flow is kept
STIFFNESS_PX2 = 60.0    # against turning: what a piece of few pixels says of that is little
BEYOND_PX = 40          # the border, at most, what touches it goes on
ROUNDS = 4              # of the fit; what does not follow the others counts less in the next


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece in one frame: it covers this share (h, w) float32 of the window's pixels.

    source: (2, 3), from a pixel (x, y, 1) of the window to where in the picture that was cut, in
    px (x, y), what it shows is from. places: the same of each pixel, two (h, w) float32, of an arm,
    which leans beyond the rim; None: it goes straight on there.
    """

    window: tuple[slice, slice]
    cover: np.ndarray
    source: np.ndarray
    places: tuple[np.ndarray, np.ndarray] | None = None

    def cut(self, picture: np.ndarray, how: int = cv2.INTER_LINEAR) -> np.ndarray:
        """What the window shows of a picture (H, W) or (H, W, C)."""
        return _cut(picture, self.source, self.cover.shape, self.places, how)

    def put(self, frame: np.ndarray, whole: np.ndarray, picture: np.ndarray) -> None:
        """Draw it, as cut from a picture, over a frame, (H, W, 3) float32 both.

        whole: (H, W) float32, the share of each pixel that pieces cover; this one is added.
        """
        there = frame[self.window]
        there += self.cover[..., None] * (self.cut(picture, cv2.INTER_CUBIC).clip(0, 1) - there)
        np.maximum(whole[self.window], self.cover, out=whole[self.window])

    def trace(self, origin: np.ndarray) -> None:
        """Write where in the picture what it shows is from into a map (2, H, W) px, (x, y)."""
        y, x = np.nonzero(self.cover > 0.5)
        rows, columns = self.window
        origin[:, rows.start + y, columns.start + x] = self.source @ (x, y, np.ones(len(x)))


@dataclass(frozen=True, eq=False)
class ShownPieces:
    """Which piece the flow shows at each pixel of a frame.

    piece: (H, W) int32, its number, 0: none. there: (2, H, W) px, which place of the picture, (x,
    y), and at: the row and column of its pixel. Of each of the pieces, (n,) bool: is_seen: enough
    of it; goes: on the average it is not where it was; moves: both, and it is no background.
    """

    piece: np.ndarray
    there: np.ndarray
    at: tuple[np.ndarray, np.ndarray]
    is_seen: np.ndarray
    goes: np.ndarray
    moves: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, origin: np.ndarray, gone: np.ndarray) -> ShownPieces:
        """Of pieces (H, W) int32 from 1 on; origin: (2, H, W), gone: (H, W), see RigidPieces."""
        height, width = labels.shape
        here, known = grid((height, width)), ~np.isnan(origin[0])
        there = np.where(known, origin, here)
        x, y = np.rint(there).astype(int)
        known &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y = x.clip(0, width - 1), y.clip(0, height - 1)
        piece, count = labels[y, x] * (known & ~gone[y, x]), int(labels.max()) + 1
        seen_px, size_px = (np.bincount(of.ravel(), minlength=count) for of in (piece, labels))
        way_px = np.bincount(piece.ravel(), cv2.magnitude(*(here - there)).ravel(), count)
        is_seen, goes = seen_px >= LEAST_SEEN_PX, way_px > MOVES_PX * seen_px
        moves = is_seen & goes & (size_px < LARGEST_SHARE * labels.size)
        moves[0] = False
        return cls(piece, there, (y, x), is_seen, goes, moves)

    def motions(self, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The numbers of what moves, its motions (k, 2, 3) as in Piece, and how they misfit, px."""
        numbers, these = np.flatnonzero(self.moves), self.moves[self.piece]
        cos, sin, shift, misfit_px = _fit_motions(
            np.searchsorted(numbers, self.piece[these]), grid(these.shape)[:, these],
            self.there[:, these], sure[these], len(numbers))
        turns = np.stack([cos, -sin, sin, cos], -1).reshape(-1, 2, 2)
        return numbers, np.concatenate([turns, shift[..., None]], 2), misfit_px

    def share_of(self, number: int, put: Piece) -> float:
        """Of what a piece covers where it was put, the share in which the flow shows it."""
        covered = put.cover > 0.5
        shown_px = (covered & (self.piece[put.window] == number)).sum()
        return float(shown_px / max(covered.sum(), 1))


@dataclass(frozen=True, eq=False)
class RigidPieces:
    """The moving pieces of F frames, by frame, the one most in front last.

    moved: (F, H, W) bool, where the flow has them; what they do not cover of that is a hole.
    standing: (F, H, W) bool, where what was seen is in its place still, whatever is in front of it.
    rims: (F, H, W) bool, where the flow has what they touched when they were seen: it shows some of
    their colours, as an edge in a picture does.
    """

    pieces: Sequence[Sequence[Piece]]
    moved: torch.Tensor
    standing: torch.Tensor
    rims: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, origins: np.ndarray, sure: np.ndarray,
           gone: np.ndarray) -> RigidPieces:
        """Fit the motions of pieces (H, W) int from 1 on.

        origins: (F, 2, H, W), where in the picture that was cut each pixel of the frames comes
        from by the flow, (x, y), NaN if not from there; sure: (F, H, W), how surely, in 0..1.
        gone: (H, W) bool, what of the picture is put elsewhere by others.
        """
        found = [_pieces_of(labels, origin, sure[index], gone)
                 for index, origin in enumerate(origins)]
        pieces, moved, standing, rims = zip(*found)
        moved, standing = (torch.from_numpy(np.stack(where)) for where in (moved, standing))
        return cls(pieces, moved, standing, np.stack(rims))

    def put(self, frames: torch.Tensor, picture: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (F, 3, H, W) in 0..1 with the pieces of (H, W, 3) uint8 RGB in place.

        And where that is, (F, 1, H, W) in 0..1.
        """
        shown = frames.permute(0, 2, 3, 1).numpy().copy()
        covered = np.zeros(shown.shape[:3], np.float32)
        colours = picture.astype(np.float32) / 255
        for frame, whole, pieces, rim, moved in zip(
                shown, covered, self.pieces, self.rims, self.moved.numpy(), strict=True):
            _clear(frame, rim, moved)
            for piece in pieces:
                piece.put(frame, whole, colours)
        return torch.from_numpy(shown).permute(0, 3, 1, 2), torch.from_numpy(covered)[:, None]

    def origin(self, flowing: np.ndarray) -> np.ndarray:
        """Where the pixels of the last frame come from, (2, H, W), flowing where no piece is."""
        origin = flowing.copy()
        for piece in self.pieces[-1]:
            piece.trace(origin)
        return origin


def _pieces_of(labels: np.ndarray, origin: np.ndarray, sure: np.ndarray,
               gone: np.ndarray) -> tuple[list[Piece], np.ndarray, np.ndarray, np.ndarray]:
    """One frame's pieces, the least seen first, and its moved, standing and rims, (H, W) bool."""
    shown = ShownPieces.of(labels, origin, gone)
    movers, motions, misfit_px = shown.motions(sure)
    standing = (shown.is_seen & ~shown.goes)[labels] & ~gone
    moves = shown.moves.copy()
    moves[movers[misfit_px >= MISFIT_PX]] = False
    found = []
    for number, motion in zip(movers, motions, strict=True):
        made = (placed(((labels == number) & ~gone).astype(np.float32), motion)
                if moves[number] else None)
        if made is not None and made.cover.sum() > LEAST_SEEN_PX / 2:
            found.append((shown.share_of(number, made), made))
    left = moves[labels] | gone
    rim = dilate(torch.from_numpy(left), RIM_PX).numpy() & ~left
    in_order = [made for _, made in sorted(found, key=lambda pair: pair[0])]
    return in_order, moves[shown.piece], standing, (shown.piece > 0) & rim[shown.at]


def _clear(frame: np.ndarray, rim: np.ndarray, gone: np.ndarray) -> None:
    """Give the rim (H, W) bool of a frame (H, W, 3) the colours beside it that are not gone."""
    clean = ~(rim | gone)
    if not rim.any() or not clean.any():
        return
    frame[rim] = fill_from_nearest(frame, clean)[rim]


def _fit_motions(piece: np.ndarray, here: np.ndarray, there: np.ndarray, weight: np.ndarray,
                count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rigid motions, there = turn(here) + shift, of all pieces at once, robustly.

    piece: (N,) of pixels, 0 to count - 1; here, there: (2, N) px; weight: (N,). Returns per piece
    cosine and sine of the turn, the shift (count, 2), and the mean misfit, in px.
    """
    of_piece = (np.arange(count)[:, None] == piece).astype(np.float64)
    (x, y), (there_x, there_y) = here, there
    terms = np.stack([np.ones(len(piece)), x, y, there_x, there_y,
                      x * there_x + y * there_y, x * there_y - y * there_x], 1)
    counts = weight
    for _ in range(ROUNDS):
        mass, *firsts, along, across = ((of_piece * counts) @ terms).T
        mass = mass + 1e-6
        mean_x, mean_y, mean_there_x, mean_there_y = (first / mass for first in firsts)
        # Of the points from their means.
        along += STIFFNESS_PX2 - mass * (mean_x * mean_there_x + mean_y * mean_there_y)
        across -= mass * (mean_x * mean_there_y - mean_y * mean_there_x)
        length = np.hypot(along, across)
        cos, sin = along / length, across / length
        shift = np.stack([mean_there_x - cos * mean_x + sin * mean_y,
                          mean_there_y - sin * mean_x - cos * mean_y])
        turn_x, turn_y, shift_x, shift_y = (of[piece] for of in (cos, sin, *shift))
        misfit = np.hypot(there_x - turn_x * x + turn_y * y - shift_x,
                          there_y - turn_y * x - turn_x * y - shift_y)
        counts = weight / (1 + misfit ** 2)
    return cos, sin, shift.T, of_piece @ (weight * misfit) / (of_piece @ weight + 1e-6)


def placed(cover: np.ndarray, source: np.ndarray, arm: Arm | None = None) -> Piece | None:
    """What covers so much (H, W) after its motion; None where nothing of it is in the picture.

    What touches the border goes on beyond it: an arm that comes further in shows more of itself.
    """
    (height, width), leans = cover.shape, arm is not None
    rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
    if not len(rows):
        return None
    (left, right), (top, bottom) = (
        (ends[0] - BEYOND_PX * (ends[0] == 0 or leans),
         ends[-1] + BEYOND_PX * (ends[-1] == size - 1 or leans))
        for ends, size in ((columns, width), (rows, height)))
    turn, shift = source[:, :2], source[:, 2]
    corners = np.array([(x, y) for x in (left, right) for y in (top, bottom)]) - shift
    x, y = (corners @ turn).T       # the turn undone
    left, right = max(int(x.min()) - 1, 0), min(int(x.max()) + 3, width)
    top, bottom = max(int(y.min()) - 1, 0), min(int(y.max()) + 3, height)
    if left >= right or top >= bottom:
        return None
    there = np.column_stack([turn, turn @ (left, top) + shift])
    window = slice(top, bottom), slice(left, right)
    shape = bottom - top, right - left
    places = None if arm is None else _places(there, shape, arm)
    return Piece(window, _cut(cover, there, shape, places), there, places)


def _places(source: np.ndarray, shape: tuple[int, int], arm: Arm,
            ) -> tuple[np.ndarray, np.ndarray]:
    """Where in the picture each pixel of a window (h, w) is from, x and y."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    x, y = (torch.from_numpy((of_x * columns + of_y * rows + of_1).astype(np.float32))
            for of_x, of_y, of_1 in source)
    x, y = arm.within(x, y)
    return x.numpy(), y.numpy()


def _cut(picture: np.ndarray, source: np.ndarray, shape: tuple[int, ...],
         places: tuple[np.ndarray, np.ndarray] | None, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    if places is not None:
        return cv2.remap(picture, *places, how, borderMode=cv2.BORDER_REPLICATE)
    return cv2.warpAffine(picture, source, shape[::-1], borderMode=cv2.BORDER_REPLICATE,
                          flags=how | cv2.WARP_INVERSE_MAP)
