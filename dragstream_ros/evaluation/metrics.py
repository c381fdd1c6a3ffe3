"""Numbers that sum up measurements: differences of pictures, medians and slopes with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

MOVING_LEVELS = 16      # of 256, in any channel: camera noise and shading are below
N_RESAMPLES = 2000
Z_95 = 1.96
SSIM_WINDOW_PX, SSIM_SIGMA_PX = 11, 1.5     # these four as its authors have them
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def psnr_db(picture: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio of uint8 pictures (..., 3); nan if ``where`` (...) is all False.

    Identical pictures give that of an error of half a level in one of a hundred values.
    """
    square = (picture.astype(np.float64) - truth) ** 2
    if where is not None:
        if not where.any():
            return float('nan')
        square = square[where]
    return float(10 * np.log10(255 ** 2 / max(square.mean(), 0.0025)))


def ssim_map(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity around each pixel (H, W), 1 where alike, of (H, W, 3) uint8 pictures.

    Wang et al. 2004; the mean of the three channels.
    """
    def blurred(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (SSIM_WINDOW_PX, SSIM_WINDOW_PX), SSIM_SIGMA_PX,
                                borderType=cv2.BORDER_REFLECT)

    a, b = picture.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = blurred(a), blurred(b)
    variances = blurred(a * a) - mean_a ** 2 + blurred(b * b) - mean_b ** 2
    covariance = blurred(a * b) - mean_a * mean_b
    likeness = ((2 * mean_a * mean_b + SSIM_C1) * (2 * covariance + SSIM_C2)
                / ((mean_a ** 2 + mean_b ** 2 + SSIM_C1) * (variances + SSIM_C2)))
    return np.asarray(likeness.mean(-1))


def gradient_energy(picture: np.ndarray) -> np.ndarray:
    """How steep (H, W, 3) uint8 is at each pixel (H, W): squared steps to the next, right and down.

    The last row and column, which have no next, are 0 in that direction. Blur takes it away.
    """
    steps = (np.diff(picture.astype(np.float64), axis=axis) ** 2 for axis in (0, 1))
    down, right = (step.sum(-1) for step in steps)
    return np.asarray(np.pad(down, ((0, 1), (0, 0))) + np.pad(right, ((0, 0), (0, 1))))


def moving_pixels(future: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Which pixels (T, H, W) of (T, H, W, 3) uint8 differ visibly from the start (H, W, 3)."""
    difference = np.abs(future.astype(np.int16) - start)
    moving: np.ndarray = (difference > MOVING_LEVELS).any(-1)
    return moving


def median_with_interval(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """Median, with a bootstrap interval."""
    return _with_interval(np.median, values, seed)


def mean_with_interval(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """Mean, with a bootstrap interval."""
    return _with_interval(np.mean, values, seed)


def share_with_interval(successes: int, n: int) -> Estimate:
    """Share of successes, with Wilson's interval."""
    share = successes / n
    centre = (share + Z_95 ** 2 / (2 * n)) / (1 + Z_95 ** 2 / n)
    half = Z_95 / (1 + Z_95 ** 2 / n) * np.sqrt(share * (1 - share) / n + Z_95 ** 2 / (4 * n ** 2))
    # Rounding may leave a trifle outside.
    return Estimate(share, float(max(centre - half, 0.0)), float(min(centre + half, 1.0)))


def slope_with_interval(values: Sequence[float]) -> Estimate:
    """Change per item of a sequence, by Theil and Sen: outliers, as when others use the machine,
    do not matter.

    The interval is that of the slopes of resampled blocks of a tenth of the sequence, since
    neighbours are alike (a busy minute, memory that is taken in steps).
    """
    y = np.asarray(values, np.float64)
    x = np.arange(len(y))
    block = max(1, len(y) // 10)
    generator = np.random.default_rng(0)
    slopes = []
    line = _slope(x, y)
    rest = y - line * x
    for _ in range(200):
        starts = generator.integers(len(y) - block + 1, size=-(-len(y) // block))
        shuffled = np.concatenate([rest[start:start + block] for start in starts])[:len(y)]
        slopes.append(_slope(x, line * x + shuffled))
    low, high = np.percentile(slopes, [2.5, 97.5])
    return Estimate(line, float(low), float(high))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    p50, p95 = np.percentile(values, [50, 95])
    return {'p50': float(p50), 'p95': float(p95), 'max': float(np.max(values))}


def _with_interval(
        statistic: Callable[..., Any], values: Sequence[float], seed: int) -> Estimate:
    sample = np.asarray(values, np.float64)
    which = np.random.default_rng(seed).integers(len(sample), size=(N_RESAMPLES, len(sample)))
    low, high = np.percentile(statistic(sample[which], axis=1), [2.5, 97.5])
    return Estimate(float(statistic(sample)), float(low), float(high))


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Median of the slopes between each item and the one half the sequence later."""
    half = len(x) // 2
    return float(np.median((y[-half:] - y[:half]) / (x[-half:] - x[:half])))
