"""One picture per benchmarked drag: what really happened above what each system predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from dragstream_ros.evaluation.drag_benchmark import DragResult
from dragstream_ros.evaluation.drag_grid import DragGrid
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

SIDE = 192
GAP = 4
LABEL = 28
TITLE = 40
SHOWN = (1, 3, 5, 7, 9)     # of the second's ten frames; an edit has one


class DragPictures:
    """Called with each result: says how it went and, with a folder, writes its picture there,
    and grid.png of a drag of each class.

    Rings in a picture: where the drag wants the handle point at that moment.
    """

    def __init__(self, folder: Path | None, out: TextIO) -> None:
        self._folder = folder
        self._out = out
        self._grid = None if folder is None else DragGrid(folder)
        self._count = 0

    def __call__(self, result: DragResult) -> None:
        self._count += 1
        verdicts = ', '.join(
            f'{name} {"yes" if score.succeeded else "no"}' for name, score in result.scores.items())
        print(f'{self._count:3} {result.case.name:42} {result.case.length_px:4.0f} px: {verdicts}',
              file=self._out, flush=True)
        if self._folder is None or self._grid is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        name = result.case.name.replace('/', '_')
        picture = draw_drag(result)
        self._grid(result)
        cv2.imwrite(str(self._folder / f'{self._count:02}_{name}.png'), picture[..., ::-1])


def draw_drag(result: DragResult) -> np.ndarray:
    """Draw (H, W, 3) uint8 RGB: a row for the truth and each system, frames from left to right."""
    case = result.case
    paths_px = [one.path_px for one in (case, case.partner) if one is not None]
    size = (case.past.shape[2], case.past.shape[1])
    width = LABEL + (1 + len(SHOWN)) * (SIDE + GAP)
    sheet = blank(width, TITLE + len(result.frames) * (SIDE + GAP))
    draw_text(sheet, f'{case.name}, {case.length_px:.0f} px', GAP, 26, height_px=13, bold=True)
    for row, (name, frames) in enumerate(result.frames.items()):
        y = TITLE + row * (SIDE + GAP)
        draw_text_upwards(sheet, name, Box(0, y, LABEL, SIDE), height_px=11)
        first = Box(LABEL, y, SIDE, SIDE)
        if row == 0:
            paste(sheet, case.past[-1], first)
            for path_px in paths_px:
                draw_path(sheet, in_box(shares(path_px, size), first))
        else:
            _write_score(sheet, first, result, name)
        shown = [index for index in SHOWN if index < len(frames)] or [0]
        for column, index in enumerate(shown, 1):
            box = Box(LABEL + column * (SIDE + GAP), y, SIDE, SIDE)
            paste(sheet, frames[index], box)
            for path_px in paths_px:
                draw_ring(sheet, in_box(shares(path_px[index + 1], size), box), 6)
    return sheet


def _write_score(sheet: np.ndarray, box: Box, result: DragResult, name: str) -> None:
    score = result.scores[name]
    lines = (
        'success' if score.succeeded else 'failed',
        f'{"  " if score.arrived else "! "}off by {score.error_px:.1f} px',
        f'{"  " if score.left_source else "! "}left behind {100 * score.left_share:.0f} %',
        f'{"  " if score.kept_area else "! "}area {100 * score.area_ratio:.0f} %',
        f'  moved {score.moved_share:.2f} of it',
        f'  {score.psnr_db:.1f} dB, moving {score.moving_psnr_db:.1f}')
    for number, line in enumerate(lines):
        draw_text(sheet, line, box.x + 6, box.y + 24 + 26 * number, height_px=10,
                  bold=number == 0)
