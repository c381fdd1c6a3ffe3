"""One sheet of benchmarked scenes: what really happened above what the model predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from dragstream_ros.evaluation.drawing import (
    MUTED,
    Box,
    blank,
    draw_path,
    draw_text,
    draw_text_upwards,
    in_box,
    paste,
    shares,
)
from dragstream_ros.evaluation.held_out_scenes import frame_index
from dragstream_ros.evaluation.model_benchmark import SceneResult
from dragstream_ros.evaluation.picture_files import write_picture

SCENES = 6
SCENES_ACROSS = 2
SHOWN_SECS = (0.5, 1.0, 2.0)    # beside the last real frame
ROWS = ('truth', 'undragged', 'conditioned')
SIDE = 160
GAP = 4
LABEL = 24
CAPTION = 30
MARGIN = 16


class ModelPictures:
    """Called with each result: says how it went and, with a folder, writes model.png there.

    The sheet shows the first SCENES scenes, and is there as soon as one is.
    """

    def __init__(self, folder: Path | None, out: TextIO) -> None:
        self._folder = folder
        self._out = out
        self._count = 0
        self._drawn: list[np.ndarray] = []

    def __call__(self, result: SceneResult) -> None:
        self._count += 1
        said = ', '.join(
            f'{name} {judged[-1]["all"].psnr_db:.1f} dB'
            for name, judged in result.score.quality.items())
        print(f'{self._count:3} {result.scene.seed}: {said}', file=self._out, flush=True)
        if self._folder is None or len(self._drawn) == SCENES:
            return
        self._drawn.append(draw_scene(result))
        self._folder.mkdir(parents=True, exist_ok=True)
        write_picture(self._folder / 'model.png', draw_sheet(self._drawn))


def draw_sheet(scenes: Sequence[np.ndarray]) -> np.ndarray:
    """Draw (H, W, 3) uint8 RGB: scenes, all of one size, side by side and below each other."""
    height, width = scenes[0].shape[:2]
    across = min(SCENES_ACROSS, len(scenes))
    down = -(-len(scenes) // across)
    sheet = blank(MARGIN + across * (width + MARGIN), MARGIN + down * (height + MARGIN))
    for index, scene in enumerate(scenes):
        row, column = divmod(index, across)
        paste(sheet, scene, Box(MARGIN + column * (width + MARGIN),
                                MARGIN + row * (height + MARGIN), width, height))
    return sheet


def draw_scene(result: SceneResult) -> np.ndarray:
    """Draw (H, W, 3) uint8 RGB: a row for the truth and each prediction, time to the right.

    The last real frame shows the ways of the palms, which 'conditioned' is told.
    """
    scene = result.scene
    size = (scene.past.shape[2], scene.past.shape[1])
    rows = {'truth': scene.future, **result.frames}
    sheet = blank(LABEL + (1 + len(SHOWN_SECS)) * (SIDE + GAP) - GAP,
                  CAPTION + len(ROWS) * (SIDE + GAP) - GAP)
    for column, secs in enumerate((0.0, *SHOWN_SECS)):
        said = f'{scene.seed}, last real frame' if column == 0 else f'+{secs:g} s'
        draw_text(sheet, said, _tile(0, column).x, CAPTION - 9, height_px=10, colour=MUTED)
    for row, name in enumerate(ROWS):
        first = _tile(row, 0)
        draw_text_upwards(sheet, name, Box(0, first.y, LABEL, SIDE), height_px=10)
        paste(sheet, scene.past[-1], first)
        for column, secs in enumerate(SHOWN_SECS, 1):
            index = frame_index(secs)
            if index < len(rows[name]):
                paste(sheet, rows[name][index], _tile(row, column))
    for path_px in scene.palms_px:
        box = _tile(ROWS.index('conditioned'), 0)
        draw_path(sheet, in_box(shares(path_px, size), box), width_px=1.5)
    return sheet


def _tile(row: int, column: int) -> Box:
    return Box(LABEL + column * (SIDE + GAP), CAPTION + row * (SIDE + GAP), SIDE, SIDE)
