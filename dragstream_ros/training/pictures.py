"""A sheet of what a training makes by now: a few fixed clips, a strip of pictures for each row."""
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from dragstream_ros.evaluation.drawing import Box, blank, draw_text_upwards, paste
from dragstream_ros.whole_file import whole_file

Strips = dict[str, torch.Tensor]    # by what they show, (clips, pictures, 3, H, W) in 0..1

SIDE, GAP, LABEL, MARGIN = 112, 3, 22, 14


def write_pictures(path: Path, strips: Strips) -> None:
    """Write the sheet as a PNG file."""
    write_png(path, draw_strips(strips))


def draw_strips(strips: Strips) -> np.ndarray:
    """Draw (H, W, 3) uint8 RGB: clip below clip, of each its strips, time to the right."""
    clips, length = next(iter(strips.values())).shape[:2]
    height = len(strips) * (SIDE + GAP) + MARGIN
    sheet = blank(2 * MARGIN + LABEL + length * (SIDE + GAP), MARGIN + clips * height)
    for clip in range(clips):
        for row, (name, pictures) in enumerate(strips.items()):
            y = MARGIN + clip * height + row * (SIDE + GAP)
            draw_text_upwards(sheet, name, Box(MARGIN, y, LABEL, SIDE))
            shown = (pictures[clip].float().clamp(0, 1) * 255).byte().cpu().permute(0, 2, 3, 1)
            for column, picture in enumerate(shown.numpy()):
                paste(sheet, picture, Box(MARGIN + LABEL + column * (SIDE + GAP), y, SIDE, SIDE))
    return sheet


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB; in memory first, since OpenCV does not tell of a full disk."""
    data = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    with whole_file(path) as partial:
        partial.write_bytes(data)
