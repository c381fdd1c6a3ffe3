"""Carry a picture along a flow, and fill the places that were hidden from around.

This is the first guess that the denoiser corrects.  It is made in pixels, because a latent that is
moved by a fraction of a cell and blended loses what is inside its cells.
"""
from __future__ import annotations

import torch
from torch.nn import functional

COARSE = 16             # cells along the picture's longer side, in which holes are filled
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
    return moved.lerp(_filled(moved, hole), hole)


def _filled(frames: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Smooth pictures (N, 3, H, W): the weighted mean of what is around, without the hole's."""
    height, width = frames.shape[-2:]
    # Well outside: the edge of the hole may still show what has left.
    outside = (1 - hole) ** 4
    scale = COARSE / max(height, width)
    weighted = functional.adaptive_avg_pool2d(
        torch.cat([frames * outside, outside], 1), (round(height * scale), round(width * scale)))
    channels = weighted.flatten(0, 1)[:, None]
    for kernel in (_KERNEL[:, None], _KERNEL[None]):
        channels = functional.conv2d(channels, kernel[None, None], padding='same')
    weighted = channels.view_as(weighted)
    mean = weighted[:, :3] / weighted[:, 3:].clamp_min(1e-4)
    return functional.interpolate(mean, size=(height, width), mode='bilinear')
