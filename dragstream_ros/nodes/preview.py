"""Predicted frames as an operator looks at them: enlarged, with the drag and how much to trust.

Stripes around it and words across it say that no camera has seen this. What does not change from
frame to frame is drawn once and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dragstream_ros.nodes.drag_paths import DragPaths
from dragstream_ros.nodes.playback import Shown

AHEAD_RGB = (255, 210, 0)
DONE_RGB = (255, 90, 0)
WARNING_RGB = (255, 60, 60)
WHITE_RGB, BLACK_RGB = (255, 255, 255), (0, 0, 0)
DOUBT_GREY = 90
UNSURE_BELOW = 0.5  # confidence
WATERMARK = 'PREDICTION'
WATERMARK_STRENGTH = 36  # grey levels
FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel
FONT = cv2.FONT_HERSHEY_SIMPLEX


def set_up_drawing() -> None:
    """Let OpenCV load its font now, which takes 100 ms, and work in one thread.

    Two cores are busy with predicting: waiting for help takes longer than drawing alone.
    """
    cv2.setNumThreads(1)
    cv2.getTextSize(WATERMARK, FONT, 1.0, 1)


def draw_preview(
    shown: Shown, paths: DragPaths, *, scale: int, horizon_secs: float, late: bool,
    problem: str = '',
) -> np.ndarray:
    """The frame `scale` times larger, (H, W, 3) uint8 RGB.

    What is not to be trusted fades to grey. The bar at the bottom is full at the horizon, white if
    nobody drags. A white line is around what is held. Each path is drawn to its end, its target
    ringed; what is done of it is orange. A problem is said in red, in a few words.
    """
    chunk, index = shown.chunk, shown.index
    image = cv2.resize(
        chunk.frames[index], None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    trust = float(np.clip(chunk.confidence[index], 0.0, 1.0))
    if trust < 1.0:
        share = 0.4 + 0.6 * trust
        image = cv2.convertScaleAbs(image, alpha=share, beta=(1.0 - share) * DOUBT_GREY)
    light, dark = _watermark(image.shape[1], image.shape[0])
    image = cv2.subtract(cv2.add(image, light), dark)
    if chunk.outlines_px:
        _draw_outlines(image, [(px + 0.5) * scale - 0.5 for px in chunk.outlines_px[index]])
    for positions_px in (paths.positions_px + 0.5) * scale - 0.5:
        _draw_path(image, positions_px, paths.index, line_px=max(scale // 2, 1))
    offset_secs = float(chunk.offsets_secs[index])
    warnings = [
        word for word, holds in (
            (problem, problem), ('LATE', late), ('UNSURE', trust < UNSURE_BELOW)) if holds]
    _draw_frame(
        image, share=offset_secs / horizon_secs, is_dragged=bool(chunk.drag_id),
        time=f'+{offset_secs:.1f} s', warning=' '.join(warnings))
    return image


def _draw_outlines(image: np.ndarray, outlines_px: Sequence[np.ndarray]) -> None:
    closed = [_fixed(outline_px)[:, None] for outline_px in outlines_px if len(outline_px)]
    for colour, thickness in ((BLACK_RGB, 3), (WHITE_RGB, 1)):
        cv2.polylines(image, closed, True, colour, thickness, cv2.LINE_AA, FRACTION_BITS)


def _draw_path(image: np.ndarray, positions_px: np.ndarray, index: int, *, line_px: int) -> None:
    points = _fixed(positions_px)
    # Dark below bright: to be seen on any picture.
    for colour, wider_px in ((BLACK_RGB, 2), (AHEAD_RGB, 0)):
        cv2.polylines(image, [points[:, None]], False, colour, line_px + wider_px, cv2.LINE_AA,
                      FRACTION_BITS)
    cv2.polylines(image, [points[:index + 1, None]], False, DONE_RGB, line_px, cv2.LINE_AA,
                  FRACTION_BITS)
    radius_px = 3 + 2 * line_px
    for point, colour, thickness in (
        (points[-1], AHEAD_RGB, line_px), (points[index], DONE_RGB, cv2.FILLED),
    ):
        where, radius = tuple(map(int, point)), radius_px << FRACTION_BITS
        cv2.circle(image, where, radius, BLACK_RGB, line_px + 2, cv2.LINE_AA, FRACTION_BITS)
        cv2.circle(image, where, radius, colour, thickness, cv2.LINE_AA, FRACTION_BITS)


def _draw_frame(
    image: np.ndarray, *, share: float, is_dragged: bool, time: str, warning: str
) -> None:
    """Stripes all around, and above the lowest of them a strip with the bar and the words."""
    height, width = image.shape[:2]
    edge, stripes = _edge_px(width), _stripes(width, height)
    for part in (np.s_[:edge], np.s_[height - edge:], np.s_[:, :edge], np.s_[:, width - edge:]):
        image[part] = stripes[part]
    left, right, bottom = edge, width - edge, height - edge
    image[bottom - 4 * edge:bottom, left:right] = BLACK_RGB
    reach = left + round((right - left) * min(share, 1.0))
    image[bottom - 4 * edge:bottom - 3 * edge, left:reach] = DONE_RGB if is_dragged else WHITE_RGB
    for words, colour, start in ((time, WHITE_RGB, 2 * edge), (warning, WARNING_RGB, width // 3)):
        cv2.putText(image, words, (start, bottom - edge // 2), FONT, edge / 12, colour,
                    max(round(edge / 8), 1), cv2.LINE_AA)


@lru_cache(maxsize=2)
def _watermark(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """WATERMARK along the diagonal, bright with a dark rim: what to add and what to take away."""
    (word_px, tall_px), below_px = cv2.getTextSize(WATERMARK, FONT, 2.0, 4)
    turn = cv2.getRotationMatrix2D(
        (word_px / 2, tall_px / 2), float(np.degrees(np.arctan2(height, width))),
        0.8 * min(width, height * 2) / word_px)
    turn[0, 2] += (width - word_px) / 2
    turn[1, 2] += (height - tall_px) / 2
    word = np.zeros((tall_px + below_px, word_px), np.uint8)
    cv2.putText(word, WATERMARK, (0, tall_px), FONT, 2.0, WATERMARK_STRENGTH, 4, cv2.LINE_AA)
    wider = cv2.dilate(word, np.ones((5, 5), np.uint8))
    bright, wide = (cv2.warpAffine(layer, turn, (width, height)) for layer in (word, wider))
    rim = cv2.subtract(wide, bright)
    return cv2.merge([bright] * 3), cv2.merge([rim] * 3)


@lru_cache(maxsize=2)
def _stripes(width: int, height: int) -> np.ndarray:
    """Orange and black, slanted, for the whole picture."""
    along = np.arange(width + height) // (2 * _edge_px(width)) % 2 == 0
    colours = np.where(along[:, None], DONE_RGB, BLACK_RGB).astype(np.uint8)
    # Row y starts at colour y: the same few colours, shifted.
    return sliding_window_view(colours, width, axis=0)[:height].transpose(0, 2, 1)


def _edge_px(width: int) -> int:
    return max(width // 64, 2)


def _fixed(positions_px: np.ndarray) -> np.ndarray:
    return np.rint(positions_px * (1 << FRACTION_BITS)).astype(np.int32)
