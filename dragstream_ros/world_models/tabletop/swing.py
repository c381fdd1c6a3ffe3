"""A part that hangs on the rest of its thing does not leave it: it swings about where it hangs.

A drag that leads around the joint turns it, as a link, whose end goes on below the rest if the
joint is seen there; any other shifts it, as a lid.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, Operation
from dragstream_ros.core.region import dilate
from dragstream_ros.core.table_view import TableView
from dragstream_ros.world_models.tabletop.backdrop import convex, grown, opened
from dragstream_ros.world_models.tabletop.what_stays import part_of, rest_of

TOUCH_PX = 3        # from the part: what is so near of the rest is where it hangs
OFF_SHARE = 0.7     # of the way from there to the handle, that the middle of the arc may be off
LEAST_SHARE = 0.6   # of that way, for the radius of the arc
END_SHARE = 0.3     # of a link's width with its sides: how far about the joint its end goes on
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
                       swung(handle, things == thing, rest_of(things, thing, dragged), view))
    return replace(command, handles=tuple(handles))


def swung(handle: DragHandle, thing: np.ndarray, rest: np.ndarray,
          view: TableView | None) -> DragHandle:
    """The handle of a part of a thing (H, W) bool, of which there is a rest (H, W) bool.

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
    turned = replace(handle, operation=Operation.ROTATE, centre_px=joint * flat)
    x, y = np.rint(joint * flat).astype(int).clip(0, [rest.shape[1] - 1, rest.shape[0] - 1])
    return replace(turned, hidden=_end(handle.mask, thing, joint * flat)) if rest[y, x] else turned


def _end(part: np.ndarray, thing: np.ndarray, joint: np.ndarray) -> np.ndarray | None:
    """What the rest of a thing hides of a link, (H, W) bool all: round about the joint, as wide."""
    from_joint = np.stack(np.nonzero(part)[::-1], 1) - joint
    along = from_joint.mean(0) / max(float(np.linalg.norm(from_joint.mean(0))), 1.0)
    across = from_joint @ (-along[1], along[0])
    rows, columns = np.indices(part.shape)
    from_joint_px = np.hypot(columns - joint[0], rows - joint[1])
    end = from_joint_px <= END_SHARE * np.ptp(across)
    hull = convex(part & (from_joint_px <= np.ptp(across)) | end)
    hidden = opened(hull & thing | part) & grown(end, TOUCH_PX) & ~part
    return hidden if hidden.any() else None
