"""Drags that are known beforehand: written down in a file, or recorded with the pictures.

They also say where starts are. Those of one moment are made at once.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message

from dragstream_ros.adapters.drag import command_from_drag, transform_command
from dragstream_ros.adapters.letterbox import Letterbox, Size
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, validate_command
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.drag_plan import PlannedDrag, load_drags
from dragstream_ros.evaluation.image_bag import BagMessage
from dragstream_ros.msg import Drag


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenDrag:
    """A drag on the picture at_secs after the first one, in that picture's pixels.

    image_size: (width, height) of the picture it was made on; None: of whatever is recorded.
    """

    at_secs: float
    handles: tuple[DragHandle, ...]
    image_size: Size | None = None
    frozen: np.ndarray | None = None


class GivenDrags:
    """All given drags of some footage.

    at_secs: the moments of drags, rising, in s after the footage's first picture.
    """

    def __init__(self, drags: Sequence[GivenDrag]) -> None:
        self._drags = drags
        self.at_secs = tuple(sorted({drag.at_secs for drag in drags}))

    def command(self, at_secs: float, letterbox: Letterbox, *, stamp_ns: int,
                duration_secs: float) -> DragCommand:
        """What is dragged at one of the moments, in the model's pixels; raises DragStreamError."""
        drags = [drag for drag in self._drags if drag.at_secs == at_secs]
        frozen = [drag.frozen for drag in drags if drag.frozen is not None]
        command = DragCommand(
            drag_id='given', operator_id='', mode=DragMode.ANIMATE, stamp_ns=stamp_ns,
            handles=tuple(handle for drag in drags for handle in drag.handles),
            image_size=drags[0].image_size or letterbox.source_size,
            frozen=np.logical_or.reduce(frozen) if frozen else None, duration_secs=duration_secs)
        validate_command(command)
        return transform_command(command, letterbox)

    def described(self) -> list[dict[str, Any]]:
        """Plain data."""
        return [{'at_secs': drag.at_secs, 'paths': [x.path_px.tolist() for x in drag.handles]}
                for drag in self._drags]


def read_drags(path: pathlib.Path) -> GivenDrags:
    """Read a file like that of ``dragstream replay --drags``; raises DragPlanError."""
    return GivenDrags([
        GivenDrag(at_secs=drag.at_secs, handles=(_planned(drag),)) for drag in load_drags(path)])


def drags_of_messages(
    messages: Sequence[BagMessage], *, first_ns: int, has_stamps: bool
) -> tuple[GivenDrags, list[str]]:
    """Convert recorded dragstream_ros/Drag messages; also says which make no sense.

    Of a drag that was changed on its way the last path counts; one that was taken back does not.
    """
    last: dict[str, GivenDrag] = {}
    problems = []
    for recorded in messages:
        message = deserialize_message(recorded.cdr, Drag)
        if message.phase == Drag.CANCEL:
            last.pop(message.drag_id, None)
        if message.phase not in (Drag.BEGIN, Drag.UPDATE):
            continue
        try:
            command = command_from_drag(message)
        except DragStreamError as error:
            problems.append(f'A recorded drag was left out: {error.sentence}')
            continue
        at_ns = recorded.stamp_ns if has_stamps else recorded.logged_ns
        last[message.drag_id] = GivenDrag(
            at_secs=(at_ns - first_ns) / 1e9, image_size=command.image_size, frozen=command.frozen,
            handles=tuple(_timed(handle, command.duration_secs) for handle in command.handles))
    return GivenDrags([drag for drag in last.values() if drag.at_secs >= 0]), problems


def _planned(drag: PlannedDrag) -> DragHandle:
    return _timed(DragHandle(path_px=drag.path_px), drag.duration_secs)


def _timed(handle: DragHandle, duration_secs: float) -> DragHandle:
    """With times, so that it goes at constant speed and then stays, however long is predicted."""
    if handle.times_secs is not None:
        return handle
    steps_px = np.linalg.norm(np.diff(handle.path_px, axis=0), axis=1)
    way_px = np.concatenate([[0.0], np.cumsum(steps_px)])
    return replace(handle, times_secs=duration_secs * way_px / max(way_px[-1], 1e-9))
