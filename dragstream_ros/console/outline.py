"""Regions as outlines: what a touch grabs, what a brush stroke covers."""

from __future__ import annotations

import cv2
import numpy as np

from dragstream_ros.console.requests import Points
from dragstream_ros.masks.grow_region import grow_region

SMOOTH_PX = 0.5  # an outline may leave the true edge by this much, to have fewer corners
MOST_CORNERS = 400


def touched_outline(picture: np.ndarray, point_px: tuple[float, float]) -> Points:
    """The outline of what stands out around a point of an (H, W, 3) uint8 RGB picture."""
    return outline_of(grow_region(picture, np.array(point_px)))


def brushed_outline(stroke: Points, *, radius_px: float, size: tuple[int, int]) -> Points:
    """The outline of a stroke of a round brush, in a picture of (width, height)."""
    mask = np.zeros(size[::-1], np.uint8)
    fraction_bits = 4
    fixed_point = np.rint(np.array(stroke) * (1 << fraction_bits)).astype(np.int32)
    cv2.polylines(
        mask, [fixed_point], isClosed=False, color=1, thickness=max(round(2 * radius_px), 1),
        shift=fraction_bits)
    for x, y in fixed_point:
        cv2.circle(mask, (int(x), int(y)), round(radius_px * (1 << fraction_bits)), 1, -1,
                   shift=fraction_bits)
    return outline_of(mask.astype(bool))


def outline_of(region: np.ndarray) -> Points:
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
