"""Drag messages to the core's commands and back, and from camera pixels to model pixels.

Loads without ROS: the worker process needs ``transform_command``, and reading a message needs only
its fields.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dragstream_ros.adapters.image import array_from_image, image_from_array
from dragstream_ros.adapters.letterbox import Letterbox, Size
from dragstream_ros.adapters.stamp import ns_from_stamp
from dragstream_ros.core.drag import (
    DragCommand,
    DragHandle,
    DragMode,
    Operation,
    validate_command,
)
from dragstream_ros.errors import DragStreamError, ErrorCode

if TYPE_CHECKING:
    from geometry_msgs.msg import Point, Polygon
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from dragstream_ros.msg import Drag
    from dragstream_ros.msg import DragHandle as DragHandleMessage

DEFAULT_DURATION_SECS = 1.0
LARGEST_COORDINATE_PX = 1e6  # polygons may leave the image, but must fit fixed-point numbers


class DragPhase(enum.IntEnum):
    """What a Drag message says about its drag; the numbers of ``msg/Drag.msg``."""

    BEGIN = 0
    UPDATE = 1
    END = 2
    CANCEL = 3


def command_from_drag(message: Drag) -> DragCommand:
    """Convert a Drag that begins or updates, checked, to camera pixels.

    Zero duration and radius are replaced by the defaults of this module.

    :raises DragStreamError: any DRAG_* code that needs no knowledge of the camera's images
    """
    image_size = (message.image_width, message.image_height)
    if not message.drag_id:
        raise _invalid('The drag has no drag_id; please give it one of its own.')
    if min(image_size) == 0:
        raise DragStreamError(
            ErrorCode.DRAG_WRONG_SIZE,
            f'The drag says its image is {_size_text(image_size)} pixels; please fill in the width '
            'and height of the image dragged on.',
        )
    command = DragCommand(
        drag_id=message.drag_id,
        operator_id=message.operator_id,
        mode=_mode(message.mode),
        handles=tuple(
            _handle(handle, image_size, f'handle {index}')
            for index, handle in enumerate(message.handles)
        ),
        image_size=image_size,
        frozen=_region(
            message.frozen_polygon, message.frozen_mask, image_size, 'the frozen region'
        ),
        stamp_ns=ns_from_stamp(message.header.stamp),
        duration_secs=message.duration_secs or DEFAULT_DURATION_SECS,
    )
    validate_command(command)
    return command


def drag_from_command(
    command: DragCommand, *, header: Header, phase: DragPhase = DragPhase.BEGIN
) -> Drag:
    """Convert a command in camera pixels to a Drag; header is that of the image dragged on."""
    from dragstream_ros.msg import Drag

    message = Drag(
        header=header,
        image_width=command.image_size[0],
        image_height=command.image_size[1],
        operator_id=command.operator_id,
        drag_id=command.drag_id,
        phase=int(phase),
        mode=int(command.mode),
        duration_secs=float(command.duration_secs),
        handles=[_handle_message(handle, header) for handle in command.handles],
    )
    if command.frozen is not None:
        message.frozen_mask = image_from_array(command.frozen, header)
    return message


def transform_command(command: DragCommand, letterbox: Letterbox) -> DragCommand:
    """Map a command from the letterbox's source (camera) to its target (model) pixels.

    :raises DragStreamError: DRAG_WRONG_SIZE if the drag is on an image of another size
    """
    if command.image_size != letterbox.source_size:
        raise DragStreamError(
            ErrorCode.DRAG_WRONG_SIZE,
            f'The drag is on an image of {_size_text(command.image_size)} pixels, the camera sends '
            f'{_size_text(letterbox.source_size)}; please drag on the camera image itself.',
        )

    def region(mask: np.ndarray | None) -> np.ndarray | None:
        return None if mask is None else letterbox.apply_mask(mask)

    handles = tuple(
        replace(
            handle,
            path_px=letterbox.to_target(handle.path_px),
            centre_px=None if handle.centre_px is None else letterbox.to_target(handle.centre_px),
            mask=region(handle.mask),
            radius_px=None if handle.radius_px is None else handle.radius_px * letterbox.scale,
        )
        for handle in command.handles
    )
    return replace(
        command,
        handles=handles,
        frozen=region(command.frozen),
        image_size=letterbox.target_size,
    )


def _handle(message: DragHandleMessage, image_size: Size, name: str) -> DragHandle:
    try:
        operation = Operation(message.operation)
    except ValueError:
        raise _invalid(
            f'{name.capitalize()} has the unknown operation {message.operation}; please use '
            'TRANSLATE or ROTATE.'
        ) from None
    turns = operation == Operation.ROTATE
    return DragHandle(
        path_px=_points(message.path),
        times_secs=np.asarray(message.times_secs, np.float64) if message.times_secs else None,
        operation=operation,
        centre_px=_points([message.centre])[0] if turns else None,
        mask=_region(message.mask_polygon, message.mask, image_size, f'the mask of {name}'),
        radius_px=message.radius_px or None,
    )


def _handle_message(handle: DragHandle, header: Header) -> DragHandleMessage:
    from dragstream_ros.msg import DragHandle as DragHandleMessage

    message = DragHandleMessage(
        path=[_point(point) for point in handle.path_px],
        operation=int(handle.operation),
        radius_px=float(handle.radius_px or 0.0),
    )
    if handle.times_secs is not None:
        message.times_secs = [float(time) for time in handle.times_secs]
    if handle.centre_px is not None:
        message.centre = _point(handle.centre_px)
    if handle.mask is not None:
        message.mask = image_from_array(handle.mask, header)
    return message


def _mode(number: int) -> DragMode:
    try:
        return DragMode(number)
    except ValueError:
        raise _invalid(
            f'The drag has the unknown mode {number}; please use ANIMATE or EDIT.'
        ) from None


def _region(polygon: Polygon, mask: Image, image_size: Size, name: str) -> np.ndarray | None:
    """Return (H, W) bool of whichever of polygon and mask is given, None for neither."""
    if polygon.points and len(mask.data):
        raise _invalid(f'{name.capitalize()} is given twice; please send a polygon or a mask.')
    if polygon.points:
        return _polygon_region(polygon, image_size, name)
    if len(mask.data):
        return _mask_region(mask, image_size, name)
    return None


def _polygon_region(polygon: Polygon, image_size: Size, name: str) -> np.ndarray:
    corners = _points(polygon.points)
    if not np.isfinite(corners).all():
        raise DragStreamError(
            ErrorCode.DRAG_NOT_FINITE,
            f'The polygon of {name} has a NaN or infinite coordinate; please send numbers.',
        )
    if len(corners) < 3 or np.abs(corners).max() > LARGEST_COORDINATE_PX:
        raise _invalid(
            f'The polygon of {name} must have 3 corners or more, each within a million pixels.'
        )
    region = np.zeros(image_size[::-1], np.uint8)
    fraction_bits = 4
    fixed_point = np.rint(corners * (1 << fraction_bits)).astype(np.int32)
    return cv2.fillPoly(region, [fixed_point], 1, shift=fraction_bits).astype(bool)


def _mask_region(mask: Image, image_size: Size, name: str) -> np.ndarray:
    if mask.encoding != 'mono8':
        raise _invalid(f'{name.capitalize()} is {mask.encoding!r}; please send mono8.')
    if (mask.width, mask.height) != image_size:
        raise DragStreamError(
            ErrorCode.DRAG_WRONG_SIZE,
            f'{name.capitalize()} is {_size_text((mask.width, mask.height))} pixels, the image '
            f'dragged on {_size_text(image_size)}; please send both at the same size.',
        )
    try:
        return array_from_image(mask)[:, :, 0] > 0
    except DragStreamError as error:
        raise _invalid(f'{name.capitalize()} is no valid image: {error}') from error


def _points(points: Sequence[Point]) -> np.ndarray:
    return np.array([(point.x, point.y) for point in points], np.float64).reshape(-1, 2)


def _point(position_px: np.ndarray) -> Point:
    from geometry_msgs.msg import Point

    return Point(x=float(position_px[0]), y=float(position_px[1]))


def _invalid(sentence: str) -> DragStreamError:
    return DragStreamError(ErrorCode.DRAG_INVALID, sentence)


def _size_text(size: Size) -> str:
    return f'{size[0]}x{size[1]}'
