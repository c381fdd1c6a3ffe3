"""Where is the thing in a predicted picture, how much of it, and how much is left where it was?

Measured with what only a simulation has: the true pictures and masks of the second to predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from dragstream_ros.evaluation.colours import ALIKE, DIFFERENT, core, grown, nearest, to_lab
from dragstream_ros.evaluation.drag_case import DragCase, left_behind

SEARCH_MARGIN_PX = 16   # beyond source and target
AREA_MARGIN_PX = 4      # around the thing: further off, what looks like it is not part of it
N_COLOURS = 400


@dataclass(frozen=True)
class Located:
    """What was found.

    error_px: (2,) shift (x, y) from where the handle point should be to where it is. area_px: how
    much of the thing is there. left_share: of the pixels that it should have left, how much still
    shows it, 0 to 1.
    """

    error_px: np.ndarray
    area_px: float
    left_share: float


@dataclass(frozen=True, eq=False)
class _Look:
    """A true view of the thing: its mask (H, W), the picture (H, W, 3), its handle point (2,)."""

    mask: np.ndarray
    lab: np.ndarray
    point_px: np.ndarray


class ThingLocator:
    """Finds the thing of one drag in pictures of the time the drag ends."""

    def __init__(self, case: DragCase) -> None:
        frames = to_lab(np.concatenate([case.past[-1:], case.future]))
        whole = np.concatenate([case.start_whole[None], case.future_whole])
        end_mask = case.future_masks[-1]
        # It may have turned as it truly does, or not at all where the drag did not say how.
        self._looks = [
            _Look(end_mask, frames[-1], case.path_px[-1]),
            _Look(case.start_mask, frames[0], case.path_px[0])]
        self._left = left_behind(case.start_mask, whole[-1])
        # A pixel at the edge of a mask is a mixture, neither of the thing nor of what is behind.
        self._behind = [
            np.where(grown(mask, 1)[..., None], np.inf, frame)
            for frame, mask in zip(frames, whole)]
        self._colours = _thinned(np.concatenate(
            [frames[index][core(whole[index])] for index in (0, -1)]))
        others = _thinned(np.concatenate(
            [frames[index][~grown(whole[index], 1)] for index in (0, -1)]))
        self._others = others[nearest(others, self._colours) > ALIKE]
        self._table = _thinned(np.concatenate(
            [frames[0][case.start_table], frames[-1][case.end_table]]))
        self._window = _box(case.start_mask | end_mask, SEARCH_MARGIN_PX)

    def locate(self, picture: np.ndarray) -> Located:
        """Look for the thing in (H, W, 3) uint8 RGB.

        Every pixel is weighed: is it the thing, or what was seen behind the thing at this very
        place at any time of the drag, or another thing, or nothing we know?
        """
        lab = to_lab(picture)
        own, other = self._distances(lab)
        found = [self._best_shift(lab, other, look) for look in self._looks]
        look, (shift_px, _) = min(zip(self._looks, found), key=lambda pair: pair[1][1])
        whole_px = np.round(shift_px).astype(int)
        # Inside its outline the thing must look like itself, colour by colour: palettes are wide,
        # and a faded thing is full of colours that occur somewhere on it.
        outline = _moved(look.mask, whole_px)
        strict = np.where(outline, _distance_to_look(lab, look, whole_px), own)
        around = _moved(grown(look.mask, AREA_MARGIN_PX), whole_px)
        return Located(
            error_px=look.point_px + shift_px - self._looks[0].point_px,
            area_px=float(_thingness(strict, other)[around].sum()),
            left_share=self._left_share(lab, own, other))

    def _left_share(self, lab: np.ndarray, own: np.ndarray, other: np.ndarray) -> float:
        """How much of what the thing should have left still shows it.

        Nobody could see what is behind it there, so any colour of the table will do.
        """
        if not self._left.any():    # it stays
            return 0.0
        table = nearest(lab[self._left], self._table)
        other = np.minimum(other[self._left], table)
        return float(_thingness(own[self._left], other).mean())

    def _distances(self, lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (H, W) from the thing's colours and from all else, inside the window."""
        own, other = np.full(lab.shape[:2], np.inf), np.zeros(lab.shape[:2])
        seen = lab[self._window]
        flat = seen.reshape(-1, 3)
        own[self._window] = nearest(flat, self._colours).reshape(seen.shape[:2])
        behind = reduce(np.minimum, (
            np.linalg.norm(seen - plate[self._window], axis=-1) for plate in self._behind))
        if len(self._others):
            behind = np.minimum(behind, nearest(flat, self._others).reshape(seen.shape[:2]))
        other[self._window] = behind
        return own, other

    def _best_shift(
            self, lab: np.ndarray, other: np.ndarray, look: _Look) -> tuple[np.ndarray, float]:
        """The shift (x, y) of a look that explains the picture best, and its cost.

        Under the thing, pixels should look like it, one by one, and unlike what was seen behind it
        there; the cost says how much worse the first fits than the second.
        """
        rows, columns = np.nonzero(look.mask)
        colours = look.lab[rows, columns]
        unlike = np.minimum(other, DIFFERENT) ** 2

        def costs(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
            """(len(ys), len(xs)) of shifts."""
            y, x = ys[:, None, None] + rows, xs[:, None] + columns
            wrong = ((lab[y, x] - colours) ** 2).sum(-1)
            return (np.minimum(wrong, DIFFERENT ** 2) - unlike[y, x]).sum(-1)

        window_y, window_x = self._window
        xs = np.arange(window_x.start - columns.min(), window_x.stop - columns.max())
        ys = np.arange(window_y.start - rows.min(), window_y.stop - rows.max())
        coarse = costs(xs[::2], ys[::2])
        i, j = 2 * np.array(np.unravel_index(coarse.argmin(), coarse.shape))
        xs, ys = xs[max(j - 2, 0):j + 3], ys[max(i - 2, 0):i + 3]
        fine = costs(xs, ys)
        i, j = np.unravel_index(fine.argmin(), fine.shape)
        shift_px = np.array([
            xs[j] + vertex(fine[i, max(j - 1, 0):j + 2]),
            ys[i] + vertex(fine[max(i - 1, 0):i + 2, j])])
        return shift_px, float(fine[i, j])


def _thingness(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How surely a pixel shows the thing, 0 to 1, from its distances to the thing and to all else.

    Halfway between thing and table is one half. Were the power 1, noise would count too much; were
    it 2, a faint ghost too little: at 1.5, a ghost of about a quarter reaches the limit of a fifth.
    """
    weights = [1 / np.maximum(d, 1.0) ** 1.5 for d in (own, other, np.full_like(own, DIFFERENT))]
    share: np.ndarray = weights[0] / sum(weights)
    return share


def _distance_to_look(lab: np.ndarray, look: _Look, shift: np.ndarray) -> np.ndarray:
    """Distance (H, W) from the moved look, within a pixel: things move by fractions."""
    inner = core(look.mask)
    near = []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            step = shift + (dx, dy)
            colours = np.where(_moved(inner, step)[..., None], _moved(look.lab, step), np.inf)
            near.append(np.linalg.norm(lab - colours, axis=-1))
    return reduce(np.minimum, near)


def _moved(picture: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool or picture (H, W, 3) moved by whole pixels (x, y), zeros coming in."""
    matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
    size = (picture.shape[1], picture.shape[0])
    if picture.dtype != bool:
        return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_NEAREST)
    return cv2.warpAffine(picture.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0


def _thinned(colours: np.ndarray) -> np.ndarray:
    return colours[::max(1, len(colours) // N_COLOURS)]


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return (slice(max(rows[0] - margin, 0), min(rows[-1] + margin + 1, height)),
            slice(max(columns[0] - margin, 0), min(columns[-1] + margin + 1, width)))


def vertex(cost: np.ndarray) -> float:
    """Offset of the lowest point of the parabola through three costs; 0 at the search's edge."""
    if len(cost) < 3:
        return 0.0
    bend = cost[0] - 2 * cost[1] + cost[2]
    return float(0.5 * (cost[0] - cost[2]) / bend) if bend > 0 else 0.0
