"""What every tool ends up with: a path that an operator drew on a camera image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dragstream_ros.adapters.letterbox import Size
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.frame_intake import decode_frame
from dragstream_ros.worker.mailbox import RawFrame

MAX_POINTS = 64  # of a path: more than a hand can mean
BESIDE_PX = 1.0  # a tool that rounds may say a pixel beside the edge for one on it


@dataclass(frozen=True, eq=False)
class View:
    """A camera image as it came: what an operator looks at, and what pixels refer to."""

    frame: RawFrame
    frame_id: str

    @property
    def stamp_ns(self) -> int:
        """The image's own stamp."""
        return self.frame.stamp_ns

    @cached_property
    def size(self) -> Size:
        """(width, height) px.

        :raises DragStreamError: a compressed image that is none
        """
        if self.frame.compressed:
            return self.pixels.shape[1], self.pixels.shape[0]
        return self.frame.width, self.frame.height

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, decoded when asked for the first time.

        :raises DragStreamError: IMAGE_MALFORMED, IMAGE_ENCODING_UNSUPPORTED, IMAGE_DECODE_FAILED
        """
        return decode_frame(self.frame)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stroke:
    """A path (N, 2) on a view, in its pixels, and what it means; centre_px is for rotation only."""

    view: View
    path_px: np.ndarray
    mode: DragMode = DragMode.ANIMATE
    operation: Operation = Operation.TRANSLATE
    centre_px: np.ndarray | None = None

    def command(self, *, drag_id: str, operator_id: str, duration_secs: float) -> DragCommand:
        """The drag that this asks for, in camera pixels."""
        handle = DragHandle(
            path_px=self.path_px, operation=self.operation, centre_px=self.centre_px)
        return DragCommand(
            drag_id=drag_id, operator_id=operator_id, mode=self.mode, handles=(handle,),
            image_size=self.view.size, stamp_ns=self.view.stamp_ns, duration_secs=duration_secs)


def on_image(positions_px: np.ndarray, size: Size) -> np.ndarray:
    """Positions (..., 2) on an image of this size; those just beside it are moved onto it.

    :raises DragStreamError: one is somewhere else, or no position at all
    """
    if not np.isfinite(positions_px).all():
        raise DragStreamError(
            ErrorCode.DRAG_NOT_FINITE,
            'The position is not a number; please click in the camera image.')
    nearest = clamped(positions_px, size)
    if (outside := np.abs(nearest - positions_px).max(axis=-1) > BESIDE_PX).any():
        x, y = positions_px[outside][0] if positions_px.ndim > 1 else positions_px
        raise DragStreamError(
            ErrorCode.DRAG_OUTSIDE_IMAGE,
            f'({x:.4g}, {y:.4g}) is outside the {size[0]}x{size[1]} camera image; stay inside, and '
            'show no other image in the tool.')
    return nearest


def clamped(positions_px: np.ndarray, size: Size) -> np.ndarray:
    """The nearest pixel centres of an image of this size to positions (..., 2)."""
    return np.clip(positions_px, 0.0, np.array(size) - 1.0)


def thinned(path_px: np.ndarray) -> np.ndarray:
    """A path (N, 2) with every other point left out until MAX_POINTS are enough; both ends stay."""
    while len(path_px) > MAX_POINTS:
        path_px = np.vstack([path_px[:-1:2], path_px[-1:]])
    return path_px
