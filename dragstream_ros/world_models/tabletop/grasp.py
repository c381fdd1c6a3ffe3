"""What an operator grabs, whole: as it was really seen, and with what others hide of it.

What is dragged from below an arm would have a hole of that shape; so would a link that is turned
about a joint below the rest of its thing, and the rest where the link lay in front of it.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.core.held import Grow, touched_px, with_regions
from dragstream_ros.core.join_handles import join_handles, united
from dragstream_ros.core.mask_pixels import pixel_at
from dragstream_ros.core.table_view import TableView
from dragstream_ros.masks.fill_from_nearest import fill_from_nearest
from dragstream_ros.world_models.tabletop.backdrop import convex, grown
from dragstream_ros.world_models.tabletop.behind_lid import behind_lid
from dragstream_ros.world_models.tabletop.hidden_parts import RIM_PX
from dragstream_ros.world_models.tabletop.recall import recalled
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture
from dragstream_ros.world_models.tabletop.swing import swing_parts
from dragstream_ros.world_models.tabletop.turn_hands import turn_hands
from dragstream_ros.world_models.tabletop.what_stays import (
    carries,
    does_rest,
    part_of,
    rest_of,
)

BESIDE_PX = 2   # something else: a touch that is not to the pixel
ALIKE = 0.8     # intersection over union: then a region is the thing


def grasped(seen: SeenPicture, frame: np.ndarray, command: DragCommand, grow: Grow, *,
            is_real: bool, view: TableView | None) -> tuple[SeenPicture, np.ndarray, DragCommand]:
    """Find the regions of a command on a frame (H, W, 3) uint8 RGB, and make them whole.

    Returns what was seen, as of the drag, the frame as far as that is grabbed, and the command.
    is_real: the frame is the picture that was seen.
    """
    handles = []
    for handle in command.handles:
        found = None
        if not is_real and handle.mask is None and handle.radius_px is None:
            found = recalled(seen, frame, touched_px(handle, command.image_size), grow)
        if found is not None:
            frame, mask, seen = found
            handle = replace(handle, mask=mask)
        handles.append(handle)
    things, arms = (seen.shows(of) for of in (seen.pieces.things, seen.pieces.arms))
    touched = command

    def region(picture: np.ndarray, *points_px: np.ndarray) -> np.ndarray:
        return _without_others(things, grow(picture, *_meant(things, arms, points_px)))

    command = with_regions(replace(command, handles=tuple(handles)), frame, region)
    command = join_handles(_as_one_thing(command, touched, things))
    command = turn_hands(seen, command, frame, view)
    # A hand that is marked hangs on its arm, which is the robot's to move.
    jointed = np.where(arms > 0, 0, things)
    command = swing_parts(command, frame, jointed, view)
    seen = _with_rest_behind(seen, frame, command, things)
    if is_real:
        command = _with_hidden(seen, command)
    return seen.dragged(frame), frame, command


def _without_others(things: np.ndarray, region: np.ndarray) -> np.ndarray:
    """A region (H, W) bool that is all but one thing, but for what it has of others.

    Of one of which it has most, that is meant as well.
    """
    number = int(np.bincount(things[region]).argmax())
    its = things == number
    if number == 0 or (its & region).sum() <= ALIKE * (its | region).sum():
        return region
    inside, whole = (np.bincount(of, minlength=int(things.max()) + 1)
                     for of in (things[region], things.ravel()))
    is_meant = 2 * inside > whole
    is_meant[0] = True
    return region & is_meant[things]


def _as_one_thing(command: DragCommand, touched: DragCommand, things: np.ndarray) -> DragCommand:
    """Handles that touch one thing, which is known, are on all that was found of it by each.

    touched: the command as it came, without regions but those that are meant as they are.
    """
    numbers = []
    for handle in touched.handles:
        is_marked = handle.mask is not None or handle.radius_px is not None
        numbers.append(0 if is_marked else _at(things, handle.path_px[0]))
    handles = []
    for handle, number in zip(command.handles, numbers, strict=True):
        if number and numbers.count(number) > 1:
            handle = replace(handle, mask=united(
                other for other, its in zip(command.handles, numbers) if its == number))
        handles.append(handle)
    return replace(command, handles=tuple(handles))


def _meant(things: np.ndarray, arms: np.ndarray, points_px: tuple[np.ndarray, ...],
           ) -> tuple[np.ndarray, ...]:
    """The touched points that say what is meant, see core.held.touched_px.

    A hand turns about its own axis, whatever is seen where it is said to turn.  But what is touched
    at its edge, beside an arm, is what is seen there.
    """
    point_px, *centre_px = points_px
    if not (centre_px and _at(arms, point_px)):
        return points_px
    number = _at(np.where(arms > 0, 0, things), centre_px[0])
    is_beside = number and _at(grown(things == number, BESIDE_PX), point_px)
    return points_px if is_beside else points_px[:1]


def _at(numbers: np.ndarray, point_px: np.ndarray) -> int:
    """What a map (H, W) says at a point (2,), (x, y), of the picture, its rim included."""
    return int(numbers[pixel_at(numbers.shape, point_px)])


def _with_hidden(seen: SeenPicture, command: DragCommand) -> DragCommand:
    """What arms hide of whole things, but for those that carry them, or are dragged as well."""
    things, arms = seen.pieces.things, seen.pieces.arms
    masks = [handle.mask for handle in command.handles if handle.mask is not None]
    handles = []
    for handle in command.handles:
        number = 0 if handle.mask is None else _whole(things, handle.mask)
        if number in seen.hidden and handle.grasp.hidden is None:
            assert handle.mask is not None
            hidden = seen.hidden[number].mask & (arms > 0) & ~handle.mask
            for arm in set(np.unique(arms[hidden])) - {0}:
                its = arms == arm
                if (carries(its, handle.mask & (arms == 0), does_rest(its, seen.rests))
                        or any(2 * (mask & its).sum() > mask.sum() for mask in masks)):
                    hidden &= ~its
            handle = handle.grasped(hidden=hidden if hidden.any() else None)
        handles.append(handle)
    return replace(command, handles=tuple(handles))


def _whole(things: np.ndarray, mask: np.ndarray) -> int:
    """The thing that a mask (H, W) bool is of, if it is most of it; else 0."""
    number = int(np.bincount(things[mask]).argmax())
    its = things == number
    return number if 2 * (its & mask).sum() > max(its.sum(), mask.sum()) else 0


def _with_rest_behind(seen: SeenPicture, frame: np.ndarray, command: DragCommand,
                      things: np.ndarray) -> SeenPicture:
    """Where a part lies in front of the rest of its thing, that is behind it, and no table."""
    masks = [handle.mask for handle in command.handles if handle.mask is not None]
    if seen.backdrop is None or not masks:
        return seen
    table, sure, dragged = seen.backdrop.table.copy(), seen.backdrop.sure.copy(), np.any(masks, 0)
    for handle in command.handles:
        thing = 0 if handle.mask is None else part_of(things, handle.mask, dragged)
        rest = rest_of(things, thing, dragged)
        if not thing or not rest.any():
            continue
        assert handle.mask is not None
        if handle.grasp.hinge is not None:
            box = (things == thing) & ~grown(dragged, RIM_PX)
            behind, shown = behind_lid(frame, handle.mask, box, handle.grasp.hinge)
            table[behind], sure[behind] = shown[behind], True
        else:
            behind = convex(rest) & grown(handle.mask, RIM_PX)
            inside = rest & ~grown(~rest, RIM_PX)
            table[behind] = fill_from_nearest(frame, inside if inside.any() else rest)[behind]
    return replace(seen, backdrop=replace(seen.backdrop, table=table, sure=sure))
