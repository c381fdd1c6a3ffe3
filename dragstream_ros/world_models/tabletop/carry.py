"""Carry a picture along a flow, and fill the places that were hidden from around.

This is the first guess that the denoiser corrects.  It is made in pixels, because a latent that is
moved by a fraction of a cell and blended loses what is inside its cells.
"""
from __future__ import annotations

import torch
from torch.nn import functional

CELL_PX = 8             # of the coarse grid on which holes are filled
STILL_PX = 1.0          # what moves more is seldom background
ALIKE = 0.15            # colours nearer than that, of 0..1, are the same background
_KERNEL = torch.exp(-0.5 * (torch.arange(-6.0, 7.0) / 2.0) ** 2)


def carry(picture: torch.Tensor, displacement: torch.Tensor, hole: torch.Tensor,
          left: torch.Tensor | None = None) -> torch.Tensor:
    """Return pictures (F, 3, H, W) of a (3, H, W) one, each after its own flow.

    displacement: (F, 2, h, w), by how many px what is seen at a place has moved there, (x, y).
    hole: (F, 1, h, w) in 0..1, where what is seen was hidden before.
    left: (H, W) bool, what is a hole in any case.
    """
    height, width = picture.shape[-2:]
    size = (height, width)
    displacement = functional.interpolate(displacement, size=size, mode='bilinear')
    hole = functional.interpolate(hole, size=size, mode='bilinear')
    if left is not None:
        hole = hole.maximum(left.float())
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    source = torch.stack([x, y], -1) - displacement.permute(0, 2, 3, 1)
    grid = (source + 0.5) * 2 / torch.tensor([width, height]) - 1
    moved = functional.grid_sample(picture.expand(len(displacement), -1, -1, -1), grid,
                                   align_corners=False, padding_mode='border')
    still = torch.exp(-0.5 * displacement.square().sum(1, keepdim=True) / STILL_PX ** 2)
    return moved.lerp(_background(moved, (1 - hole) ** 4 * (still + 0.01)), hole)


def _background(frames: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Smooth pictures (N, 3, H, W) of what is most common around, by weight (N, 1, H, W).

    A mean would be a murk of table, arm and neighbours; the second time, what is unlike the first
    mean counts less.
    """
    size = (frames.shape[-2], frames.shape[-1])
    frames, weight = (functional.avg_pool2d(t, 2) for t in (frames, weight))
    mean = _smooth_mean(frames, weight)
    for _ in range(2):
        unlike = (frames - mean).square().sum(1, keepdim=True)
        mean = _smooth_mean(frames, weight * torch.exp(-0.5 * unlike / ALIKE ** 2))
    return functional.interpolate(mean, size=size, mode='bilinear')


def _smooth_mean(frames: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted means (N, 3, h, w) over a Gaussian of two cells."""
    pooled = functional.avg_pool2d(torch.cat([frames * weight, weight + 1e-6], 1), CELL_PX // 2)
    channels = pooled.flatten(0, 1)[:, None]
    for kernel in (_KERNEL[:, None], _KERNEL[None]):
        channels = functional.conv2d(channels, kernel[None, None], padding='same')
    pooled = channels.view_as(pooled)
    return functional.interpolate(pooled[:, :3] / pooled[:, 3:], size=frames.shape[-2:],
                                  mode='bilinear')
