"""Who turns an arm turns its hand: an arm hangs on its shoulder, and what turns is its wrist."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dragstream_ros.core.drag import DragCommand, Operation
from dragstream_ros.core.join_handles import on_hand, one_of_each
from dragstream_ros.core.mask_pixels import at_border
from dragstream_ros.core.table_view import TableView
from dragstream_ros.core.wrist import Wrist
from dragstream_ros.world_models.tabletop.find_hand import find_hand
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture
from dragstream_ros.world_models.tabletop.what_stays import MOST_OF_IT, carries, does_rest

GRIPPED = 1.3   # heights of a palm from between the fingers: the middle of what they hold


def turn_hands(seen: SeenPicture, command: DragCommand, frame: np.ndarray,
               view: TableView | None) -> DragCommand:
    """Who turns an arm, by one handle or by several, turns its hand, and what that carries.

    Where no hand is to be told from its arm, that is not turned at all.
    """
    if view is None or view.tilt_deg is None:
        return command
    handles, arms = list(command.handles), seen.shows(seen.pieces.arms)
    for handle in one_of_each(command).handles:
        grip, mask, centre_px = handle.grasp.grip, handle.mask, handle.turned_about_px
        number = 0 if mask is None or centre_px is None else _arm_of(arms, mask)
        if not number:
            continue
        assert mask is not None and centre_px is not None
        if not at_border(mask):       # a hand that is marked is turned on its arm, too
            mask = mask | (arms == number)
        its = [index for index, other in enumerate(handles)
               if other is handle or grip is not None and other.grasp.grip is grip]
        wrist = find_hand(frame, mask, centre_px, view)
        if wrist is None and grip is None:
            stays = replace(handle, operation=Operation.TRANSLATE, path_px=handle.path_px[:1],
                            times_secs=None, centre_px=None)
            handles[its[0]] = stays
        elif wrist is not None:
            others = [other.mask for index, other in enumerate(handles)
                      if index not in its and other.mask is not None]
            wrist = replace(wrist, carried=_carried(seen, arms == number, wrist, others))
            turned = on_hand([handles[index] for index in its], wrist, command.duration_secs)
            mask = np.any([mask, *wrist.carried], 0)
            for index in its:
                handles[index] = replace(handles[index], mask=mask).grasped(
                    wrist=wrist, grip=turned)
    return replace(command, handles=tuple(handles))


def _arm_of(arms: np.ndarray, mask: np.ndarray) -> int:
    """The arm, (H, W) int32 all of them, that a mask (H, W) bool is of; 0: of none."""
    counts = np.bincount(arms[mask], minlength=2)
    arm = int(counts[1:].argmax()) + 1
    return arm if counts[arm] > MOST_OF_IT * mask.sum() else 0


def _carried(seen: SeenPicture, arm: np.ndarray, wrist: Wrist, dragged: Sequence[np.ndarray],
             ) -> tuple[np.ndarray, ...]:
    """The things, (H, W) bool each, that an arm (H, W) bool holds: they are between its fingers.

    But for what is dragged by itself, (H, W) bool each.
    """
    things = seen.shows(np.where(seen.pieces.arms > 0, 0, seen.pieces.things))
    arm_rests, between_px = does_rest(arm, seen.rests), wrist.between_px
    found = []
    for number in np.unique(things[things > 0]):
        its = things == number
        middle_px = np.argwhere(its).mean(0)[::-1]
        away_px = float(np.linalg.norm(middle_px - between_px))
        is_dragged = any(2 * (mask & its).sum() > its.sum() for mask in dragged)
        if not is_dragged and away_px < GRIPPED * wrist.thick_px and carries(arm, its, arm_rests):
            found.append(its)
    return tuple(found)
