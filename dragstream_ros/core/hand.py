"""How an arm looks whose hand turns: the palm goes round below a forearm that does not.

The fingers hang down from where the palm takes them, so they are shifted, and not turned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from dragstream_ros.core.body import Body
from dragstream_ros.core.region import CellPose, Window, covered, moved
from dragstream_ros.core.wrist import Wrist


@dataclass(frozen=True, eq=False)
class Finger:
    """seen, place: (2,) px from the hand's axis, in the plane of the palm's top: where the finger
    of which this is the picture was, and where this one is before the hand turns."""

    body: Body
    seen: np.ndarray
    place: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Hand(Body):
    """layer: of the whole arm, as it was seen. top, side: (3,) in 0..1, colours of its palm."""

    wrist: Wrist
    forearm: Body
    fingers: tuple[Finger, ...]
    carried: tuple[Body, ...]
    top: torch.Tensor
    side: torch.Tensor

    @classmethod
    def on(cls, wrist: Wrist, picture: np.ndarray, mask: torch.Tensor,
           grabbed_px: np.ndarray) -> Hand:
        """What a mask (H, W) bool cuts out of a picture (H, W, 3) uint8 RGB; see Body.flat."""
        whole = Body.flat(picture, mask, grabbed_px)
        top, side = _colours(wrist, picture)
        return cls(
            layer=whole.layer, arm=whole.arm, wrist=wrist, top=top, side=side,
            forearm=Body.flat(picture, torch.from_numpy(wrist.forearm), grabbed_px),
            fingers=_fingers(wrist, picture),
            carried=tuple(_standing(picture, thing) for thing in wrist.carried))

    def after(self, pose: CellPose) -> tuple[Window, torch.Tensor]:
        """See Body."""
        if pose.angle_rad == 0:
            return super().after(pose)
        shown = torch.zeros_like(self.layer)
        for body, its in self._below(pose):
            _put(shown, *body.after(its))
        top_px = moved(self.wrist.axis_px + self.wrist.corners_px, pose)
        lower_px = top_px + (0.0, self.wrist.thick_px * pose.scale)
        size = shown.shape[1:]
        for colour, corners_px in ((self.side, np.concatenate([top_px, lower_px])),
                                   (self.top, top_px)):
            cover = covered(corners_px, size)[None]
            _put(shown, self._everywhere,
                 torch.cat([colour[:, None, None].expand(3, *size), cover]))
        _put(shown, *self.forearm.after(self.arm_pose(pose)))
        return self._everywhere, shown

    def origin(self, pose: CellPose) -> tuple[Window, torch.Tensor]:
        """See Body."""
        if pose.angle_rad == 0:
            return super().origin(pose)
        return self.forearm.origin(self.arm_pose(pose))

    def arm_pose(self, pose: CellPose) -> CellPose:
        """How the forearm moves: as the axis does."""
        return self._shift(np.zeros(2), np.zeros(2), pose)

    @property
    def _everywhere(self) -> Window:
        height, width = self.layer.shape[1:]
        return slice(0, height), slice(0, width)

    def _below(self, pose: CellPose) -> list[tuple[Body, CellPose]]:
        """Fingers, and what is between them, the farthest first."""
        arm = self.arm_pose(pose)
        farther: list[tuple[Body, CellPose]] = []
        nearer: list[tuple[Body, CellPose]] = []
        for finger in self.fingers:
            its = self._shift(finger.seen, finger.place, pose)
            (farther if _end_y(its) < _end_y(arm) else nearer).append((finger.body, its))
        return [*farther, *((body, replace(
            arm, angle_rad=pose.angle_rad, flatness=pose.flatness, centre_cells=_middle(body)))
            for body in self.carried), *nearer]

    def _shift(self, seen: np.ndarray, place: np.ndarray, pose: CellPose) -> CellPose:
        """Of what is seen at one place, and goes to where the motion takes another, from the axis.

        Both (2,) px.
        """
        start = self.wrist.axis_px + seen
        x, y = moved(self.wrist.axis_px + place, pose) - start
        return CellPose(delta_cells=(float(x), float(y)), scale=pose.scale,
                        centre_cells=(float(start[0]), float(start[1])))


def _put(shown: torch.Tensor, window: Window, layer: torch.Tensor) -> None:
    """Draw a layer (4, h, w) over what a window of another shows."""
    there = shown[:, window[0], window[1]]
    there[:3] = there[:3].lerp(layer[:3], layer[3:])
    there[3:] = there[3:].maximum(layer[3:])


def _end_y(pose: CellPose) -> float:
    assert pose.centre_cells is not None
    return pose.centre_cells[1] + pose.delta_cells[1]


def _middle(body: Body) -> tuple[float, float]:
    """Of what is seen of it from above, (x, y) px: there a hand holds it."""
    y, x = (body.layer[3] > 0.5).nonzero().float().mean(0).tolist()
    return x, y


def _standing(picture: np.ndarray, thing: np.ndarray) -> Body:
    mask = torch.from_numpy(thing)
    return Body.standing(picture, mask, np.zeros(2), torch.zeros_like(mask))


def _colours(wrist: Wrist, picture: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a palm's top and sides, (3,) in 0..1."""
    top_px = wrist.axis_px + wrist.corners_px
    is_top = covered(top_px, picture.shape[:2]).numpy() > 0.9
    found = []
    for face in (wrist.palm & is_top, wrist.palm & ~is_top):
        own = picture[face if face.any() else wrist.palm]
        found.append(torch.from_numpy(np.median(own, 0)).float() / 255)
    return found[0], found[1]


def _fingers(wrist: Wrist, picture: np.ndarray) -> tuple[Finger, ...]:
    """On both sides of the axis; where one is seen alone, the other is hidden, and looks like it.

    They go on upwards below the palm, which shows where that goes away.
    """
    bodies = []
    for mask in wrist.fingers:
        above = np.zeros_like(mask)
        for up in range(1, round(wrist.thick_px) + 1):
            above[:-up] |= mask[up:]
        bodies.append(Body.flat(
            picture, torch.from_numpy(mask), wrist.axis_px, torch.from_numpy(above & ~mask)))
    found = [Finger(body, place, place)
             for body, place in zip(bodies, wrist.places_px, strict=True)]
    return (*found, *(replace(only, place=-only.place) for only in found if len(found) == 1))
