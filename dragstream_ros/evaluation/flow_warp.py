"""Flow-warp difference: does a video flicker along its own motion? (Lai et al. 2018)"""

from __future__ import annotations

import numpy as np

from dragstream_ros.evaluation.dense_flow import dense_flow, look_along

AGREE_PX = 0.5          # both directions of flow, and more for long ways:
AGREE_SHARE = 0.1
LEAST_AGREEING = 0.05   # of the pixels; fewer say nothing


def flow_warp_difference(before: np.ndarray, after: np.ndarray) -> float:
    """Mean change, in levels of 255, of what a picture shows to the next, followed where it goes.

    before, after: (H, W, 3) uint8 RGB, neighbours of a video. Where the flows forth and back do not
    agree, something was covered or uncovered, and is left out; nan where that is all. A held
    picture gives 0, and so does one that moves perfectly: it says nothing of whether it should.
    """
    # Coarse is enough: where it errs, both directions do not agree.
    back, forth = (dense_flow(*pair, is_fine=False)
                   for pair in ((after, before), (before, after)))
    apart_px = np.linalg.norm(back + look_along(forth, back), axis=-1)
    agree = apart_px < AGREE_PX + AGREE_SHARE * np.linalg.norm(back, axis=-1)
    if agree.mean() < LEAST_AGREEING:
        return float('nan')
    carried = look_along(before.astype(np.float32), back)
    return float(np.abs(after[agree] - carried[agree]).mean())
