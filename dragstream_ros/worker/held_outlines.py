"""Where the outlines of what is held are in each predicted frame, for whoever draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.masks.outline import outline_of

if TYPE_CHECKING:  # it would bring torch, which a world model need not use
    from dragstream_ros.core.stream import PredictedChunk


def held_outlines(predicted: PredictedChunk, letterbox: Letterbox) -> list[list[np.ndarray]]:
    """Per frame and handle (P, 2) float32, the corners in the content's pixels; moved as asked.

    No corners where it is not known what is held.
    """
    outlines = [
        np.zeros((0, 2)) if region is None or not region.any() else np.array(outline_of(region))
        for region in predicted.regions]
    return [
        [letterbox.target_to_content(pose.apply(outline)).astype(np.float32)
         for pose, outline in zip(poses, outlines, strict=True)]
        for poses in predicted.poses]
