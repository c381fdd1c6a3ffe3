"""A part that hangs on the rest of its thing does not leave it: it swings about where it hangs.

A link turns about a joint, and where that is seen below the rest, so is its end. A lid swings up
from its hinge. Its outline and the drag tell which of them it is; if neither, it is shifted.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, Operation
from dragstream_ros.core.held import RIM_PX
from dragstream_ros.core.sides import Sides
from dragstream_ros.core.table_view import TableView
from dragstream_ros.world_models.tabletop.backdrop import convex, grown
from dragstream_ros.world_models.tabletop.find_hinge import find_hinge
from dragstream_ros.world_models.tabletop.find_joint import find_joint
from dragstream_ros.world_models.tabletop.what_stays import part_of

WIDEST = 85             # percentile of how far a link is from its axis, for half its width
AS_WIDE = 2.5           # half widths about the joint: there a link is as wide as at its end
TOUCH_PX = 3            # from the rest: what is so near of an outline touches it
TOUCHES, STRAYS, LINKS = 21.0, 4.0, 9.0     # what speaks for a lid, and for a link: see lids.md
FROM_ABOVE = TableView(horizon=0.0)     # where nobody knows how the camera looks


def swing_parts(command: DragCommand, frame: np.ndarray, things: np.ndarray,
                view: TableView | None) -> DragCommand:
    """The command, on a frame (H, W, 3) uint8 RGB, with how the parts of things hang.

    things: (H, W) int32, see ThingPieces.
    """
    masks = [handle.mask for handle in command.handles if handle.mask is not None]
    dragged = np.any(masks, 0) if masks else np.zeros(things.shape, bool)
    beside, handles = ~grown(dragged, RIM_PX), []
    for handle in command.handles:
        thing = 0 if handle.mask is None else part_of(things, handle.mask, dragged)
        handles.append(handle if thing == 0 else
                       _swung(handle, frame, things == thing, beside, view))
    return replace(command, handles=tuple(handles))


def _swung(handle: DragHandle, frame: np.ndarray, thing: np.ndarray, beside: np.ndarray,
           view: TableView | None) -> DragHandle:
    """The handle of a part of a thing (H, W) bool; beside: (H, W) bool, all but what is dragged."""
    part = handle.mask
    assert part is not None
    if handle.operation is not Operation.TRANSLATE or len(handle.path_px) < 2:
        return handle
    rest = thing & beside
    joint = find_joint(handle.path_px, part, rest, view or FROM_ABOVE) if rest.any() else None
    # Straight from above a lid that swings up looks like one that shrinks.
    lid = find_hinge(handle.path_px, part, view) if view and view.tilt_deg is not None else None
    if lid is not None and (joint is None or _is_lid(lid[1], joint.strays_px, part, rest)):
        return handle.grasped(hinge=lid[0])
    if joint is None:
        return handle
    turned = replace(handle, operation=Operation.ROTATE, centre_px=joint.place_px)
    if not joint.is_below:
        return turned
    sides = Sides.of(frame, thing)
    flat = (1.0, (view or FROM_ABOVE).flatness(joint.place_px[1] / len(part)))
    hidden = _end(frame, part, thing, joint.place_px, flat, sides)
    return turned.grasped(sides=sides, hidden=hidden if hidden.any() else None)


def _is_lid(against_hinge: float, strays_px: float, part: np.ndarray, rest: np.ndarray) -> bool:
    """Rather than a link: the rest is all around a lid that lies, and but at one end of a link."""
    outline = part & grown(~part, 1)
    touches = (outline & grown(rest, TOUCH_PX)).sum() / outline.sum()
    return bool(against_hinge < TOUCHES * touches + STRAYS * strays_px - LINKS)


def _end(frame: np.ndarray, part: np.ndarray, thing: np.ndarray, joint_px: np.ndarray,
         flat: tuple[float, float], sides: Sides) -> np.ndarray:
    """What the rest of a thing hides of a link, (H, W) bool all: round about the joint, as wide.

    flat: width and height of a circle on the table.
    """
    around = ~grown(~grown(thing | part, 1), 1) & ~part
    top, _ = sides.top(frame, part, around)
    from_joint = (np.stack(list(np.indices(part.shape)[::-1]), -1) - joint_px) / flat
    away = np.linalg.norm(from_joint, axis=-1)
    own = from_joint[top]
    along = own.mean(0) / max(float(np.linalg.norm(own.mean(0))), 1.0)
    half = min(float(np.percentile(np.abs(own @ (-along[1], along[0])), WIDEST)),
               float(away[~thing & ~part].min()))
    whole = convex((away <= half) | top & (away <= AS_WIDE * half))
    for _ in range(sides.px):
        whole[1:] |= whole[:-1]
    return whole & around
