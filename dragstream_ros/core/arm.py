"""What reaches into the picture from outside: how it follows what is grabbed of it.

An arm hangs on a shoulder somewhere outside.  Dragged by its hand it swings about that: the nearer
to it, the less it moves.  And what comes in over the rim is more of the arm, as it leans there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

HAND_SHARE = 0.09       # of the shorter side: so far from where an arm is grabbed all moves alike
SHOULDER_SHARE = 2.75   # of the shorter side, from there: what does not move any more
LEAN_SHARE = 0.08       # of the shorter side: what tells how an arm goes on beyond the rim
GRAZED_SHARE = 0.6      # of the way to the farthest rim: nearer there is but a bend of it
RIMS = (0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)
STEEPEST_LEAN = 2.0     # px aside for each px outwards


@dataclass(frozen=True, eq=False)
class Arm:
    """size: (width, height) of the picture, px.

    grabbed: (2,) px, the point by which it is dragged; along: (2,), from there to the shoulder.
    leans: (2, 2), how far aside it goes beyond each rim, for each px outwards: left and right in y,
    top and bottom in x; 0 where it does not touch.
    """

    size: tuple[int, int]
    grabbed: torch.Tensor
    along: torch.Tensor
    leans: torch.Tensor

    @classmethod
    def of(cls, mask: torch.Tensor, grabbed_px: np.ndarray) -> Arm | None:
        """Of a mask (H, W) bool, see within_rims; None if it does not touch the picture's rim."""
        sides = [[mask, mask.flip(1)], [mask.T, mask.T.flip(1)]]
        if not any(bool(side[:, 0].any()) for pair in sides for side in pair):
            return None
        rim = mask.clone()
        rim[1:-1, 1:-1] = False
        grabbed, (height, width) = torch.from_numpy(grabbed_px).float(), mask.shape
        along = rim.nonzero().float().mean(0).flip(0) - grabbed
        depth = round(LEAN_SHARE * min(height, width))
        return cls((width, height), grabbed, along / along.norm().clamp_min(1.0), torch.tensor(
            [[_lean(side[:, :depth]) for side in pair] for pair in sides]))

    def taken(self, x: torch.Tensor, y: torch.Tensor, shift: tuple[float, float], scale: float,
              ) -> torch.Tensor:
        """The share of a shift (x, y) px that was taken by what is now at places (...) px.

        scale: by how much it has grown, from the point at which it was grabbed.
        """
        now = (x - self.grabbed[0]) * self.along[0] + (y - self.grabbed[1]) * self.along[1]
        nearer = shift[0] * float(self.along[0]) + shift[1] * float(self.along[1])
        hand, shoulder = (share * min(self.size) for share in (HAND_SHARE, SHOULDER_SHARE))
        # It was (now - taken * nearer) / scale along that, and took (shoulder - was) of its share.
        left = max(shoulder - hand - nearer / scale, 1.0)
        return ((shoulder - now / scale) / left).clamp(0, 1)

    def within(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """For places (...) px, those of the picture that show what is there: beyond, its rim."""
        width, height = self.size
        out_x, out_y = x - x.clamp(0, width - 1), y - y.clamp(0, height - 1)
        return (x - out_y.abs() * self.leans[1][(out_y > 0).long()],
                y - out_x.abs() * self.leans[0][(out_x > 0).long()])


def within_rims(mask: torch.Tensor, grabbed_px: np.ndarray) -> torch.Tensor:
    """A mask (H, W) bool, off the rims that it but grazes on the way to the one it comes in over.

    That one is farthest from where the arm is grabbed. Beyond the others there is no more of it.
    """
    mask, touched, away_px = mask.clone(), [], []
    for rim in RIMS:
        only = torch.zeros_like(mask)
        only[rim] = mask[rim]
        if only.any():
            middle = only.nonzero().float().mean(0).flip(0)
            touched.append(rim)
            away_px.append(float((middle - torch.from_numpy(grabbed_px)).norm()))
    for rim, px in zip(touched, away_px, strict=True):
        if px < GRAZED_SHARE * max(away_px):
            mask[rim] = False
    return mask


def _lean(strip: torch.Tensor) -> float:
    """The slope of the middles of the columns of a mask (h, depth) bool, away from the first."""
    cells = strip.float().sum(0)
    there = int(cells.bool().long().cumprod(0).sum())   # columns from the rim to the first gap
    if there < 2:
        return 0.0
    middles = (strip * torch.arange(len(strip))[:, None]).sum(0)[:there] / cells[:there]
    inwards = torch.arange(there) - (there - 1) / 2
    slope = float((inwards * middles).sum() / inwards.square().sum())
    return -min(max(slope, -STEEPEST_LEAN), STEEPEST_LEAN)
