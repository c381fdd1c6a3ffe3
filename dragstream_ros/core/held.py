"""What a drag holds, in pixels: which region of which picture, and where every frame has it.

The region comes with the drag, or is grown around the touched point.  What is held is put where it
is dragged as it was grabbed: shifted, or turned as it stands (body.py), and grown where it comes
nearer to the camera; the model has to fit the rest to it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
import torch

from dragstream_ros.core import region
from dragstream_ros.core.bars import content_of, over_bars
from dragstream_ros.core.body import RIM_PX, Body
from dragstream_ros.core.drag import (
    DragCommand,
    DragHandle,
    DragMode,
    Operation,
    poses_at,
)
from dragstream_ros.core.hand import Hand
from dragstream_ros.core.join_handles import one_of_each
from dragstream_ros.core.lid import Lid
from dragstream_ros.core.pose import Pose

LEAST_TURN_RAD = np.radians(3)  # less is how hands shake
# The region (H, W) bool around one or more points (x, y) of an (H, W, 3) uint8 RGB picture.
Grow = Callable[..., np.ndarray]


def with_regions(command: DragCommand, picture: np.ndarray, grow: Grow) -> DragCommand:
    """Give a region of the command's picture to every handle with neither mask nor radius.

    What is turned is also looked for around its centre: mostly it turns about a point of itself.
    """
    return replace(command, handles=tuple(
        handle if handle.mask is not None or handle.radius_px is not None
        else replace(handle, mask=grow(picture, *touched_px(handle, command.image_size)))
        for handle in command.handles))


def touched_px(handle: DragHandle, image_size: tuple[int, int]) -> list[np.ndarray]:
    """The points (x, y) of the picture by which an operator says what is meant."""
    points_px, last_px = [handle.path_px[0]], np.array(image_size) - 1
    centre_px = handle.centre_px
    if centre_px is not None and ((centre_px >= 0) & (centre_px <= last_px)).all():
        points_px.append(centre_px)
    return points_px


@dataclass(frozen=True, eq=False)
class Held:
    """The handles of one chunk.

    picture: (H, W, 3) uint8 RGB, of command time; masks: (n, H, W) bool, what each handle holds in
    it, and hidden, the same, what others hide of that; bodies: n, how all of it looks; start: n
    poses in the last frame before the chunk; poses: n of each of its F frames; frozen: (H, W) bool,
    what must not change, or None.
    of_last: the picture is not of before the chunk, but its own last frame, which is redone.
    """

    picture: np.ndarray
    masks: torch.Tensor
    hidden: torch.Tensor
    bodies: list[Body]
    start: list[Pose]
    poses: list[list[Pose]]
    frozen: torch.Tensor | None
    of_last: bool = False

    @classmethod
    def of(cls, command: DragCommand, picture: np.ndarray, times_secs: np.ndarray) -> Held:
        """Take them from a command; times_secs: (F + 1,) after its start, the first before."""
        command, size = one_of_each(command), command.image_size
        content = content_of(picture)
        whole = over_bars(picture, content)
        start, *poses = poses_at(command, times_secs)
        masks, hidden = [], []
        bodies: list[Body] = []
        for handle in command.handles:
            masks.append(region.handle_region(handle, image_size=size, latent_size=size))
            grasp = handle.grasp
            hidden.append(torch.zeros_like(masks[-1]) if grasp.hidden is None
                          else torch.from_numpy(grasp.hidden))
            mask, behind = (torch.from_numpy(over_bars(of.numpy(), content))
                            for of in (masks[-1], hidden[-1]))
            seen = (whole, mask, handle.path_px[0], behind)
            if grasp.hinge is not None:
                bodies.append(Lid.on(grasp.hinge, *seen))
            elif grasp.wrist is not None:
                bodies.append(Hand.on(grasp.wrist, *seen[:3]))
            # Without a horizon nobody knows from where the camera looks.
            elif _turns(handle) and grasp.horizon_px is not None:
                bodies.append(Body.standing(*seen, grasp.sides))
            else:
                bodies.append(Body.flat(*seen))
        frozen = None if command.frozen is None else torch.from_numpy(command.frozen)
        return cls(picture, torch.stack(masks), torch.stack(hidden), bodies, start, poses, frozen,
                   command.mode is DragMode.EDIT)

    @cached_property
    def shown(self) -> list[list[tuple[region.Window, torch.Tensor]]]:
        """By handle and frame, where it is and how it looks there: see Body.after."""
        return [[body.after(self.pixels(pose)) for pose in poses]
                for body, *poses in zip(self.bodies, *self.poses, strict=True)]

    def swept(self) -> torch.Tensor:
        """Where any of the chunk's frames has any of it, (H, W) bool."""
        swept = torch.zeros_like(self.masks[0])
        for (rows, columns), layer in chain.from_iterable(self.shown):
            swept[rows, columns] |= layer[3] > 0.5
        return swept

    def left(self) -> torch.Tensor:
        """What of the frame before the chunk shows them, with the rim, (H, W) bool.

        Also what is held still: the model, which saw it move, may want to let it go on.
        """
        left = torch.zeros(self.masks.shape[1:], dtype=torch.bool)
        for body, start in zip(self.bodies, self.start, strict=True):
            (rows, columns), layer = body.after(self.pixels(start))
            left[rows, columns] |= layer[3] > 0.5
        return region.dilate(left, RIM_PX)

    def put(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames (F, 3, H, W), in 0..1, with what is held, or frozen, in its place.

        And where that is, (F, 1, H, W) in 0..1.
        """
        frames = frames.clone()
        covered = frames.new_zeros(len(frames), 1, *frames.shape[2:])
        for shown in self.shown:
            for frame, cover, ((rows, columns), layer) in zip(
                    frames, covered, shown, strict=True):
                frame[:, rows, columns] = frame[:, rows, columns].lerp(layer[:3], layer[3:])
                cover[:, rows, columns] = cover[:, rows, columns].maximum(layer[3:])
        if self.frozen is None:
            return frames, covered
        content = torch.from_numpy(self.picture).permute(2, 0, 1).float() / 255
        return torch.where(self.frozen, content, frames), covered.maximum(self.frozen.float())

    def origin(self) -> torch.Tensor:
        """Where in its picture what the last frame shows of it is from: (2, H, W) px, (x, y).

        NaN where the frame shows none of it, or what was hidden.
        """
        found = torch.full((2, *self.masks.shape[1:]), torch.nan)
        for body, hidden, pose in zip(
                self.bodies, self.hidden, map(self.pixels, self.poses[-1]), strict=True):
            (rows, columns), origin = body.origin(pose)
            x, y = origin.nan_to_num().round().long()
            origin[:, hidden[y, x]] = torch.nan
            found[:, rows, columns] = origin.where(~origin.isnan(), found[:, rows, columns])
        return found

    def pixels(self, pose: Pose) -> region.CellPose:
        """A pose of its picture's pixels."""
        size = (self.picture.shape[1], self.picture.shape[0])
        return region.to_cells(pose, image_size=size, latent_size=size)


def _turns(handle: DragHandle) -> bool:
    """Is it turned, by itself or by all handles on its thing?"""
    grip = handle.grasp.grip
    if grip is None:
        return handle.operation is Operation.ROTATE
    return grip.most_turned_rad(handle.grasp.flatness) >= LEAST_TURN_RAD
