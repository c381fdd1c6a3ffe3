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

LOWEST_SIDES_PX = 2         # lower ones are as well turned with the top
LEAST_TOP_SHARE = 0.35      # of what is held
LEAST_CREASE = 20.0         # mean step of colour across it, levels, below which there is none
UNLIT = 0.3                 # what a step to another colour counts; one to a shade counts 1 more
SIDE_SHADES = 0.2, 0.93     # of sides that face the camera, in the levels of the top above
SAME_HUE, SAME_SHADE = 15.0, 0.12   # levels, and share: how alike a side is all the way down
SHADES = (0.3, 1.1)         # of sides, in the levels of the top: what is unlike that is no side
RIM_PX = 1                  # wide, where a thing's colours are mixed with what is beside it
INSIDE_PX = 1               # from a crease on a pixel has the colour of one face alone


@dataclass(frozen=True, eq=False)
class Body:
    """layer: (4, H, W) in 0..1, the colours of the picture and where the thing is in it.

    Of what stands, that is its top; sides_px: how far down its sides go, 0: it is flat; shade:
    their levels, in those of the top; seen: (H, W) in 0..1, what of the top is not hidden, which
    alone has sides. arm: how it moves, if it reaches into the picture.
    """

    layer: torch.Tensor
    sides_px: int = 0
    shade: float = 1.0
    arm: Arm | None = None
    seen: torch.Tensor | None = None

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
                 hidden: torch.Tensor | None = None) -> Body:
        """The same with a top and sides; flat where no crease is seen. Of the top is hidden."""
        held = mask.numpy()
        sides_px = _sides_px(picture, held)
        if sides_px == 0:
            return cls.flat(picture, mask, grabbed_px, hidden)
        top = _top(held, sides_px)
        seen = torch.from_numpy(top)
        return cls(_layer(picture, seen, hidden), sides_px, _shade(picture, top, sides_px),
                   Arm.of(mask, grabbed_px), seen.float())

    def after(self, pose: CellPose) -> tuple[Window, torch.Tensor]:
        """Where it is after a motion, rows and columns, and its colours and cover there.

        (4, h, w) float32 in 0..1; a colour counts as far as it covers.
        """
        rows, columns = region.window_after(self.layer[3] > 0, pose)
        rows = slice(rows.start, min(rows.stop + self.sides_px, self.layer.shape[1]))
        top = region.warp_smoothly(
            self.layer, pose, (rows, columns), self.arm, mode='bicubic').clamp_(0, 1)
        if self.seen is None:
            return (rows, columns), top
        shown, seen = torch.zeros_like(top), region.warp_smoothly(
            self.seen[None], pose, (rows, columns), self.arm)
        for down in range(self.sides_px, 0, -1):
            cover = _lowered(seen, down)
            shown[:3].lerp_(self.shade * _lowered(top[:3], down + INSIDE_PX), cover)
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


def _top(held: np.ndarray, sides_px: int) -> np.ndarray:
    """What has so many pixels of the thing below it: top and sides are the top moved down."""
    height = held.shape[0]
    top = held.copy()
    for down in range(1, sides_px + 1):
        top[:height - down] &= held[down:]
        top[height - down:] = False
    return top


def _crease(top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lowest pixels of a top (H, W) bool."""
    rows, columns = np.nonzero(top[:-1] & ~top[1:])
    return rows, columns


def _sides_px(picture: np.ndarray, held: np.ndarray) -> int:
    """How far down the sides go: so far that there is the greatest step of colour above them.

    A step from a colour to its shade counts more than one to another colour: a stripe is no edge.
    """
    levels = picture.astype(np.float32)
    # From a pixel to the next below; an edge may be three pixels wide, and then is in its middle.
    step = np.zeros(held.shape, np.float32)
    step[1:-2] = 0.5 * (np.linalg.norm(levels[3:] - levels[:-3], axis=-1)
                        + np.linalg.norm(levels[2:-1] - levels[1:-2], axis=-1))
    found, greatest = 0, LEAST_CREASE
    for sides_px in range(LOWEST_SIDES_PX, held.shape[0]):
        top = _top(held, sides_px)
        if top.sum() < LEAST_TOP_SHARE * held.sum():
            break
        crease = step[_crease(top)].mean() * (UNLIT + _lit_alike(levels, top, sides_px))
        if crease > greatest:
            found, greatest = sides_px, float(crease)
    return found


def _lit_alike(levels: np.ndarray, top: np.ndarray, sides_px: int) -> float:
    """The share of a crease below which there is the colour above it, in one shade."""
    rows, columns = _crease(top)
    above = levels[np.maximum(rows - INSIDE_PX, 0), columns][:, None]
    down = np.arange(1 + INSIDE_PX, max(sides_px, 1 + INSIDE_PX) + 1)
    below = levels[np.minimum(rows[:, None] + down, len(levels) - 1), columns[:, None]]
    shades = (below * above).sum(-1) / (above ** 2).sum(-1).clip(1)
    shade = np.median(shades, 1)
    off = np.linalg.norm(below - shades[..., None] * above, axis=-1)
    return float((
        (shade > SIDE_SHADES[0]) & (shade < SIDE_SHADES[1]) & (np.median(off, 1) < SAME_HUE)
        & (np.abs(shades - shade[:, None]).mean(1) < SAME_SHADE)).mean())


def _shade(picture: np.ndarray, top: np.ndarray, sides_px: int) -> float:
    """Levels half-way down the sides, in those of the top above."""
    rows, columns = _crease(top)
    light = picture.astype(np.float32).sum(-1) + 1
    above = light[np.maximum(rows - INSIDE_PX, 0), columns]
    below = light[np.minimum(rows + INSIDE_PX + sides_px // 2, len(light) - 1), columns]
    return float(np.clip(np.median(below / above), *SHADES))
