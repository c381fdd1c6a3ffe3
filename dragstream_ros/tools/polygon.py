"""A drag by a geometry_msgs/Polygon: its points are the path of one handle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.tools.stroke import Stroke, View, on_image, thinned

if TYPE_CHECKING:
    from geometry_msgs.msg import Polygon


def points_of(polygon: Polygon) -> np.ndarray:
    """The points (N, 3) of a polygon.

    :raises DragStreamError: DRAG_EMPTY, they are no path
    """
    if len(polygon.points) < 2:
        raise DragStreamError(
            ErrorCode.DRAG_EMPTY,
            f'A polygon of {len(polygon.points)} points is no path; send two or more.')
    return np.array([(point.x, point.y, point.z) for point in polygon.points], np.float64)


def is_in_pixels(points: np.ndarray, frame_id: str, camera_frame_id: str) -> bool:
    """Whether points (N, 3) are pixels: no frame, or the camera's with z = 0, which it cannot see.

    Otherwise they are metres in their frame.
    """
    return not frame_id or (frame_id == camera_frame_id and not points[:, 2].any())


def stroke_along(path_px: np.ndarray, view: View) -> Stroke:
    """A stroke along pixels (N, 2).

    :raises DragStreamError: the path is not all in the image
    """
    return Stroke(view=view, path_px=thinned(on_image(path_px, view.size)))
