"""A robot that carries out drags: what is grabbed follows its path, everything else rests.

It takes the teleoperator's place, and like it knows nothing of MuJoCo. A gripper that is dragged
stays at its height and takes along what it holds; an object that is dragged slides on the table,
as it would in the hand of somebody out of sight. Both run into what is in their way. An object that
is dragged by its lid or link stays, and only that part turns, as far as its hinge lets it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, position_at
from dragstream_ros.simulation.camera import Camera
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.object_shape import Limb, ObjectShape
from dragstream_ros.simulation.teleoperator import Commands

SETTLE_SECS = 0.5  # how long an object is still pulled to the end of its path
ANGLES = 25         # of a hinge that are tried, coarsely and then finely


@dataclass(frozen=True, kw_only=True, eq=False)
class DraggedThing:
    """One handle of a drag on a gripper or an object.

    index: of the hand (0, 1) or of the object. place_m: (3,) the point that was grabbed. limb: of
    the object, if it was grabbed there.
    """

    is_hand: bool
    index: int
    handle: DragHandle
    duration_secs: float
    camera: Camera
    corner_px: tuple[int, int]
    place_m: np.ndarray
    limb: Limb | None = None

    def way_m(self, t_secs: float) -> np.ndarray:
        """(2,) metres on the table: how far the thing shall have gone by then."""
        pixels = np.stack([self.handle.path_px[0],
                           position_at(self.handle, t_secs, self.duration_secs)]) - self.corner_px
        start, now = self.camera.on_table(pixels, height=self.place_m[2])
        return np.asarray(now - start)

    def angle(self, t_secs: float, pose: np.ndarray) -> float:
        """The hinge's angle at which what was grabbed is seen nearest to where it shall be then.

        ``pose`` (5,): the object's, when it was grabbed.
        """
        assert self.limb is not None
        pixel = position_at(self.handle, t_secs, self.duration_secs) - self.corner_px
        pixel = pixel - self.handle.path_px[0] + self.corner_px + self.camera.project(self.place_m)
        point = self.limb.from_world(self.place_m, pose, pose[4])[None]
        low, high = self.limb.range
        for _ in range(2):
            angles = np.linspace(low, high, ANGLES)
            seen_px = self.camera.project(np.concatenate(
                [self.limb.in_world(point, pose, angle) for angle in angles]))
            best = int(np.linalg.norm(seen_px - pixel, axis=1).argmin())
            low, high = angles[max(best - 1, 0)], angles[min(best + 1, ANGLES - 1)]
        return float(angles[best])


class DraggedRobot:
    """Two hands, which stay as they were, and the drag that is being carried out."""

    def __init__(self, hands: Sequence[Hand]) -> None:
        self._hands = [copy.copy(hand) for hand in hands]
        self._dragged: list[DraggedThing] = []
        self._starts: list[np.ndarray] = []
        self._elapsed = 0.0

    @property
    def hands(self) -> Sequence[Hand]:
        """Left and right."""
        return self._hands

    def drag(self, things: Sequence[DraggedThing]) -> None:
        """Carry this out from the next tick on, in place of what is left of another drag."""
        self._dragged, self._starts, self._elapsed = list(things), [], 0.0

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """Advance by one tick. ``poses`` (n, 5): the objects' x, y, z, yaw, hinge."""
        if not self._starts:
            self._starts = [
                (self._hands[thing.index].pose if thing.is_hand else poses[thing.index]).copy()
                for thing in self._dragged]
        self._elapsed += dt_secs
        slides, bends = {}, {}
        for thing, start in zip(self._dragged, self._starts):
            way = thing.way_m(self._elapsed)
            pulled = self._elapsed <= thing.duration_secs + SETTLE_SECS
            if thing.limb is not None:
                if pulled:
                    now, last = (thing.angle(secs, start)
                                 for secs in (self._elapsed, self._elapsed - dt_secs))
                    bends[thing.index] = np.array([now, (now - last) / max(dt_secs, 1e-6)])
                    slides[thing.index] = np.array([*start[[0, 1, 3]], 0.0, 0.0, 0.0])
            elif thing.is_hand:
                pose = start.copy()
                pose[:2] += way
                self._hands[thing.index].pose = pose
            elif pulled:
                speed = (way - thing.way_m(self._elapsed - dt_secs)) / max(dt_secs, 1e-6)
                slides[thing.index] = np.array([*(start[:2] + way), start[3], *speed, 0.0])
        held = {hand.held: hand.held_pose() for hand in self._hands}
        return Commands(
            hands=tuple(hand.pose for hand in self._hands), slides=slides, bends=bends,
            held={index: pose for index, pose in held.items()
                  if index is not None and pose is not None and index not in slides})


def dragged_things(
    command: DragCommand, *, mask: np.ndarray, places_m: np.ndarray, on_limb: np.ndarray,
    shapes: Sequence[ObjectShape], camera: Camera, corner_px: tuple[int, int],
) -> list[DraggedThing]:
    """What a drag grabs, by the truth of the picture it is given on; nothing: the table.

    mask: (H, W) uint8 as in truth.Truth: 1 and 2 are the grippers, 3 and on the objects. places_m:
    (H, W, 3), what each pixel shows; on_limb: (H, W) bool, whether that is an object's limb.
    """
    things = []
    for handle in command.handles:
        x, y = np.clip(np.rint(handle.path_px[0]).astype(int), 0, np.array(mask.shape[::-1]) - 1)
        if mask[y, x]:
            is_hand = bool(mask[y, x] <= 2)
            index = int(mask[y, x]) - (1 if is_hand else 3)
            things.append(DraggedThing(
                is_hand=is_hand, index=index, handle=handle, duration_secs=command.duration_secs,
                camera=camera, corner_px=corner_px, place_m=places_m[y, x],
                limb=shapes[index].limb if on_limb[y, x] else None))
    return things
