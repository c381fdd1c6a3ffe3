"""What pictures for people are drawn with: tiles, text, drags. Pictures are (H, W, 3) uint8 RGB."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]

PAPER: Colour = (250, 250, 247)
INK: Colour = (34, 38, 43)
MUTED: Colour = (112, 118, 125)
LINE: Colour = (218, 219, 214)
WHITE: Colour = (255, 255, 255)
DRAG: Colour = (255, 72, 40)
ACCENTS: dict[str, Colour] = {'conditioned': (20, 110, 180), 'guidance': (176, 80, 16)}

_FONT, _BOLD_FONT = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
_FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel


@dataclass(frozen=True)
class Box:
    """A rectangle in a picture, px."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


def blank(width: int, height: int) -> np.ndarray:
    """An empty sheet."""
    return np.full((height, width, 3), PAPER, np.uint8)


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To (width, height): averaged when it shrinks, Lanczos when it grows."""
    shrinks = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=method)


def paste(sheet: np.ndarray, picture: np.ndarray, box: Box) -> None:
    """Put a picture into a box, stretched to it."""
    sheet[box.y:box.bottom, box.x:box.right] = resize(picture, (box.width, box.height))


def text_width(text: str, height_px: float, *, bold: bool = False) -> int:
    """Width in px of a line whose capitals are height_px high."""
    font, scale, thickness = _pen(height_px, bold)
    return int(cv2.getTextSize(text, font, scale, thickness)[0][0])


def draw_text(
    sheet: np.ndarray, text: str, x: float, baseline: float, *, height_px: float = 10,
    colour: Colour = INK, align: str = 'left', bold: bool = False,
) -> None:
    """Write a line whose capitals are height_px high; align is left, centre or right of x."""
    font, scale, thickness = _pen(height_px, bold)
    width = text_width(text, height_px, bold=bold)
    place = (round(x - {'left': 0.0, 'centre': 0.5, 'right': 1.0}[align] * width), round(baseline))
    cv2.putText(sheet, text, place, font, scale, colour, thickness, cv2.LINE_AA)


def draw_text_upwards(
    sheet: np.ndarray, text: str, box: Box, *, height_px: float = 10, colour: Colour = INK
) -> None:
    """Write a bold line from bottom to top in the middle of a box."""
    area = sheet[box.y:box.bottom, box.x:box.right]
    lying = np.ascontiguousarray(np.rot90(area, -1))
    draw_text(lying, text, lying.shape[1] / 2, (lying.shape[0] + height_px) / 2,
              height_px=height_px, colour=colour, align='centre', bold=True)
    area[:] = np.rot90(lying)


def fitted(text: str, height_px: float, width: int) -> str:
    """The text, cut with dots where it is wider than width."""
    if text_width(text, height_px) <= width:
        return text
    while text and text_width(text + '...', height_px) > width:
        text = text[:-1]
    return text.rstrip() + '...'


def draw_path(sheet: np.ndarray, points: np.ndarray, *, width_px: float = 3) -> None:
    """Draw a drag, points (N, 2) in px of the sheet: a ring at the handle, an arrow to its end."""
    for colour, extra in ((WHITE, 2.5), (DRAG, 0.0)):
        thickness = round(width_px + extra)
        for start, end in zip(points[:-1], points[1:]):
            cv2.line(sheet, _fixed(start), _fixed(end), colour, thickness, cv2.LINE_AA,
                     _FRACTION_BITS)
        for start, end in _arrow_head(points, 4.5 * width_px):
            cv2.line(sheet, _fixed(start), _fixed(end), colour, thickness, cv2.LINE_AA,
                     _FRACTION_BITS)
        draw_ring(sheet, points[0], 2.5 * width_px, colour, thickness)


def draw_ring(
    sheet: np.ndarray, centre: np.ndarray, radius: float, colour: Colour = DRAG,
    thickness: int = 2,
) -> None:
    """Draw a circle at a point (2,) in px of the sheet."""
    cv2.circle(sheet, _fixed(centre), round(radius * (1 << _FRACTION_BITS)), colour, thickness,
               cv2.LINE_AA, _FRACTION_BITS)


def draw_target(sheet: np.ndarray, centre: np.ndarray, radius: float = 7) -> None:
    """Mark where a drag wants its handle now; small, so that the picture stays visible."""
    draw_ring(sheet, centre, radius, WHITE, 4)
    draw_ring(sheet, centre, radius, DRAG, 2)


def shares(points_px: np.ndarray, picture_size: tuple[int, int]) -> np.ndarray:
    """Pixels (..., 2) as shares of the picture's (width, height); 0 is its left or top edge."""
    return (np.asarray(points_px, np.float64) + 0.5) / picture_size


def in_box(points: np.ndarray, box: Box) -> np.ndarray:
    """Shares (..., 2) of a picture that is pasted into box, as pixels of the sheet."""
    return np.asarray(points) * (box.width, box.height) - 0.5 + (box.x, box.y)


def _arrow_head(points: np.ndarray, length: float) -> list[tuple[np.ndarray, np.ndarray]]:
    end = points[-1]
    away = [point for point in points[::-1] if np.linalg.norm(end - point) > length / 2]
    if not away:
        return []  # it stays where it is
    back = np.arctan2(*(away[0] - end)[::-1])
    return [
        (end, end + length * np.array([np.cos(back + turn), np.sin(back + turn)]))
        for turn in (-0.5, 0.5)]


def _pen(height_px: float, bold: bool) -> tuple[int, float, int]:
    """OpenCV's font, scale and thickness for capitals of this height."""
    font = _BOLD_FONT if bold else _FONT
    return font, height_px / _height_at_one(font), 1


@functools.cache
def _height_at_one(font: int) -> float:
    """How high a capital is at scale 1; measured, as OpenCV 4 and 5 have different fonts."""
    canvas = np.zeros((200, 200), np.uint8)
    cv2.putText(canvas, 'H', (20, 180), font, 4.0, 255, 1, cv2.LINE_AA)
    return float(np.ptp(np.flatnonzero(canvas.max(axis=1) > 127)) + 1) / 4.0


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(np.asarray(point) * (1 << _FRACTION_BITS)).astype(int)
    return int(x), int(y)
