"""A region as its outline: what people are shown of it, and what a message can carry."""

from __future__ import annotations

import cv2
import numpy as np

Outline = tuple[tuple[float, float], ...]

SMOOTH_PX = 0.5  # an outline may leave the true edge by this much, to have fewer corners
MOST_CORNERS = 400


def outline_of(region: np.ndarray) -> Outline:
    """The outer outline of the largest part of a region (H, W) bool that is not empty.

    The corners are pixel centres: a polygon filled with its border gives the region back.
    """
    contours, _ = cv2.findContours(
        region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    corners = max(contours, key=lambda contour: cv2.contourArea(contour) + 1e-3 * len(contour))
    tolerance_px = SMOOTH_PX
    while len(smooth := cv2.approxPolyDP(corners, tolerance_px, True)) > MOST_CORNERS:
        tolerance_px *= 2
    points = [(float(x), float(y)) for x, y in smooth[:, 0]]
    if len(points) < 3:  # a dot or a line: give it a body, as polygons have three corners or more
        height, width = region.shape
        x, y, w, h = cv2.boundingRect(corners)
        left, right = max(x - 0.5, -0.5), min(x + w - 0.5, width - 0.5)
        top, bottom = max(y - 0.5, -0.5), min(y + h - 0.5, height - 0.5)
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return tuple(points)
