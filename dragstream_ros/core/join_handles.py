"""Handles whose regions are one and the same thing get one grip of it.

Each by itself would put the thing somewhere else, and there would be two of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from dragstream_ros.core.drag import (
    DragCommand,
    DragHandle,
    Operation,
    arrival_times,
    position_at,
)
from dragstream_ros.core.grip import Grip
from dragstream_ros.core.mask_pixels import at_border
from dragstream_ros.core.wrist import Wrist

ALIKE = 0.5             # intersection over union of regions that are of one thing
STEPS_OF_A_TURN = 32    # that its handle's way is cut into, which is no straight line


def join_handles(command: DragCommand) -> DragCommand:
    """The command whose handles on one thing share its region, of all of them, and a grip."""
    handles = list(command.handles)
    for together in _on_one_thing(handles):
        its = [handles[index] for index in together]
        mask = united(its)
        grip = _grip(its, command.duration_secs, turns=not at_border(mask))
        for index in together:
            handles[index] = replace(handles[index], mask=mask).grasped(grip=grip)
    return replace(command, handles=tuple(handles))


def on_hand(handles: list[DragHandle], wrist: Wrist, duration_secs: float) -> Grip:
    """The grip of the handles on one arm, of which the hand turns.

    A single one, a ROTATE, turns it about its axis, as far as it goes round its own centre.
    """
    handles = [handle.grasped(grip=None) for handle in handles]
    if len(handles) > 1:
        grip = _grip(handles, duration_secs, turns=True)
        lifts_px = [wrist.lift_px(handle.path_px[0]) for handle in handles]
        return replace(grip, points_px=grip.points_px + np.array(lifts_px))
    axis_px = np.broadcast_to(wrist.axis_px, handles[0].path_px.shape)
    around_px = handles[0].path_px - handles[0].centre_px
    return Grip(arrival_times(handles[0], duration_secs),
                np.stack([axis_px, axis_px + around_px], 1))


def united(handles: Iterable[DragHandle]) -> np.ndarray:
    """The regions (H, W) bool of handles, one of which has one at least, as one."""
    return np.asarray(np.any([of.mask for of in handles if of.mask is not None], 0))


def one_of_each(command: DragCommand) -> DragCommand:
    """The command with the first handle alone of those that share a grip."""
    handles: list[DragHandle] = []
    for handle in command.handles:
        grip = handle.grasp.grip
        if grip is None or all(grip is not other.grasp.grip for other in handles):
            handles.append(handle)
    return replace(command, handles=tuple(handles))


def _on_one_thing(handles: list[DragHandle]) -> list[list[int]]:
    """The numbers of those handles that are not alone on their thing, thing by thing."""
    groups: list[list[int]] = []
    for index, handle in enumerate(handles):
        if handle.mask is None:
            continue
        for group in groups:
            if _are_alike(handle.mask, handles[group[0]].mask):
                group.append(index)
                break
        else:
            groups.append([index])
    return [group for group in groups if len(group) > 1]


def _are_alike(mask: np.ndarray, other: np.ndarray | None) -> bool:
    return other is not None and bool((mask & other).sum() >= ALIKE * (mask | other).sum())


def _grip(handles: list[DragHandle], duration_secs: float, *, turns: bool) -> Grip:
    times_secs = np.concatenate([arrival_times(handle, duration_secs) for handle in handles])
    if any(handle.operation is Operation.ROTATE for handle in handles):
        steps = np.linspace(0, times_secs.max(), STEPS_OF_A_TURN + 1)
        times_secs = np.concatenate([times_secs, steps])
    times_secs = np.unique(times_secs)
    points_px = [[position_at(handle, float(t), duration_secs) for handle in handles]
                 for t in times_secs]
    return Grip(times_secs, np.array(points_px), turns)
