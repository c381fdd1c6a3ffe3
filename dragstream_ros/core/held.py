"""What a drag holds, in pixels: which region of which picture, and where every frame has it.

The region comes with the drag, or is grown around the touched point.  What is held is put where it
is dragged as it was grabbed: shifted, or turned, and grown where it comes nearer to the camera; the
model has to fit the rest to it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from dragstream_ros.core import region
from dragstream_ros.core.drag import NOOP_BELOW_PX, DragCommand, Pose, poses_at

RIM_PX = 1              # wide, where a thing's colours are mixed with what is behind it
# The region (H, W) bool around a point (x, y) of an (H, W, 3) uint8 RGB picture.
Grow = Callable[[np.ndarray, np.ndarray], np.ndarray]


def with_regions(command: DragCommand, picture: np.ndarray, grow: Grow) -> DragCommand:
    """Give a region of the command's picture to every handle with neither mask nor radius."""
    return replace(command, handles=tuple(
        handle if handle.mask is not None or handle.radius_px is not None
        else replace(handle, mask=grow(picture, handle.path_px[0]))
        for handle in command.handles))


@dataclass(frozen=True, eq=False)
class Held:
    """The handles of one chunk.

    picture: (H, W, 3) uint8 RGB, of command time; masks: (n, H, W) bool, what each handle holds in
    it; start: n poses in the last frame before the chunk; poses: n of each of its F frames; frozen:
    (H, W) bool, what must not change, or None.
    """

    picture: np.ndarray
    masks: torch.Tensor
    start: list[Pose]
    poses: list[list[Pose]]
    frozen: torch.Tensor | None

    @classmethod
    def of(cls, command: DragCommand, picture: np.ndarray, times_secs: np.ndarray) -> Held:
        """Take them from a command; times_secs: (F + 1,) after its start, the first before."""
        size = command.image_size
        start, *poses = poses_at(command, times_secs)
        masks = [region.handle_region(handle, image_size=size, latent_size=size)
                 for handle in command.handles]
        frozen = None if command.frozen is None else torch.from_numpy(command.frozen)
        return cls(picture, torch.stack(masks), start, poses, frozen)

    def left(self) -> torch.Tensor:
        """What of the frame before the chunk shows them, once they have moved on: (F, H, W) bool.

        With the rim; what stays leaves nothing.
        """
        left = torch.zeros(len(self.poses), *self.masks.shape[1:], dtype=torch.bool)
        for mask, start, *poses in zip(self.masks, self.start, *self.poses, strict=True):
            if not mask.any():      # its handle has left the picture
                continue
            shown = region.warp(mask, self._pixels(start))
            corners = region.box_corners(mask).numpy()
            for frame, pose in zip(left, poses, strict=True):
                moved_px = np.linalg.norm(pose.apply(corners) - start.apply(corners), axis=-1).max()
                if moved_px >= NOOP_BELOW_PX:
                    frame |= region.dilate(shown, RIM_PX)
        return left

    def put(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the frames (F, 3, H, W), in 0..1, with what is held, or frozen, in its place."""
        content = torch.from_numpy(self.picture).permute(2, 0, 1).float() / 255
        frames = frames.clone()
        for mask, *poses in zip(self.masks, *self.poses, strict=True):
            layer = torch.cat([content, mask.float()[None]])
            for frame, pose in zip(frames, map(self._pixels, poses), strict=True):
                rows, columns = window = region.window_after(mask, pose)
                moved = region.warp_smoothly(layer, pose, window)
                frame[:, rows, columns] = frame[:, rows, columns].lerp(moved[:3], moved[3:])
        return frames if self.frozen is None else torch.where(self.frozen, content, frames)

    def covers(self) -> torch.Tensor:
        """Where each frame shows what is held or frozen, (F, 1, H, W) in 0..1."""
        covered = torch.zeros(len(self.poses), 1, *self.masks.shape[1:])
        if self.frozen is not None:
            covered += self.frozen.float()
        for mask, *poses in zip(self.masks, *self.poses, strict=True):
            for frame, pose in zip(covered, map(self._pixels, poses), strict=True):
                rows, columns = window = region.window_after(mask, pose)
                moved = region.warp_smoothly(mask.float()[None], pose, window)
                frame[:, rows, columns] = frame[:, rows, columns].maximum(moved)
        return covered

    def _pixels(self, pose: Pose) -> region.CellPose:
        size = (self.picture.shape[1], self.picture.shape[0])
        return region.to_cells(pose, image_size=size, latent_size=size)
