"""Predicted frames as an operator looks at them: enlarged, with the drag and how much to trust."""

from __future__ import annotations

import cv2
import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import ImageMarker

from dragstream_ros.nodes.playback import Shown

AHEAD_RGB = (255, 210, 0)
DONE_RGB = (255, 90, 0)
DOUBT_GREY = 90
BAR_PX = 5
CAPTION = 'PREDICTED - not a safety sensor'


def draw_preview(shown: Shown, scale: int) -> np.ndarray:
    """The frame `scale` times larger, (H, W, 3) uint8 RGB.

    What is not to be trusted fades to grey; the bar at the bottom grows from the left as the
    prediction reaches further. Dots are where each handle is asked to be, now and later.
    """
    chunk, index = shown.chunk, shown.index
    image = cv2.resize(
        chunk.frames[index], None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    trust = float(np.clip(chunk.confidence[index], 0.0, 1.0))
    image = cv2.addWeighted(image, 0.4 + 0.6 * trust, image, 0.0, (0.6 - 0.6 * trust) * DOUBT_GREY)
    for track in (np.asarray(chunk.tracks_px) + 0.5) * scale - 0.5:
        points = np.rint(track).astype(np.int32)
        cv2.polylines(image, [points[:, None]], False, AHEAD_RGB, 1, cv2.LINE_AA)
        cv2.circle(image, tuple(map(int, points[index])), 2 + scale, DONE_RGB, 2, cv2.LINE_AA)
    height, width = image.shape[:2]
    # Full at 1 s, whatever the horizon: the same length always means the same time.
    reach = int(width * min(float(chunk.offsets_secs[index]), 1.0))
    image[height - BAR_PX:, :reach] = DONE_RGB if chunk.drag_id else (200, 200, 200)
    if width >= 256:
        cv2.putText(image, CAPTION, (4, height - BAR_PX - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.35,
                    (255, 255, 255), 1, cv2.LINE_AA)
    return image


def draw_annotations(shown: Shown, header: Header) -> list[ImageMarker]:
    """Path and position of each handle, for viewers that draw ImageMarker on prediction/image."""
    chunk, index = shown.chunk, shown.index
    markers = []
    for number, track in enumerate(chunk.tracks_px):
        path = ImageMarker(
            header=header, ns='drag', id=2 * number, type=ImageMarker.LINE_STRIP, scale=1.0,
            outline_color=_colour(AHEAD_RGB), points=[_point(position) for position in track])
        handle = ImageMarker(
            header=header, ns='drag', id=2 * number + 1, type=ImageMarker.CIRCLE, scale=4.0,
            outline_color=_colour(DONE_RGB), position=_point(track[index]))
        markers += [path, handle]
    return markers


def _point(position_px: np.ndarray) -> Point:
    return Point(x=float(position_px[0]), y=float(position_px[1]))


def _colour(rgb: tuple[int, int, int]) -> ColorRGBA:
    r, g, b = (value / 255.0 for value in rgb)
    return ColorRGBA(r=r, g=g, b=b, a=1.0)
