"""The grid of planned scenes: start, goal, and how each way to decide ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from dragstream_ros.evaluation.drawing import Box, blank, draw_text, paste
from dragstream_ros.evaluation.picture_files import write_picture
from dragstream_ros.evaluation.plan_benchmark import PlanResult

SIDE, GAP, TITLE = 128, 4, 22
ROWS = 8


class PlanPictures:
    """Called with each result, again when it has grown: says how it went.

    The first ROWS make the grid, written each time. path: of the picture; None: none.
    """

    def __init__(self, path: Path | None, out: TextIO) -> None:
        self._path, self._out = path, out
        self._results: dict[str, PlanResult] = {}

    def __call__(self, result: PlanResult) -> None:
        ends = ', '.join(f'{name} {px:.1f}' for name, px in result.distance_px.items())
        print(f'{result.name:24} {ends} px; {sum(result.cpu_secs.values()):.0f} CPU s',
              file=self._out, flush=True)
        if self._path is None or len(self._results) >= ROWS and result.name not in self._results:
            return
        self._results[result.name] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(self._path, draw_plans(list(self._results.values())))


def draw_plans(results: Sequence[PlanResult]) -> np.ndarray:
    """Draw (H, W, 3) uint8 RGB: a row for each scene, a column for each way to decide.

    Ways that were tried in all of them; before the end of one that predicts, what it foresaw.
    """
    every = [_pictures(result) for result in results]
    labels = [label for label, _ in every[0] if all(label in dict(each) for each in every)]
    rows = [[each for each in pictures if each[0] in labels] for pictures in every]
    sheet = blank(GAP + len(labels) * (SIDE + GAP), TITLE + len(rows) * (SIDE + GAP + TITLE))
    for column, label in enumerate(labels):
        draw_text(sheet, label, GAP + column * (SIDE + GAP), 16, height_px=8, bold=True)
    for row, (result, pictures) in enumerate(zip(results, rows)):
        y = TITLE + row * (SIDE + GAP + TITLE)
        for column, (label, picture) in enumerate(pictures):
            x = GAP + column * (SIDE + GAP)
            paste(sheet, picture, Box(x, y, SIDE, SIDE))
            if label in result.distance_px:
                draw_text(sheet, f'{result.distance_px[label]:.1f} px', x, y + SIDE + 16,
                          height_px=8)
    return sheet


def _pictures(result: PlanResult) -> list[tuple[str, np.ndarray]]:
    pictures = [('start', result.start), ('goal', result.goal)]
    for label, picture in result.ended.items():
        if label in result.foreseen and not label.startswith('simulator'):
            pictures.append((f'foreseen {label.split("_")[-1]}', result.foreseen[label]))
        pictures.append((label, picture))
    return pictures
