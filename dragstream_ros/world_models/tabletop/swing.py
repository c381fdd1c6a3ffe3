"""A part that hangs on the rest of its thing does not leave it: it swings about where it hangs.

A drag that leads around the joint turns it, as a link; any other shifts it, as a lid.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, Operation
from dragstream_ros.core.region import dilate
from dragstream_ros.core.table_view import TableView
from dragstream_ros.world_models.tabletop.what_stays import part_of

TOUCH_PX = 3        # from the part: what is so near of the rest is where it hangs
OFF_SHARE = 0.7     # of the way from there to the handle, that the middle of the arc may be off
LEAST_SHARE = 0.6   # of that way, for the radius of the arc
STRAYS_PX = 2.0     # from the arc: what leads farther is none


def swing_parts(command: DragCommand, things: np.ndarray, view: TableView | None) -> DragCommand:
    """The command, on a frame of which it is known to which thing a pixel belongs.

    things: (H, W) int32, see ThingPieces.
    """
    masks = [handle.mask for handle in command.handles if handle.mask is not None]
    dragged = np.any(masks, 0) if masks else np.zeros(things.shape, bool)
    handles = []
    for handle in command.handles:
        thing = 0 if handle.mask is None else part_of(things, handle.mask, dragged)
        handles.append(handle if thing == 0 else
                       swung(handle, (things == thing) & ~dragged, view))
    return replace(command, handles=tuple(handles))


def swung(handle: DragHandle, rest: np.ndarray, view: TableView | None) -> DragHandle:
    """The handle of a part with the rest (H, W) bool of its thing.

    It is turned if the path is an arc, on the table, about a point near to where the part hangs.
    """
    assert handle.mask is not None
    near = dilate(torch.from_numpy(handle.mask), TOUCH_PX).numpy()
    rows, columns = np.nonzero(near & rest)
    if handle.operation is not Operation.TRANSLATE or not len(rows) or len(handle.path_px) < 3:
        return handle
    hangs = np.array([columns.mean(), rows.mean()])
    flat = np.array([1.0, 1.0 if view is None else view.flatness(hangs[1] / len(rest))])
    path, at = handle.path_px / flat, hangs / flat
    # |p|^2 = 2 p c + r^2 - |c|^2 for every point p of a circle.
    (x, y, offset), *_ = np.linalg.lstsq(
        np.column_stack([2 * path, np.ones(len(path))]), (path ** 2).sum(1), rcond=None)
    joint = np.array([x, y])
    radius, arm = float(np.sqrt(max(offset + joint @ joint, 0.0))), path[0] - at
    length = max(float(np.linalg.norm(arm)), 1.0)
    strays = np.abs(np.linalg.norm(path - joint, axis=1) - radius).max()
    if (np.linalg.norm(joint - at) > OFF_SHARE * length or radius < LEAST_SHARE * length
            or strays > STRAYS_PX):
        return handle
    return replace(handle, operation=Operation.ROTATE, centre_px=joint * flat)
