"""A training's curves as a table and as a picture."""
from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dragstream_ros.evaluation.drawing import ACCENTS, INK, LINE, MUTED, Box, blank, draw_text
from dragstream_ros.training.pictures import write_png
from dragstream_ros.whole_file import whole_file

Row = dict[str, float]      # step, secs, and the means of what is shown

PANEL = Box(x=80, y=40, width=560, height=160)
COLUMN_PX, ROW_PX = 680, 240
USUAL = (2.0, 98.0)         # percentiles: the first values are far off and would flatten the rest


def write_curves(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows to ``path``, a CSV file, and a picture of them beside it; nothing of none."""
    if not rows:
        return
    with whole_file(path) as partial, partial.open('w', newline='') as file:
        table = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        table.writeheader()
        table.writerows(rows)
    write_png(path.with_suffix('.png'), draw_curves(rows))


def draw_curves(rows: Sequence[Row]) -> np.ndarray:
    """Draw a panel over the minutes for every column, (H, W, 3) uint8 RGB."""
    names = [name for name in dict.fromkeys(key for row in rows for key in row)
             if name not in ('step', 'secs')]
    sheet = blank(COLUMN_PX, ROW_PX * len(names) + 20)
    minutes = np.array([row['secs'] for row in rows]) / 60
    for index, name in enumerate(names):
        values = np.array([row.get(name, np.nan) for row in rows])
        panel = sheet[ROW_PX * index:ROW_PX * (index + 1)]
        _draw_panel(panel, name, minutes, values)
    draw_text(sheet, f'minutes; {rows[-1]["step"]} steps', PANEL.right, len(sheet) - 12,
              colour=MUTED, align='right')
    return sheet


def _draw_panel(panel: np.ndarray, name: str, minutes: np.ndarray, values: np.ndarray) -> None:
    draw_text(panel, name, PANEL.x, PANEL.y - 12, bold=True)
    known = np.isfinite(values)
    if not known.any():
        return
    minutes, values = minutes[known], values[known]
    draw_text(panel, f'{values[-1]:.4g}', PANEL.right, PANEL.y - 12, colour=INK, align='right')
    low, high = np.percentile(values, USUAL)
    share = np.stack([minutes / max(minutes[-1], 1e-9),
                      (high - values).clip(0, high - low) / max(high - low, 1e-9)], -1)
    points = share * (PANEL.width, PANEL.height) + (PANEL.x, PANEL.y)
    for value, y in ((high, PANEL.y), (low, PANEL.bottom)):
        cv2.line(panel, (PANEL.x, y), (PANEL.right, y), LINE, 1)
        draw_text(panel, f'{value:.4g}', PANEL.x - 8, y + 5, colour=MUTED, align='right')
    for minute, x, align in ((0.0, PANEL.x, 'left'), (minutes[-1], PANEL.right, 'right')):
        draw_text(panel, f'{minute:.3g}', x, PANEL.bottom + 18, colour=MUTED, align=align)
    cv2.polylines(panel, [np.rint(points * 16).astype(np.int32)], False, ACCENTS['conditioned'], 2,
                  cv2.LINE_AA, shift=4)
