"""How what is held looks after a motion: flat, as it was cut out, or standing on a table.

Seen from above at a slant, a box shows its top and, below that in the picture, the sides that face
the camera. Where it is turned, its top turns with the drag; sides that turned with it would face
the sky. So the top is cut off along the crease between them, and wherever it comes to be, sides go
down from it as far, and as dark, as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.core import region
from dragstream_ros.core.arm import Arm, within_rims
from dragstream_ros.core.region import CellPose, Window
from dragstream_ros.core.sides import INSIDE_PX, Sides

NEAR_PX = 2                 # from what is seen: what is hidden farther off has no sides to see
RIM_PX = 1                  # wide, where a thing's colours are mixed with what is beside it


@dataclass(frozen=True, eq=False)
class Body:
    """layer: (4, H, W) in 0..1, the colours of the picture and where the thing is in it.

    Of what stands, that is its top, from which sides go down; edge: (H, W) in 0..1, those of the
    top that have some: not what is hidden, but for what is next to the rest. arm: how it moves, if
    it reaches into the picture.
    """

    layer: torch.Tensor
    sides: Sides = Sides()
    arm: Arm | None = None
    edge: torch.Tensor | None = None

    @classmethod
    def flat(cls, picture: np.ndarray, mask: torch.Tensor, grabbed_px: np.ndarray,
             hidden: torch.Tensor | None = None) -> Body:
        """What a mask (H, W) bool cuts out of a picture (H, W, 3) uint8 RGB.

        grabbed_px: (2,), the point (x, y) by which it is dragged. hidden: (H, W) bool, where else
        it is, behind others: in the colours next to that.
        """
        mask = within_rims(mask, grabbed_px)
        return cls(_layer(picture, mask, hidden), arm=Arm.of(mask, grabbed_px))

    @classmethod
    def standing(cls, picture: np.ndarray, mask: torch.Tensor, grabbed_px: np.ndarray,
                 hidden: torch.Tensor, sides: Sides | None = None) -> Body:
        """The same with a top and sides; flat where no crease is seen. sides: None: as it looks."""
        held, behind = mask.numpy(), hidden.numpy()
        sides = sides or Sides.of(picture, held)
        if sides.px == 0:
            return cls.flat(picture, mask, grabbed_px, hidden)
        top, unseen = map(torch.from_numpy, sides.top(picture, held, behind))
        return cls(_layer(picture, top, unseen), sides, Arm.of(mask, grabbed_px),
                   (top | unseen & region.dilate(top, NEAR_PX)).float())

    def after(self, pose: CellPose) -> tuple[Window, torch.Tensor]:
        """Where it is after a motion, rows and columns, and its colours and cover there.

        (4, h, w) float32 in 0..1; a colour counts as far as it covers.
        """
        rows, columns = region.window_after(self.layer[3] > 0, pose)
        rows = slice(rows.start, min(rows.stop + self.sides.px, self.layer.shape[1]))
        top = region.warp_smoothly(
            self.layer, pose, (rows, columns), self.arm, mode='bicubic').clamp_(0, 1)
        if self.edge is None:
            return (rows, columns), top
        shown, edge = torch.zeros_like(top), region.warp_smoothly(
            self.edge[None], pose, (rows, columns), self.arm)
        own = self.sides.colour
        for down in range(self.sides.px, 0, -1):
            cover = _lowered(edge, down)
            side = (self.sides.shade * _lowered(top[:3], down + INSIDE_PX) if own is None
                    else torch.tensor(own)[:, None, None].expand_as(top[:3]))
            shown[:3].lerp_(side, cover)
            torch.maximum(shown[3:], cover, out=shown[3:])
        return (rows, columns), torch.cat([
            shown[:3].lerp(top[:3], top[3:]), shown[3:].maximum(top[3:])])

    def origin(self, pose: CellPose) -> tuple[Window, torch.Tensor]:
        """Where in the picture what a window shows after a motion is from, (2, h, w) float32.

        In px, (x, y); NaN where it does not show the thing, or shows its sides drawn anew.
        """
        window = region.window_after(self.layer[3] > 0, pose)
        rows, columns = (torch.arange(size, dtype=torch.float32) for size in self.layer.shape[1:])
        y, x = torch.meshgrid(rows, columns, indexing='ij')
        found = region.warp_smoothly(torch.stack([x, y, self.layer[3]]), pose, window, self.arm)
        return window, found[:2].where(found[2] > 0.5, torch.nan)


def _layer(picture: np.ndarray, mask: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
    colours = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    if hidden is not None and hidden.any():
        # At its rim the thing's colours are mixed with those of what hides it.
        mixed = mask & region.dilate(hidden, RIM_PX)
        known = mask & ~mixed & ~region.dilate(~mask, RIM_PX)
        made, own = hidden | mixed, (known if known.any() else mask)
        nearest = torch.cdist(made.nonzero().float(), own.nonzero().float()).argmin(1)
        colours[:, made] = colours[:, own][:, nearest]
        mask = mask | hidden
    return torch.cat([colours, mask.float()[None]])


def _lowered(map_: torch.Tensor, rows: int) -> torch.Tensor:
    """A map (C, h, w) that many rows further down; zeros come in."""
    lowered = torch.zeros_like(map_)
    lowered[:, rows:] = map_[:, :max(map_.shape[1] - rows, 0)]
    return lowered
