"""The simplest answer to a drag: cut the thing out, paste it along the path, fill the hole."""

from __future__ import annotations

import numpy as np
import torch

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.core.held import Held, with_regions
from dragstream_ros.evaluation.paint_over import paint_over
from dragstream_ros.masks.touched_region import touched_region


def paste_along(picture: np.ndarray, command: DragCommand, count: int) -> np.ndarray:
    """(count, H, W, 3) uint8 RGB, evenly spread over the command's duration.

    picture: (H, W, 3) uint8 RGB, of command time.  The region is found as for every other system.
    """
    times_secs = np.linspace(0.0, command.duration_secs, count + 1)
    held = Held.of(with_regions(command, picture, touched_region), picture, times_secs)
    without = paint_over(picture, held.masks.any(0).numpy())
    frames = torch.from_numpy(without).permute(2, 0, 1).float().expand(count, -1, -1, -1) / 255
    pasted, _ = held.put(frames)
    return (255 * pasted.permute(0, 2, 3, 1)).round().to(torch.uint8).numpy()
