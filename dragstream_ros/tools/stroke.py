"""What every tool ends up with: a path that an operator drew on a camera image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dragstream_ros.adapters.letterbox import Size
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.worker.frame_intake import decode_frame
from dragstream_ros.worker.mailbox import RawFrame

BESIDE_PX = 1.0  # a tool that rounds may say a pixel beside the edge for one on it


class Refusal(Exception):
    """What a tool said cannot be a drag; the text is one sentence for the operator."""


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


def on_image(position_px: np.ndarray, size: Size) -> np.ndarray:
    """A position (2,) that is on an image of this size, or just beside it and then moved onto it.

    :raises Refusal: it is somewhere else, or no position at all
    """
    x, y = position_px
    if not np.isfinite(position_px).all():
        raise Refusal('The position is not a number; please click in the camera image.')
    nearest = clamped(position_px, size)
    if np.abs(nearest - position_px).max() > BESIDE_PX:
        raise Refusal(
            f'({x:.0f}, {y:.0f}) is outside the {size[0]}x{size[1]} camera image; is the tool '
            'showing another image?')
    return nearest


def clamped(positions_px: np.ndarray, size: Size) -> np.ndarray:
    """The nearest pixel centres on an image of this size to positions (..., 2)."""
    return np.clip(positions_px, 0.0, np.array(size) - 1.0)
