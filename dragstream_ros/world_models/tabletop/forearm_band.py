"""An arm's forearm as a band: straight, and as wide at its end as it is from the rim on."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_SLICES = 3        # across a forearm, to know its direction
WIDER = 1.25            # than before: there the hand begins
LATEST = 12             # slices that say where the next one is, and how wide it is at its end
SOFT_PX = 0.75          # its edge, beyond half its width
GAP = 0.6               # of its width, that a ring around a forearm is long at most
CORE = 0.3              # of its width, beside its middle, which tells how far it goes on


@dataclass(frozen=True, eq=False)
class ForearmBand:
    """far, aside: (H, W) px, how far along it from the rim that it comes in over, and from its
    middle, a place is.

    width: px. begins: how far along it is seen to be no wider.
    """

    far: np.ndarray
    aside: np.ndarray
    width: float
    begins: float

    @classmethod
    def of(cls, arm: np.ndarray, grabbed_px: np.ndarray) -> ForearmBand | None:
        """Of an arm (H, W) bool; None where its direction is not to be told.

        grabbed_px: (2,), (x, y), of its hand, far from where it comes in.
        """
        rim = _rim(arm, grabbed_px)
        if rim is None:
            return None
        depth, along = rim
        table = np.zeros((int(depth.max()) + 1, int(along.max()) + 1), bool)
        table[depth[arm], along[arm]] = True
        middles, widths = _slices(table)
        if len(middles) < LEAST_SLICES:
            return None
        slope, start = np.polyfit(np.arange(len(middles)), middles, 1)
        norm = float(np.hypot(1, slope))
        far = (depth + slope * (along - start)) / norm
        aside = (along - start - slope * depth) / norm
        # It comes from above, and is wider at the rim.
        width = float(np.median(widths[-LATEST:])) / norm
        return cls(far, aside, width, float(far[arm & (depth < len(middles))].max()))

    def inside(self, end: float) -> np.ndarray:
        """Where it is, up to a distance along it, (H, W) bool."""
        return (np.abs(self.aside) <= self.width / 2 + SOFT_PX) & (self.far <= end)

    def away(self, far: float) -> np.ndarray:
        """From the point of its middle that is so far along it, (H, W) px."""
        return np.hypot(self.aside, self.far - far)

    def point(self, far: float) -> np.ndarray:
        """That point, to a pixel: (2,), (x, y)."""
        away = self.away(far)
        y, x = np.unravel_index(int(away.argmin()), away.shape)
        return np.array([x, y], float)

    def end(self, arm: np.ndarray, is_alike: np.ndarray) -> float:
        """How far along it an arm is its forearm; is_alike: what looks so, (H, W) bool both."""
        middle = arm & (np.abs(self.aside) <= CORE * self.width)
        end = at = self.begins
        while at - end <= GAP * self.width:
            at += 1
            across = middle & (np.abs(self.far - at) <= 0.6)
            if not across.any():
                break
            if is_alike[across].mean() > 0.5:
                end = at
        return end


def _rim(arm: np.ndarray, grabbed_px: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The distance (H, W) px from the rim that an arm comes in over, and the place beside that.

    It is the farthest that it touches.
    """
    y, x = np.meshgrid(*map(np.arange, arm.shape), indexing='ij')
    found, farthest_px = None, -1.0
    for depth, along in ((x, y), (x.max() - x, y), (y, x), (y.max() - y, x)):
        touching = arm & (depth == 0)
        if touching.any():
            middle_px = np.array([x[touching].mean(), y[touching].mean()])
            away_px = float(np.linalg.norm(middle_px - grabbed_px))
            if away_px > farthest_px:
                found, farthest_px = (depth, along), away_px
    return found


def _slices(table: np.ndarray) -> tuple[list[float], list[int]]:
    """Middles and widths of a band in a table (depth, along) bool, from its rim to its hand."""
    middles: list[float] = []
    widths: list[int] = []
    expected = float(np.flatnonzero(table[0]).mean())
    for row in table:
        at = round(expected)
        if not (0 <= at < len(row) and row[at]):
            break
        gaps = np.flatnonzero(~row)
        first = int(gaps[gaps < at].max(initial=-1)) + 1
        last = int(gaps[gaps > at].min(initial=len(row))) - 1
        width = last - first + 1
        if len(widths) > 3 and width > WIDER * np.median(widths) + 1:
            break
        middles.append((first + last) / 2)
        widths.append(width)
        expected = middles[-1]
        if len(middles) > 3:
            latest = middles[-LATEST:]
            slope, start = np.polyfit(np.arange(len(latest)), latest, 1)
            expected = float(start + slope * len(latest))
    return middles, widths
