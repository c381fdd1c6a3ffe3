"""A real drag in RViz2: what happens to the interactive marker becomes a path in pixels.

The marker is a handle in a plane at a chosen distance in front of the camera, seen over the
camera's picture in RViz2's Camera display. RViz2 says when it is pressed, moved or turned, and let
go; how it looks is in marker_handle.py.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

import numpy as np

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.letterbox import Size
from dragstream_ros.core.drag import DragMode, Operation
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.tools.stroke import Stroke, View, clamped, on_image, thinned

NEXT_POINT_PX = 1.0  # a path's points are at least so far apart
NEXT_TURN_RAD = 0.02
# The arm of a rotation, around the handle, in image widths. Short, to be on what is turned, and
# shorter near the edge; but a world model sees a small picture.
LONGEST_ARM, SHORTEST_ARM = 0.03, 0.01


class Choice(enum.IntEnum):
    """The entries of the handle's menu; numbers as RViz2 sends them back."""

    TRANSLATE = 1
    ROTATE = 2
    ANIMATE = 3
    EDIT = 4
    PLACE = 5
    CENTRE = 6
    RELEASE = 7


@dataclass(frozen=True, kw_only=True)
class MarkerDragConfig:
    """depth_m: the plane's distance. update_secs: a new path is told at most this often."""

    depth_m: float = 1.0
    update_secs: float = 0.1


class MarkerDrag:
    """The handle and the drag that it makes.

    rest_px: where the handle is when nobody drags, None: in the centre of the image. is_placing:
    the next movement only puts the handle somewhere else, as its rest.
    """

    def __init__(self, config: MarkerDragConfig = MarkerDragConfig()) -> None:
        """Start at the centre, ready to move things."""
        self.mode = DragMode.ANIMATE
        self.operation = Operation.TRANSLATE
        self.is_placing = False
        self._rest_px: np.ndarray | None = None
        self._config = config
        self._camera: CameraModel | None = None
        self._stroke: Stroke | None = None  # while held
        self._arm_px = 0.0  # of a rotation
        self._told_secs = 0.0
        self._has_news = False

    @property
    def is_held(self) -> bool:
        """The operator holds the handle, to drag with it."""
        return self._stroke is not None

    def rest_m(self, view: View, camera: CameraModel) -> np.ndarray:
        """Where the handle is (3,) in the optical frame when nobody drags."""
        width, height = view.size
        centre_px = np.array([(width - 1) / 2, (height - 1) / 2])
        rest_px = centre_px if self._rest_px is None else clamped(self._rest_px, view.size)
        return camera.rays(rest_px[None])[0] * self._config.depth_m

    def choose(self, choice: Choice) -> None:
        """An entry of the menu was chosen; RELEASE and CENTRE also end placing."""
        self.is_placing = choice is Choice.PLACE
        if choice in (Choice.TRANSLATE, Choice.ROTATE):
            self.operation = Operation[choice.name]
        elif choice in (Choice.ANIMATE, Choice.EDIT):
            self.mode = DragMode[choice.name]
        elif choice is Choice.CENTRE:
            self._rest_px = None

    def place(self, position_m: np.ndarray, view: View, camera: CameraModel) -> None:
        """Put the handle's rest where a point (3,) is seen.

        :raises DragStreamError: it is not in the image
        """
        self._rest_px = on_image(camera.project(position_m)[0], view.size)

    def press(
        self, position_m: np.ndarray, view: View, camera: CameraModel, now_secs: float
    ) -> Stroke:
        """The handle is pressed at a point (3,): grab what is seen there.

        :raises DragStreamError: it is not in the image
        """
        self._stroke = None
        grab_px = on_image(camera.project(position_m)[0], view.size)
        stroke = Stroke(view=view, path_px=grab_px[None], mode=self.mode, operation=self.operation)
        if self.operation is Operation.ROTATE:
            self._arm_px = _arm_px(grab_px, view.size)
            start_px = grab_px + (self._arm_px, 0.0)
            stroke = replace(stroke, centre_px=grab_px, path_px=start_px[None])
        self._camera, self._stroke = camera, stroke
        self._told_secs, self._has_news = now_secs, False
        return stroke

    def move(self, position_m: np.ndarray, turn_rad: float) -> None:
        """The handle is somewhere else, or turned (clockwise in the picture) since it was pressed.

        :raises DragStreamError: it is behind the camera, or nowhere
        """
        if self._stroke is None or self._camera is None:
            return  # RViz2 tells the pose once more before a press
        if self._stroke.centre_px is not None:
            if not np.isfinite(turn_rad):
                raise DragStreamError(
                    ErrorCode.DRAG_NOT_FINITE, 'The turn is not a number; please drag again.')
            turned = np.array([np.cos(turn_rad), np.sin(turn_rad)])
            position_px = self._stroke.centre_px + self._arm_px * turned
            step_px = self._arm_px * NEXT_TURN_RAD
        else:
            position_px = self._camera.project(position_m)[0]
            step_px = NEXT_POINT_PX
        position_px = clamped(position_px, self._stroke.view.size)
        path_px = self._stroke.path_px
        if np.linalg.norm(position_px - path_px[-1]) >= step_px:
            self._stroke = replace(self._stroke, path_px=thinned(np.vstack([path_px, position_px])))
            self._has_news = True

    def news(self, now_secs: float) -> Stroke | None:
        """The path so far, if it is longer than what was told, and not too soon after that."""
        if not self._has_news or now_secs - self._told_secs < self._config.update_secs:
            return None
        self._told_secs, self._has_news = now_secs, False
        return self._stroke

    def let_go(self) -> Stroke | None:
        """The operator let go; the path, if that has not been told yet."""
        stroke, self._stroke = self._stroke, None
        return stroke if self._has_news else None


def _arm_px(centre_px: np.ndarray, size: Size) -> float:
    """How long the arm of a rotation may be for the whole circle to be in the image.

    :raises DragStreamError: there is no room for one
    """
    width, height = size
    room_px = float(min(*centre_px, width - 1 - centre_px[0], height - 1 - centre_px[1]))
    if room_px < SHORTEST_ARM * width:
        raise DragStreamError(
            ErrorCode.DRAG_OUTSIDE_IMAGE,
            'The handle is too near the edge to turn what is under it; place it further inside.')
    return min(room_px, LONGEST_ARM * width)
