"""How a lid looks as it swings about its hinge: from its upper face, its edge or from below."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.core import region
from dragstream_ros.core.body import Body
from dragstream_ros.core.hinge import Hinge
from dragstream_ros.core.pose import levered
from dragstream_ros.core.region import CellPose, Window

MOST_STRETCHED = 1.6    # a face is drawn as it was seen
SAME_HUE = 0.97         # cosine between colours
BRIGHTEST = 0.8         # quantile of what is seen of it from below: its edge has as much light
EDGE, BELOW = 0.85, 0.6     # levels, in those of the upper face: of its edge, and of the lower face
UPRIGHT = 0.7           # levels of the upper face when it stands, in those when it lies


@dataclass(frozen=True, eq=False, kw_only=True)
class Lid(Body):
    """layer: of the face that the picture shows. hinge: of its pixels; grabbed_px: (2,)."""

    hinge: Hinge
    grabbed_px: np.ndarray

    @classmethod
    def on(cls, hinge: Hinge, picture: np.ndarray, mask: torch.Tensor, grabbed_px: np.ndarray,
           hidden: torch.Tensor) -> Lid:
        """What a mask (H, W) bool cuts out of a picture (H, W, 3) uint8 RGB; see Body.flat."""
        flat = Body.flat(picture, torch.from_numpy(hinge.face(mask.numpy())), grabbed_px, hidden)
        return cls(layer=flat.layer, arm=flat.arm, hinge=hinge, grabbed_px=grabbed_px)

    def after(self, pose: CellPose) -> tuple[Window, torch.Tensor]:
        """See Body. The face that the picture shows is a slab's, and the other has no marks."""
        if pose.lever is None:
            return super().after(pose)
        hinge, grabbed_px = self.hinge, self.grabbed_px
        now_px = grabbed_px + np.array(pose.delta_cells)
        was_outside, is_outside = map(hinge.shows_outside, (grabbed_px, now_px))
        angle, shown = hinge.angle(now_px), hinge.corners(now_px)
        through = hinge.outwards(angle) * hinge.thick_px * (-1 if was_outside else 1)
        size = self.layer.shape[1:]
        slab = region.covered(np.concatenate([shown, shown + through]), size)
        window = _around(slab, region.window_after(self.layer[3] > 0, pose))
        outside, inside = (colour[:, None, None] for colour in self._colours(was_outside))
        # What was seen aslant tells little of a face that is seen in full, and all of its edge.
        is_plain = levered(pose.lever, pose.delta_cells) > MOST_STRETCHED
        if was_outside == is_outside and not is_plain:
            face = region.warp_smoothly(
                self.layer, pose, window, self.arm, mode='bicubic').clamp_(0, 1)
        else:
            near = shown if was_outside == is_outside else shown + through
            cover = slab.minimum(region.covered(near, size))[window][None]
            plain = outside if is_outside else inside
            face = torch.cat([plain.expand(3, *cover.shape[1:]), cover])
        if is_outside:
            before = hinge.angle(grabbed_px) if was_outside else 0.0
            face[:3] *= _lit(angle) / _lit(before)
        edge = (EDGE * outside).expand_as(face[:3])
        return window, torch.cat([
            edge.lerp(face[:3], face[3:]), slab[window][None].maximum(face[3:])])

    def _colours(self, was_outside: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Of its upper face, (3,) in 0..1, and of the lower one, where they have no marks.

        Where it was seen from below, its edge is as bright as its upper face.
        """
        own = self.layer[:3, self.layer[3] > 0.5]
        plain = own.median(1).values
        if was_outside:
            return plain, BELOW * plain
        hue = own / own.norm(dim=0).clamp_min(1e-3)
        is_alike = hue.T @ plain > SAME_HUE * plain.norm()
        alike = own[:, is_alike] if is_alike.any() else own
        bright = alike[:, alike.sum(0) >= alike.sum(0).quantile(BRIGHTEST)]
        return bright.median(1).values, plain


def _lit(angle: float) -> float:
    """How much light the upper face has that is raised by an angle, rad; 1 where it lies."""
    return 1 + (UPRIGHT - 1) * (1 - math.cos(angle))


def _around(cover: torch.Tensor, window: Window) -> Window:
    """The rows and columns of a window, and of what is covered, (H, W) in 0..1."""
    found = []
    for axis, along in zip((1, 0), window, strict=True):
        covered = cover.any(axis).nonzero()[:, 0].tolist() or [along.start]
        found.append(slice(min(along.start, covered[0]), max(along.stop, covered[-1] + 1)))
    return found[0], found[1]
