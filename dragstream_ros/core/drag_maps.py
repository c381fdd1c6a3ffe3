"""Drag maps: how a model that was trained with drags is told of them, in six planes per frame.

For every handle and every frame of a chunk: a Gaussian where the handle is now (in the last frame
that is known), one where it is to be in that frame, and both again weighted by the displacement, so
that two handles cannot be confused.  Handles add up.
"""
from __future__ import annotations

import torch

N_PLANES = 6
SIGMA_CELLS = 1.0
DISPLACEMENT_CELLS = 2.0    # a displacement of this many cells has the weight 1


def drag_maps(source: torch.Tensor, target: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Draw the handles of one chunk.

    source: (n, 2) positions (x, y) in the last known frame, in latent cells, cell centres at
        whole numbers.
    target: (n, F, 2) positions in the chunk's frames.
    grid: (h, w) of the latent.
    Returns (F, 6, h, w) float32: at source 1, dx, dy; at target 1, dx, dy.
    """
    n, frames = target.shape[:2]
    if n == 0:
        return torch.zeros(frames, N_PLANES, *grid)
    displacement = (target - source[:, None]) / DISPLACEMENT_CELLS           # (n, F, 2)
    weights = torch.cat([torch.ones_like(displacement[..., :1]), displacement], -1)
    at_source = _gaussians(source[:, None].expand_as(target), grid)         # (n, F, h, w)
    at_target = _gaussians(target, grid)
    planes = [torch.einsum('nfp,nfhw->fphw', weights, g) for g in (at_source, at_target)]
    return torch.cat(planes, 1)


def map_hole(maps: torch.Tensor) -> torch.Tensor:
    """Where maps (..., 6, h, w) say that content leaves: (..., 1, h, w), 0 to 1.

    1 at the source of a handle that goes a quarter of a cell or further, 0 at one that stays; one
    half at 2.8 cells from it.
    """
    near, weighted = maps[..., 0:1, :, :], maps[..., 1:3, :, :]
    dx, dy = (weighted / near.clamp_min(1e-4)).split(1, -3)
    cells = torch.hypot(dx, dy) * DISPLACEMENT_CELLS
    return near ** 2 / (near ** 2 + 0.0003) * (4 * cells).clamp(0, 1)


def map_flow(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Recover from maps (..., 6, h, w) how content travels.

    Returns the displacement (..., 2, h, w) in cells that brought each cell its content, and how
    surely it did, (..., 1, h, w): 1 at a target, one half at 2.3 cells from it, 0 far away.
    """
    near, weighted = maps[..., 3:4, :, :], maps[..., 4:6, :, :]
    displacement = weighted / near.clamp_min(1e-4) * DISPLACEMENT_CELLS
    return displacement, near ** 2 / (near ** 2 + 0.005)


def _gaussians(centres: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(..., 2) centres (x, y) in cells -> (..., h, w) Gaussians of peak 1."""
    y = torch.arange(grid[0], dtype=torch.float32)
    x = torch.arange(grid[1], dtype=torch.float32)
    gain = -0.5 / SIGMA_CELLS ** 2
    along_x = torch.exp(gain * (x - centres[..., 0, None]) ** 2)
    along_y = torch.exp(gain * (y - centres[..., 1, None]) ** 2)
    return along_y[..., :, None] * along_x[..., None, :]
