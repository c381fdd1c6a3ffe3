"""The first guess of a chunk: things put whole where the flow has them, and what is held put.

Of a picture whose things are known, they are put on its table (layers.py); where that is strange
to the model, all but what is dragged stands.  A model that knows no tables at all, since it was
fitted to a robot, carries the newest frame along (carry.py), its pieces whole (rigid_pieces.py).
What is held: core/held.py.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.core.bars import bars_of
from dragstream_ros.core.held import Held
from dragstream_ros.world_models.tabletop.at_once import at_once
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.held_shadows import put_shadows
from dragstream_ros.world_models.tabletop.layers import Layers
from dragstream_ros.world_models.tabletop.rigid_pieces import RigidPieces
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid
from dragstream_ros.world_models.tabletop.what_stays import WhatStays, what_rests

FILL_PX = 3     # around a hole, that it is filled from


@dataclass(frozen=True, eq=False)
class FirstGuess:
    """frames: (F, 3, H, W) in 0..1.

    settled: (F, 1, H, W) in 0..1, where a piece, or what is held, was put, or something stays: what
    is to be left as it is.
    seen: what the pieces were cut from, as of the last of the frames.
    """

    frames: torch.Tensor
    settled: torch.Tensor
    seen: SeenPicture

    @classmethod
    def of(cls, newest: np.ndarray, displacement: torch.Tensor, hole: torch.Tensor,
           held: Held | None, seen: SeenPicture | None) -> FirstGuess:
        """Make it of the newest frame (H, W, 3) uint8 RGB and a flow as for carry.

        seen: as of that frame; None: it is real, and is cut itself.
        """
        seen = (seen or SeenPicture.of(newest)).dragged(None if held is None else held.picture)
        flow = functional.interpolate(torch.cat([displacement, hole], 1), size=newest.shape[:2],
                                      mode='bilinear').cpu().numpy()
        stays, before, bars = WhatStays.of(seen, held), seen.origin, bars_of(seen.picture)
        gone = seen.gone_by(stays.left, stays.boxes)
        # What stays is put as it is, and the flow says nothing of it.
        rests = what_rests(seen, stays.left)
        origins = seen.origins(flow[:, :2], flow[:, 2] > 0.5, stays.still | rests)
        if seen.backdrop is not None:
            layers = Layers.of(seen, origins, 1 - flow[:, 2], gone, stays.still)
            (frames, settled), origin = layers.drawn(seen), layers.origin(seen.hidden)
            seen = replace(seen, motions=layers.motions)
        elif seen.is_strange:
            frames, settled, origin = _standing(newest, seen, gone, stays.left, len(flow))
        else:
            frames, settled, origin = _carried(
                newest, displacement, hole, seen, origins, gone, stays.left | stays.still, rests)
        seen = replace(seen, origin=origin, gone=gone)
        if held is not None:
            seen = replace(seen, origin=np.where(stays.still, before, origin))
            picture = _tensor(newest)
            above, still = torch.from_numpy(stays.above), torch.from_numpy(stays.still)
            if seen.backdrop is not None:
                frames = put_shadows(frames, held, seen)
            frames, covered = held.put(torch.where(still, picture, frames))
            frames = torch.where(above, picture, frames)
            settled = settled.maximum(covered).maximum(still.float())
            elsewhere = stays.above | bars
            seen = seen.held((covered[-1, 0] > 0.5).numpy() & ~elsewhere, np.where(
                elsewhere, np.float32(np.nan), held.origin().numpy()))
        frames = frames * torch.from_numpy(~bars)
        return cls(frames.to(hole.device), settled.to(hole.device), seen)

    def unsettled(self) -> FirstGuess:
        """The same, where denoising may change all of it."""
        return replace(self, settled=torch.zeros_like(self.settled))


def _carried(newest: np.ndarray, displacement: torch.Tensor, hole: torch.Tensor,
             seen: SeenPicture, origins: np.ndarray, gone: np.ndarray, left: np.ndarray,
             rests: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Frames, what of them is settled, and where the last one is from, by the flow.

    left, rests: (H, W) bool, what the flow does not move: it is put elsewhere, or where it was,
    with what moves before it.
    """
    device = hole.device
    sure = 1 - functional.interpolate(hole, size=newest.shape[:2], mode='bilinear')[:, 0].cpu()
    pieces = RigidPieces.of(seen.pieces.labels, origins, sure.numpy(), gone)
    picture, once = (_tensor(of).to(device) for of in (newest, seen.picture))
    standing = pieces.standing | torch.from_numpy(rests)
    beside = (_tensor(_filled(seen.picture, ~rests)).to(device) if rests.any()
              else torch.full_like(once, torch.nan))
    behind = torch.where(standing.to(device)[:, None], once, beside)
    frames = torch.cat(at_once(
        partial(carry, picture, left=torch.from_numpy(left | rests).to(device)),
        displacement.chunk(2), hole.chunk(2), pieces.moved.to(device).chunk(2), behind.chunk(2)))
    frames, settled = pieces.put(frames.cpu(), seen.picture)
    still = rests & np.isnan(origins[:, 0])
    settled = settled.maximum(torch.from_numpy(still)[:, None].float())
    shown = ((sure[-1].numpy() < 0.5) | pieces.moved[-1].numpy()) & standing[-1].numpy()
    shown |= still[-1]
    return frames, settled, pieces.origin(np.where(shown, grid(shown.shape), origins[-1]))


def _standing(newest: np.ndarray, seen: SeenPicture, gone: np.ndarray, left: np.ndarray,
              n_frames: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """The same where all stands but what has left (H, W) bool."""
    frame = _tensor(np.where(left[..., None], _filled(seen.picture, gone), newest))
    return (frame.repeat(n_frames, 1, 1, 1), torch.ones(n_frames, 1, *left.shape),
            np.where(left, np.float32(np.nan), seen.origin))


def _filled(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) uint8 with its hole (H, W) bool filled from around, not from its bars."""
    unknown = hole | bars_of(picture)
    if not hole.any() or unknown.all():
        return picture
    filled = cv2.inpaint(picture, unknown.astype(np.uint8), FILL_PX, cv2.INPAINT_TELEA)
    return np.where(hole[..., None], filled, picture)


def _tensor(picture: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 -> (3, H, W) in 0..1."""
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255
