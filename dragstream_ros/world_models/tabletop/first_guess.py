"""The first guess of a chunk: the newest frame carried along, its pieces whole, what is held put.

See carry.py, rigid_pieces.py and core/held.py for the three.
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
from dragstream_ros.world_models.tabletop.rigid_pieces import RigidPieces
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid
from dragstream_ros.world_models.tabletop.what_stays import WhatStays


@dataclass(frozen=True, eq=False)
class FirstGuess:
    """frames: (F, 3, H, W) in 0..1.

    settled: (F, 1, H, W) in 0..1, where a piece, or what is held, was put, to stay as it is, or
    where something stays beside it.
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
        device = displacement.device
        flow = functional.interpolate(torch.cat([displacement, hole], 1), size=newest.shape[:2],
                                      mode='bilinear').cpu().numpy()
        stays = WhatStays.of(seen, held)
        gone, hidden = seen.gone_by(stays.left), flow[:, 2] > 0.5
        # What stays is put as it is, and the flow says nothing of it.
        origins = seen.origins(flow[:, :2], hidden, stays.still)
        pieces = RigidPieces.of(seen.pieces.labels, origins, 1 - flow[:, 2], gone)
        picture, once = (torch.from_numpy(of).to(device).permute(2, 0, 1).float() / 255
                         for of in (newest, seen.picture))
        behind = torch.where(pieces.standing.to(device)[:, None], once, torch.nan)
        frames = torch.cat(at_once(
            partial(carry, picture, left=torch.from_numpy(stays.left | stays.still).to(device)),
            displacement.chunk(2), hole.chunk(2), pieces.moved.to(device).chunk(2),
            behind.chunk(2)))
        frames, settled = pieces.put(frames.cpu(), seen.picture)
        shown = (hidden[-1] | pieces.moved[-1].numpy()) & pieces.standing[-1].numpy()
        origin = np.where(shown, grid(shown.shape), origins[-1])
        origin = np.where(stays.still, seen.origin, pieces.origin(origin))
        seen = replace(seen, origin=origin, gone=gone)
        if held is not None:
            arms, still = torch.from_numpy(stays.arms), torch.from_numpy(stays.still)
            frames, covered = held.put(torch.where(still, picture.cpu(), frames))
            frames = torch.where(arms, picture.cpu(), frames)
            settled = settled.maximum(covered).maximum(still.float())
            seen = seen.held((covered[-1, 0] > 0.5).numpy() & ~stays.arms, np.where(
                stays.arms, np.float32(np.nan), held.origin().numpy()))
        return cls(frames.to(device), settled.to(device), seen)

    def unsettled(self) -> FirstGuess:
        """The same, where denoising may change all of it."""
        return replace(self, settled=torch.zeros_like(self.settled))
