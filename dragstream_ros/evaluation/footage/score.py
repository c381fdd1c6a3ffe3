"""How a predicted future compares with the one that came, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.evaluation.flow_warp import flow_warp_difference
from dragstream_ros.evaluation.metrics import MOVING_LEVELS, moving_pixels, psnr_db, ssim_map
from dragstream_ros.masks.track_points import track_through

LEAST_MOVING_PX = 20        # fewer say nothing
LEAST_STILL_SHARE = 0.05
STILL_MARGIN_PX = 3         # what is so near to motion is not background
LEAST_ASKED_PX = 3.0        # a shorter way is within what tracking errs


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number per picture of a prediction; title, unit and meaning are for people."""

    name: str
    title: str
    unit: str
    meaning: str
    higher_is_better: bool
    digits: int = 1


MEASURES = (
    Measure(name='psnr_db', title='PSNR', unit='dB', higher_is_better=True,
            meaning='likeness to what was recorded, all pixels'),
    Measure(name='moving_psnr_db', title='PSNR where it moves', unit='dB', higher_is_better=True,
            meaning=f'the same, of pixels that truly change by more than {MOVING_LEVELS} levels'),
    Measure(name='ssim', title='SSIM', unit='', higher_is_better=True, digits=3,
            meaning='likeness of structure, 1 is alike'),
    Measure(name='abs_difference', title='Mean difference', unit='levels', higher_is_better=False,
            meaning='mean absolute difference of 255 levels'),
    Measure(name='objmc_px', title='ObjMC', unit='px', higher_is_better=False,
            meaning='distance of the dragged point from its path, tracked in the prediction'),
    Measure(name='response', title='Moved / asked', unit='', higher_is_better=True, digits=2,
            meaning='how far along the asked way it came; 1 is all of it'),
    Measure(name='lost', title='Lost', unit='', higher_is_better=False, digits=2,
            meaning='share of dragged points that tracking lost; they count where last seen'),
    Measure(name='background', title='Background change', unit='levels', higher_is_better=False,
            meaning='mean change of pixels that in truth stay as they are'),
    Measure(name='flow_warp', title='Flow-warp difference', unit='levels', higher_is_better=False,
            meaning='mean change of what is seen, followed from picture to picture: flicker'),
    Measure(name='drift', title='Drift', unit='', higher_is_better=False, digits=2,
            meaning="distance of the latent statistics from the real pictures'"),
)
Scores = dict[str, list[float]]     # by measure: a number per picture, nan where there is none


class Scorer:
    """Scores predictions of one future.

    newest: (H, W, 3) uint8 RGB, the last real picture. future: (H, W, 3) each, None where none was
    recorded. ways_px: (handles, 1 + T, 2), where what is dragged was, and shall be at each picture.
    """

    def __init__(
        self, newest: np.ndarray, future: Sequence[np.ndarray | None], ways_px: np.ndarray
    ) -> None:
        self._newest, self._future, self._ways_px = newest, future, ways_px
        self._moving = [
            None if picture is None else moving_pixels(picture[None], newest)[0]
            for picture in future]
        self._still = _far_from_any(self._moving, newest.shape[:2])

    def score(self, predicted: np.ndarray) -> Scores:
        """Score (T, H, W, 3) uint8 RGB; all measures but drift, which only the model knows."""
        scores: Scores = {'psnr_db': [], 'moving_psnr_db': [], 'ssim': [], 'abs_difference': []}
        for picture, truth, moving in zip(predicted, self._future, self._moving):
            for name, value in _likeness(picture, truth, moving).items():
                scores[name].append(value)
        scores['background'] = self._background(predicted)
        scores['flow_warp'] = [
            flow_warp_difference(before, after)
            for before, after in zip([self._newest, *predicted], predicted)]
        scores.update(self._obedience(predicted))
        return scores

    def _background(self, predicted: np.ndarray) -> list[float]:
        if self._still.mean() < LEAST_STILL_SHARE:
            return [np.nan] * len(predicted)
        before = self._newest[self._still].astype(np.float64)
        return [float(np.abs(picture[self._still] - before).mean()) for picture in predicted]

    def _obedience(self, predicted: np.ndarray) -> Scores:
        """Mean distance from the path, share of the way and share of the lost, over the handles."""
        if not len(self._ways_px):
            return {name: [np.nan] * len(predicted) for name in ('objmc_px', 'response', 'lost')}
        ways = self._ways_px.swapaxes(0, 1)
        positions, found = track_through([self._newest, *predicted], ways[0])
        distances = np.linalg.norm(positions - ways, axis=-1)[1:]
        asked, moved = (ways - ways[0])[1:], (positions - positions[0])[1:]
        squares = (asked ** 2).sum(-1)
        is_long = squares >= LEAST_ASKED_PX ** 2
        shares = np.where(is_long, (asked * moved).sum(-1) / np.where(is_long, squares, 1), np.nan)
        return {
            'objmc_px': distances.mean(axis=1).tolist(),
            'response': [_mean(row) for row in shares],
            'lost': (1.0 - found[1:].mean(axis=1)).tolist()}


def _likeness(
    picture: np.ndarray, truth: np.ndarray | None, moving: np.ndarray | None
) -> dict[str, float]:
    if truth is None or moving is None:
        return dict.fromkeys(('psnr_db', 'moving_psnr_db', 'ssim', 'abs_difference'), np.nan)
    enough = moving.sum() >= LEAST_MOVING_PX
    return {
        'psnr_db': psnr_db(picture, truth),
        'moving_psnr_db': psnr_db(picture, truth, moving) if enough else np.nan,
        'ssim': float(ssim_map(picture, truth).mean()),
        'abs_difference': float(np.abs(picture.astype(np.float64) - truth).mean())}


def _far_from_any(moving: Sequence[np.ndarray | None], shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: where nothing moves in any picture, nor near by."""
    ever = np.zeros(shape, np.uint8)
    for where in moving:
        if where is not None:
            ever |= where.astype(np.uint8)
    side = 2 * STILL_MARGIN_PX + 1
    return cv2.dilate(ever, np.ones((side, side), np.uint8)) == 0


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
