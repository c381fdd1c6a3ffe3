"""The shadows of what is held, where that goes.

A shadow is shifted and grown with its thing.  But it does not turn with it: it falls to where the
light has it fall.  So that of a turned thing is cast anew, as far and as dark as it was seen.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from dragstream_ros.core.hand import Hand
from dragstream_ros.core.held import Held
from dragstream_ros.core.lid import Lid
from dragstream_ros.core.region import CellPose, warp_smoothly, window_after
from dragstream_ros.world_models.tabletop.rigid_pieces import placed
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture

FARTHEST_PX = 12        # that a shadow falls, of what is turned on a table


def put_shadows(frames: torch.Tensor, held: Held, seen: SeenPicture) -> torch.Tensor:
    """Frames (F, 3, H, W) in 0..1 with the shadows of what is held, where that goes."""
    for mask, body, shown, *poses in zip(
            held.masks, held.bodies, held.shown, *held.poses, strict=True):
        if isinstance(body, Lid):       # what it hangs on keeps its shadow
            continue
        shade = torch.from_numpy(_shade_of(mask.numpy(), seen))
        if isinstance(body, Hand):
            for frame, pose in zip(frames, map(held.pixels, poses), strict=True):
                _put(frame, shade, _about_its_middle(shade, pose, body))
            continue
        light = _Light.of(shade, mask)
        for frame, ((rows, columns), layer), pose in zip(
                frames, shown, map(held.pixels, poses), strict=True):
            if pose.angle_rad == 0 or light is None:
                _put(frame, shade, pose)
                continue
            cover = torch.zeros_like(shade)
            cover[rows, columns] = layer[3]
            frame *= 1 - light.share * light.swept(cover)
    return frames


def _about_its_middle(shade: torch.Tensor, pose: CellPose, hand: Hand) -> CellPose:
    arm = hand.arm_pose(pose)
    if not (shade > 0).any():
        return arm
    y, x = (shade > 0).nonzero().float().mean(0).tolist()
    return replace(arm, centre_cells=(x, y), angle_rad=pose.angle_rad, flatness=pose.flatness)


def _put(frame: torch.Tensor, shade: torch.Tensor, pose: CellPose) -> None:
    rows, columns = window_after(shade > 0, pose)
    frame[:, rows, columns] *= 1 - warp_smoothly(shade[None], pose, (rows, columns))


@dataclass(frozen=True)
class _Light:
    """It throws a shadow so far, (x, y) px, that takes this share of it."""

    throw: tuple[float, float]
    share: float

    @classmethod
    def of(cls, shade: torch.Tensor, mask: torch.Tensor) -> _Light | None:
        """From a thing's shadow (H, W) in 0..1 and the thing, (H, W) bool; None without one."""
        dark = shade > 0
        if not dark.any():
            return None
        share = float(shade[dark].mean())
        way = (dark.nonzero().float().mean(0) - mask.nonzero().float().mean(0)).flip(0)
        way = way / way.norm().clamp_min(1e-6)
        found, most = cls((0.0, 0.0), share), 0.0
        for far_px in range(1, FARTHEST_PX + 1):
            light = cls((float(way[0]) * far_px, float(way[1]) * far_px), share)
            thrown = (light.swept(mask.float()) > 0.5) & ~mask
            alike = float((thrown & dark).sum() / (thrown | dark).sum())
            if alike > most:
                found, most = light, alike
        return found

    def swept(self, cover: torch.Tensor) -> torch.Tensor:
        """What a cover (H, W) in 0..1 passes over on that way."""
        swept, steps = cover, max(round(max(map(abs, self.throw))), 1)
        for step in range(1, steps + 1):
            swept = swept.maximum(_shifted(cover, *(round(way * step / steps)
                                                    for way in self.throw)))
        return swept


def _shifted(map_: torch.Tensor, right: int, down: int) -> torch.Tensor:
    """A map (H, W) so many pixels further right and down; zeros come in."""
    height, width = map_.shape
    shifted = torch.zeros_like(map_)
    shifted[max(down, 0):height + min(down, 0), max(right, 0):width + min(right, 0)] = map_[
        max(-down, 0):height + min(-down, 0), max(-right, 0):width + min(-right, 0)]
    return shifted


def _shade_of(mask: np.ndarray, seen: SeenPicture) -> np.ndarray:
    """By which share (H, W) what is in a mask (H, W) bool darkens the grabbed picture."""
    assert seen.backdrop is not None and seen.motions is not None
    shade = np.zeros(mask.shape, np.float32)
    own = seen.backdrop.shade * seen.backdrop.around(seen.taken(mask))
    for number in np.unique(seen.owners[own > 0]).tolist():
        shadow = placed(own * (seen.owners == number), seen.motions[number])
        if shadow is not None:
            np.maximum(shade[shadow.window], shadow.cover, out=shade[shadow.window])
    return shade
