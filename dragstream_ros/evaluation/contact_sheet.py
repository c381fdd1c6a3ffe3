"""The contact sheet: a drag on a camera frame, what was predicted, what really happened next.

Each example is a band of two rows: at the left the camera frame with the drag and, under it, what
there is to say; then one column per moment, the predicted frame above the real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.evaluation.drawing import (
    ACCENTS,
    INK,
    LINE,
    MUTED,
    Box,
    blank,
    draw_path,
    draw_target,
    draw_text,
    draw_text_upwards,
    fitted,
    in_box,
    paste,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One drag and its prediction; pictures are (H, W, 3) uint8 RGB of any size.

    title: how the drag acted. notes: up to three short lines. camera: the frame dragged on.
    paths: per handle (N, 2), as a share (0 to 1) of the picture's width and height.
    predicted, happened: one per column, None where there is nothing to show.
    targets: (handles, columns, 2), where the drag wants its handles; shares, as paths.
    """

    title: str
    notes: Sequence[str]
    camera: np.ndarray
    paths: Sequence[np.ndarray]
    predicted: Sequence[np.ndarray | None]
    happened: Sequence[np.ndarray | None]
    targets: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SheetLayout:
    """Where everything is, px."""

    tile_width: int = 256
    tile_height: int = 256
    n_columns: int = 5
    n_bands: int = 4
    margin: int = 36
    gap: int = 6
    camera_scale: float = 1.35
    notes_height: int = 128
    label_width: int = 44
    band_gap: int = 34
    header_height: int = 132
    footer_height: int = 64

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the sheet."""
        right = self.tile(0, 0, self.n_columns - 1).right
        return right + self.margin, self._top(self.n_bands) - self.band_gap + self.footer_height

    def camera(self, band: int) -> Box:
        """The camera frame of a band, larger than a tile."""
        width = round(self.camera_scale * self.tile_width)
        return Box(self.margin, self._top(band), width, self.camera_height)

    def notes(self, band: int) -> Box:
        """What is said about a band, under its camera frame."""
        camera = self.camera(band)
        return Box(camera.x, camera.bottom, camera.width, self.notes_height)

    def tile(self, band: int, row: int, column: int) -> Box:
        """A moment of a band: row 0 is predicted, 1 is what happened."""
        return Box(
            self.camera(band).right + self.label_width + column * (self.tile_width + self.gap),
            self._top(band) + row * (self.tile_height + self.gap),
            self.tile_width,
            self.tile_height,
        )

    def label(self, band: int, row: int) -> Box:
        """The name of a row, left of its tiles."""
        first = self.tile(band, row, 0)
        return Box(first.x - self.label_width, first.y, self.label_width, first.height)

    def _top(self, band: int) -> int:
        band_height = max(2 * self.tile_height + self.gap, self.camera_height + self.notes_height)
        return self.header_height + band * (band_height + self.band_gap)

    @property
    def camera_height(self) -> int:
        return round(self.camera_scale * self.tile_height)


def draw_contact_sheet(
    examples: Sequence[Example],
    *,
    offsets_secs: Sequence[float],
    title: str,
    subtitle: str,
    footer: str,
) -> np.ndarray:
    """Draw the sheet, (H, W, 3) uint8 RGB; the first example's camera frame gives tiles' shape.

    :param offsets_secs: the moment that each column shows, after the camera frame
    """
    height, width = examples[0].camera.shape[:2]
    layout = SheetLayout(
        tile_height=2 * round(SheetLayout.tile_width * height / width / 2),
        n_columns=len(offsets_secs),
        n_bands=len(examples),
    )
    sheet = blank(*layout.size)
    _draw_header(sheet, layout, offsets_secs, title, subtitle)
    for band, example in enumerate(examples):
        _draw_band(sheet, layout, band, example)
    draw_text(sheet, footer, layout.margin, layout.size[1] - layout.footer_height / 2 + 8,
              height_px=10, colour=MUTED)
    return sheet


def _draw_header(
    sheet: np.ndarray, layout: SheetLayout, offsets_secs: Sequence[float], title: str,
    subtitle: str,
) -> None:
    draw_text(sheet, title, layout.margin, 54, height_px=20, bold=True)
    draw_text(sheet, subtitle, layout.margin, 84, height_px=11, colour=MUTED)
    baseline = layout.header_height - 10
    draw_text(sheet, 'camera, and the drag', layout.camera(0).x, baseline, height_px=12, bold=True)
    for column, offset_secs in enumerate(offsets_secs):
        box = layout.tile(0, 0, column)
        draw_text(sheet, f'+{offset_secs:.1f} s', box.x + box.width / 2, baseline,
                  height_px=12, bold=True, align='centre')


def _draw_band(sheet: np.ndarray, layout: SheetLayout, band: int, example: Example) -> None:
    if band:
        y = layout.camera(band).y - layout.band_gap // 2
        sheet[y, layout.margin:layout.size[0] - layout.margin] = LINE
    camera = layout.camera(band)
    paste(sheet, example.camera, camera)
    for path in example.paths:
        draw_path(sheet, in_box(path, camera))
    _draw_notes(sheet, layout.notes(band), example)
    for row, (label, pictures) in enumerate((
        ('predicted', example.predicted), ('happened', example.happened),
    )):
        draw_text_upwards(sheet, label, layout.label(band, row), height_px=12)
        for column, picture in enumerate(pictures):
            box = layout.tile(band, row, column)
            if picture is None:
                _draw_missing(sheet, box)
                continue
            paste(sheet, picture, box)
            for target in example.targets[:, column]:
                draw_target(sheet, in_box(target, box))


def _draw_notes(sheet: np.ndarray, box: Box, example: Example) -> None:
    accent = ACCENTS.get(example.title, INK)
    sheet[box.y + 20:box.y + 44, box.x:box.x + 6] = accent
    draw_text(sheet, example.title, box.x + 18, box.y + 39, height_px=15, colour=accent,
              bold=True)
    for number, note in enumerate(example.notes):
        draw_text(sheet, fitted(note, 11, box.width - 18), box.x + 18, box.y + 70 + 25 * number,
                  height_px=11, colour=MUTED)


def _draw_missing(sheet: np.ndarray, box: Box) -> None:
    sheet[box.y:box.bottom, box.x:box.right] = LINE
    draw_text(sheet, 'no frame', box.x + box.width / 2, box.y + box.height / 2, height_px=11,
              colour=MUTED, align='centre')

