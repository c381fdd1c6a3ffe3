"""Did a drag move what it should? The measure of success of a predicted second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.drag_metrics import (
    background_psnr_db,
    dragging_accuracy_index,
    flicker,
    object_motion_error_px,
)
from dragstream_ros.evaluation.metrics import moving_pixels, psnr_db
from dragstream_ros.evaluation.thing_locator import ThingLocator

LEAST_TOLERANCE_PX = 2.0
TOLERANCE_SHARE = 0.25      # of the drag's length
MOST_LEFT_SHARE = 0.2
AREA_TOLERANCE = 0.3
DAI_RADII_PX = (1, 3, 5)


@dataclass(frozen=True, kw_only=True)
class DragScore:
    """How a predicted second ended; of two things that were dragged at once, the worse one.

    So of a lid or a link and the rest of its thing, which should stay where it is.

    length_px: of the drag, from handle point to its end. error_px: distance of the thing from where
    it truly is at the end. moved_share: how far along the drag it came, 1 where it should be.
    left_share: of the pixels it should have left, how much still shows it. area_ratio: its area
    over its true area, both measured alike. psnr_db, moving_psnr_db: of the second's frames, all
    pixels and those that truly change. flow_warp: flicker, see flow_warp.py; nan for one frame
    alone. The rest as in drag_metrics: background_psnr_db; objmc_px,
    and whether the point was lost; dai, for each of DAI_RADII_PX.
    """

    length_px: float
    error_px: float
    moved_share: float
    left_share: float
    area_ratio: float
    psnr_db: float
    moving_psnr_db: float
    background_psnr_db: float
    flow_warp: float
    objmc_px: float
    is_lost: bool
    dai: tuple[float, ...]

    @property
    def arrived(self) -> bool:
        """The end point is within 2 px, or a quarter of the length where that is more."""
        return self.error_px <= max(LEAST_TOLERANCE_PX, TOLERANCE_SHARE * self.length_px)

    @property
    def left_source(self) -> bool:
        """At most a fifth of what should be gone is still there."""
        return self.left_share <= MOST_LEFT_SHARE

    @property
    def kept_area(self) -> bool:
        """Its area is within 30 % of the truth."""
        return abs(self.area_ratio - 1) <= AREA_TOLERANCE

    @property
    def succeeded(self) -> bool:
        """All three."""
        return self.arrived and self.left_source and self.kept_area


class DragScorer:
    """Scores pictures of the future of one drag against what really happened."""

    def __init__(self, case: DragCase) -> None:
        self._case = case
        self._others = [DragScorer(other) for other in (case.partner, case.rest) if other]
        self._locator = ThingLocator(case)
        self._true_area_px = self._locator.locate(case.future[-1]).area_px
        self._moving = moving_pixels(case.future, case.past[-1])

    def score(self, frames: np.ndarray) -> DragScore:
        """Score (T, H, W, 3) uint8 RGB, the predicted future."""
        scores = [self._score(frames), *(other.score(frames) for other in self._others)]
        return max(scores, key=lambda score: (not score.succeeded, score.error_px))

    def _score(self, frames: np.ndarray) -> DragScore:
        located = self._locator.locate(frames[-1])
        way = self._case.path_px[-1] - self._case.path_px[0]
        objmc_px, is_lost = object_motion_error_px(frames, self._case)
        return DragScore(
            length_px=self._case.length_px,
            error_px=float(np.linalg.norm(located.error_px)),
            moved_share=1 + float(located.error_px @ way / max(way @ way, 1e-6)),
            left_share=located.left_share,
            area_ratio=located.area_px / self._true_area_px,
            psnr_db=psnr_db(frames, self._case.future),
            moving_psnr_db=psnr_db(frames, self._case.future, self._moving),
            background_psnr_db=background_psnr_db(frames, self._case),
            flow_warp=flicker(frames, self._case),
            objmc_px=objmc_px, is_lost=is_lost,
            dai=tuple(dragging_accuracy_index(frames, self._case, radius_px)
                      for radius_px in DAI_RADII_PX))

    def locator_error_px(self) -> float:
        """How far off the locator is in a true frame half-way, whose handle point is known.

        nan for an edit, which has no way.
        """
        if self._case.is_edit:
            return float('nan')
        index = len(self._case.future) // 2
        located = self._locator.locate(self._case.future[index])
        truth = self._case.path_px[index + 1] - self._case.path_px[-1]
        return float(np.linalg.norm(located.error_px - truth))
