"""The first guess of a chunk: things put whole where the flow has them, and what is held put.

Of a picture whose things are known, they are put on its table (layers.py); of any other the newest
frame is carried along (carry.py), its pieces whole (rigid_pieces.py).  What is held: core/held.py.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.core.held import Held
from dragstream_ros.world_models.tabletop.at_once import at_once
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.held_shadows import put_shadows
from dragstream_ros.world_models.tabletop.layers import Layers
from dragstream_ros.world_models.tabletop.rigid_pieces import RigidPieces
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid
from dragstream_ros.world_models.tabletop.what_stays import WhatStays


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
        stays, before = WhatStays.of(seen, held), seen.origin
        gone = seen.gone_by(stays.left, stays.boxes)
        # What stays is put as it is, and the flow says nothing of it.
        origins = seen.origins(flow[:, :2], flow[:, 2] > 0.5, stays.still)
        if seen.backdrop is None:
            frames, settled, origin = _carried(
                newest, displacement, hole, seen, origins, gone, stays.left | stays.still)
        else:
            layers = Layers.of(seen, origins, 1 - flow[:, 2], gone, stays.still)
            (frames, settled), origin = layers.drawn(seen), layers.origin(seen.hidden)
            seen = replace(seen, motions=layers.motions)
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
            seen = seen.held((covered[-1, 0] > 0.5).numpy() & ~stays.above, np.where(
                stays.above, np.float32(np.nan), held.origin().numpy()))
        return cls(frames.to(hole.device), settled.to(hole.device), seen)

    def unsettled(self) -> FirstGuess:
        """The same, where denoising may change all of it."""
        return replace(self, settled=torch.zeros_like(self.settled))


def _carried(newest: np.ndarray, displacement: torch.Tensor, hole: torch.Tensor,
             seen: SeenPicture, origins: np.ndarray, gone: np.ndarray, left: np.ndarray,
             ) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Frames, what of them is settled, and where the last one is from, by the flow."""
    device = hole.device
    sure = 1 - functional.interpolate(hole, size=newest.shape[:2], mode='bilinear')[:, 0].cpu()
    pieces = RigidPieces.of(seen.pieces.labels, origins, sure.numpy(), gone)
    picture, once = (_tensor(of).to(device) for of in (newest, seen.picture))
    behind = torch.where(pieces.standing.to(device)[:, None], once, torch.nan)
    frames = torch.cat(at_once(
        partial(carry, picture, left=torch.from_numpy(left).to(device)),
        displacement.chunk(2), hole.chunk(2), pieces.moved.to(device).chunk(2), behind.chunk(2)))
    frames, settled = pieces.put(frames.cpu(), seen.picture)
    shown = ((sure[-1].numpy() < 0.5) | pieces.moved[-1].numpy()) & pieces.standing[-1].numpy()
    return frames, settled, pieces.origin(np.where(shown, grid(shown.shape), origins[-1]))


def _tensor(picture: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 -> (3, H, W) in 0..1."""
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255
