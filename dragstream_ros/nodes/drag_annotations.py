"""The drag of a predicted frame for viewers that draw by themselves.

ImageMarker and Foxglove's ImageAnnotations lie on ``prediction/image``, markers stand in space for
RViz2's Camera display.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import ImageMarker, Marker, MarkerArray

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.nodes.drag_paths import DragPaths
from dragstream_ros.nodes.preview import AHEAD_RGB, DONE_RGB

try:
    from foxglove_msgs import msg as foxglove
except ImportError:  # it has no wheel; a robot may have it
    foxglove = None

HANDLE_PX = 4.0
DEPTH_M = 1.0  # of the markers: the default depth of the handle to drag with
WIDTH = 0.012  # of an arrow, of its depth
FORGOTTEN_AFTER = Duration(nanosec=600_000_000)


def image_markers(paths: DragPaths, header: Header) -> list[ImageMarker]:
    """Path and position of each handle."""
    markers = []
    for number, path_px in enumerate(paths.positions_px):
        path = ImageMarker(
            header=header, ns='drag', id=2 * number, type=ImageMarker.LINE_STRIP, scale=1.0,
            outline_color=_colour(AHEAD_RGB), points=_points(path_px))
        handle = ImageMarker(
            header=header, ns='drag', id=2 * number + 1, type=ImageMarker.CIRCLE, scale=HANDLE_PX,
            outline_color=_colour(DONE_RGB), position=_points(path_px)[paths.index])
        markers += [path, handle]
    return markers


def foxglove_annotations(paths: DragPaths, header: Header) -> Any:
    """The same as one foxglove_msgs/ImageAnnotations; its pixels start at the corner, not at 0."""
    def point(position_px: np.ndarray) -> Any:
        return foxglove.Point2(x=float(position_px[0]) + 0.5, y=float(position_px[1]) + 0.5)

    return foxglove.ImageAnnotations(
        points=[
            foxglove.PointsAnnotation(
                timestamp=header.stamp, type=foxglove.PointsAnnotation.LINE_STRIP, thickness=1.0,
                points=[point(position) for position in path_px],
                outline_color=_foxglove_colour(AHEAD_RGB))
            for path_px in paths.positions_px],
        circles=[
            foxglove.CircleAnnotation(
                timestamp=header.stamp, position=point(path_px[paths.index]), diameter=HANDLE_PX,
                thickness=1.0, outline_color=_foxglove_colour(DONE_RGB))
            for path_px in paths.positions_px])


def space_markers(paths: DragPaths, camera: CameraModel, header: Header) -> MarkerArray:
    """Per handle its path, and an arrow from where it is to its target, at DEPTH_M."""
    markers = []
    for number, path_px in enumerate(paths.positions_px):
        path_m = camera.rays(path_px) * DEPTH_M
        line = _marker(header, 2 * number, Marker.LINE_STRIP, AHEAD_RGB)
        line.points, line.scale = _points(path_m), Vector3(x=0.3 * WIDTH * DEPTH_M)
        markers.append(line)
        if paths.index < len(path_m) - 1:
            arrow = _marker(header, 2 * number + 1, Marker.ARROW, DONE_RGB)
            arrow.points = _points(path_m[[paths.index, -1]])
            arrow.scale = Vector3(x=WIDTH * DEPTH_M, y=2.5 * WIDTH * DEPTH_M)
            markers.append(arrow)
    return MarkerArray(markers=markers)


def _marker(header: Header, number: int, kind: int, rgb: tuple[int, int, int]) -> Marker:
    return Marker(
        header=header, ns='drag', id=number, type=kind, action=Marker.ADD, color=_colour(rgb),
        pose=Pose(orientation=Quaternion(w=1.0)), lifetime=FORGOTTEN_AFTER)


def _points(positions: np.ndarray) -> list[Point]:
    """Points of (N, 2) or (N, 3)."""
    return [Point(x=float(p[0]), y=float(p[1]), z=float(p[2]) if len(p) > 2 else 0.0)
            for p in positions]


def _colour(rgb: tuple[int, int, int]) -> ColorRGBA:
    r, g, b = (value / 255.0 for value in rgb)
    return ColorRGBA(r=r, g=g, b=b, a=1.0)


def _foxglove_colour(rgb: tuple[int, int, int]) -> Any:
    r, g, b = (value / 255.0 for value in rgb)
    return foxglove.Color(r=r, g=g, b=b, a=1.0)
