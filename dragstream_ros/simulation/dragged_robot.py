"""A robot that carries out drags: what is grabbed follows its path, everything else rests.

It takes the teleoperator's place, and like it knows nothing of MuJoCo. A gripper that is dragged
stays at its height and takes along what it holds; an object that is dragged slides on the table,
as it would in the hand of somebody out of sight. Both run into what is in their way.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, position_at
from dragstream_ros.simulation.camera import Camera
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.teleoperator import Commands

SETTLE_SECS = 0.5  # how long an object is still pulled to the end of its path


@dataclass(frozen=True, kw_only=True, eq=False)
class Grip:
    """One handle of a drag on a gripper or an object.

    index: of the hand (0, 1) or of the object. height_m: of the point that was grabbed.
    """

    is_hand: bool
    index: int
    handle: DragHandle
    duration_secs: float
    camera: Camera
    corner_px: tuple[int, int]
    height_m: float

    def way_m(self, t_secs: float) -> np.ndarray:
        """(2,) metres on the table: how far the thing shall have gone by then."""
        pixels = np.stack([self.handle.path_px[0],
                           position_at(self.handle, t_secs, self.duration_secs)]) - self.corner_px
        start, now = self.camera.on_table(pixels, height=self.height_m)
        return np.asarray(now - start)


class DraggedRobot:
    """Two hands, which stay as they were, and the drag that is being carried out."""

    def __init__(self, hands: Sequence[Hand]) -> None:
        self._hands = [copy.copy(hand) for hand in hands]
        self._grips: list[Grip] = []
        self._starts: list[np.ndarray] = []
        self._elapsed = 0.0

    @property
    def hands(self) -> Sequence[Hand]:
        """Left and right."""
        return self._hands

    def drag(self, grips: Sequence[Grip]) -> None:
        """Carry this out from the next tick on, in place of what is left of another drag."""
        self._grips, self._starts, self._elapsed = list(grips), [], 0.0

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        """Advance by one tick. ``poses`` (n, 4): the objects' x, y, z, yaw now."""
        if not self._starts:
            self._starts = [
                (self._hands[grip.index].pose if grip.is_hand else poses[grip.index]).copy()
                for grip in self._grips]
        self._elapsed += dt_secs
        slides = {}
        for grip, start in zip(self._grips, self._starts):
            way = grip.way_m(self._elapsed)
            if grip.is_hand:
                pose = start.copy()
                pose[:2] += way
                self._hands[grip.index].pose = pose
            elif self._elapsed <= grip.duration_secs + SETTLE_SECS:
                speed = (way - grip.way_m(self._elapsed - dt_secs)) / max(dt_secs, 1e-6)
                slides[grip.index] = np.array([*(start[:2] + way), start[3], *speed, 0.0])
        held = {hand.held: hand.held_pose() for hand in self._hands}
        return Commands(
            hands=tuple(hand.pose for hand in self._hands), slides=slides,
            held={index: pose for index, pose in held.items()
                  if index is not None and pose is not None and index not in slides})


def grips_of(
    command: DragCommand, *, mask: np.ndarray, heights_m: np.ndarray, camera: Camera,
    corner_px: tuple[int, int],
) -> list[Grip]:
    """What a drag grabs, by the truth of the picture it is given on; nothing: the table.

    mask: (H, W) uint8 as in truth.Truth: 1 and 2 are the grippers, 3 and on the objects. heights_m:
    (H, W), of what each pixel shows, over the table.
    """
    grips = []
    for handle in command.handles:
        x, y = np.clip(np.rint(handle.path_px[0]).astype(int), 0, np.array(mask.shape[::-1]) - 1)
        if mask[y, x]:
            label = int(mask[y, x])
            grips.append(Grip(
                is_hand=label <= 2, index=label - 1 if label <= 2 else label - 3, handle=handle,
                duration_secs=command.duration_secs, camera=camera, corner_px=corner_px,
                height_m=float(heights_m[y, x])))
    return grips
