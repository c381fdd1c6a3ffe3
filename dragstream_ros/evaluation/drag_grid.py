"""One picture of the benchmark: the same drag of each class, as every system ends it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dragstream_ros.evaluation.drag_benchmark import DragResult
from dragstream_ros.evaluation.drawing import (
    Box,
    blank,
    draw_path,
    draw_ring,
    draw_text,
    draw_text_upwards,
    in_box,
    paste,
    shares,
)
from dragstream_ros.evaluation.picture_files import write_picture

SIDE = 160
GAP = 4
LABEL = 24
TITLE = 24
NAME = 'grid.png'


class DragGrid:
    """Called with each result; draws the first of each class, and is there as soon as one is.

    Rows: what was seen with the drag, what truly came, and each system's last frame, with a ring
    where the handle should be.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._columns: dict[str, np.ndarray] = {}

    def __call__(self, result: DragResult) -> None:
        if result.case.drag_class not in self._columns:
            self._columns[result.case.drag_class] = draw_column(result)
            names = ['seen', *result.frames]
            write_picture(self._path, np.hstack([_labels(names), *self._columns.values()]))


def draw_column(result: DragResult) -> np.ndarray:
    """Draw (H, SIDE + GAP, 3) uint8 RGB: one drag, from top to bottom as every system ends it."""
    case = result.case
    paths_px = [one.path_px for one in (case, case.partner) if one is not None]
    size = (case.past.shape[2], case.past.shape[1])
    shown = [case.past[-1], *(frames[-1] for frames in result.frames.values())]
    column = blank(SIDE + GAP, TITLE + len(shown) * (SIDE + GAP))
    draw_text(column, case.drag_class, SIDE / 2, 17, align='centre', bold=True)
    for row, picture in enumerate(shown):
        box = Box(0, TITLE + row * (SIDE + GAP), SIDE, SIDE)
        paste(column, picture, box)
        for path_px in paths_px:
            way = in_box(shares(path_px, size), box)
            if row == 0:
                draw_path(column, way)
            else:
                draw_ring(column, way[-1], 5)
    return column


def _labels(names: list[str]) -> np.ndarray:
    column = blank(LABEL, TITLE + len(names) * (SIDE + GAP))
    for row, name in enumerate(names):
        box = Box(0, TITLE + row * (SIDE + GAP), LABEL, SIDE)
        draw_text_upwards(column, name, box, height_px=10)
    return column
