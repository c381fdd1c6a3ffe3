"""Carry a picture along a flow, and fill what was hidden with what is known, or from around.

This is the first guess that the denoiser corrects.  It is made in pixels, because a latent that is
moved by a fraction of a cell and blended loses what is inside its cells.
"""
from __future__ import annotations

import torch
from torch.nn import functional

STILL_PX = 1.0          # what moves more is seldom background
ALIKE = 0.15            # colours nearer than that, of 0..1, are the same background
# What is around, in cells of a quarter of the flow's resolution.
_KERNEL = torch.exp(-0.5 * (torch.arange(-6.0, 7.0) / 2.0) ** 2)


def carry(picture: torch.Tensor, displacement: torch.Tensor, hole: torch.Tensor,
          bare: torch.Tensor | None = None, behind: torch.Tensor | None = None,
          left: torch.Tensor | None = None) -> torch.Tensor:
    """Return pictures (F, 3, H, W) of a (3, H, W) one, each after its own flow.

    displacement: (F, 2, h, w), by how many px what is seen at a place has moved there, (x, y).
    hole: (F, 1, h, w) in 0..1, where what is seen was hidden before.
    bare: (F, H, W) bool, a hole in any case.
    behind: (F, 3, H, W), what a hole shows; NaN where that is not known: what is around.
    left: (H, W) bool, what of the picture is put elsewhere: where the flow would still show it,
    there is a hole.
    """
    frames, size = len(displacement), picture.shape[-2:]
    flow = functional.interpolate(torch.cat([displacement, hole], 1), size=size, mode='bilinear')
    x, y = (torch.arange(n, dtype=torch.float32, device=flow.device) for n in (size[1], size[0]))
    grid = torch.stack([(x - flow[:, 0] + 0.5) * (2 / size[1]) - 1,
                        (y[:, None] - flow[:, 1] + 0.5) * (2 / size[0]) - 1], -1)
    gone = flow.new_zeros(size) if left is None else left.to(flow)
    moved = functional.grid_sample(
        torch.cat([picture, gone[None]]).expand(frames, -1, -1, -1), grid, align_corners=False,
        padding_mode='border')
    moved, holes = moved[:, :3], flow[:, 2:].maximum(moved[:, 3:])
    if bare is not None:
        holes = holes.maximum(bare[:, None].to(holes))
    hidden = functional.adaptive_max_pool2d(holes, hole.shape[-2:])
    still = torch.exp(-0.5 * displacement.square().sum(1, keepdim=True) / STILL_PX ** 2)
    background = _background(moved, (1 - hidden) ** 4 * (still + 0.01))
    background = functional.interpolate(background, size=size, mode='bilinear')
    if behind is not None:
        background = torch.where(behind.isnan(), background, behind)
    return moved.lerp(background, holes)


def _background(frames: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Small pictures (F, 3, h / 2, w / 2) of what is most common around, by weight (F, 1, h, w).

    A mean would be a murk of table, arm and neighbours; so twice more, what is unlike the mean
    counts less.
    """
    weight = functional.avg_pool2d(weight, 2)
    frames = functional.avg_pool2d(frames, frames.shape[-1] // weight.shape[-1])
    mean = _smooth_mean(frames, weight)
    for _ in range(2):
        unlike = (frames - mean).square().sum(1, keepdim=True)
        mean = _smooth_mean(frames, weight * torch.exp(-0.5 * unlike / ALIKE ** 2))
    return mean


def _smooth_mean(frames: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted means (F, 3, h, w) over a Gaussian, made on half of the cells."""
    pooled = functional.avg_pool2d(torch.cat([frames * weight, weight + 1e-6], 1), 2)
    channels = pooled.flatten(0, 1)[:, None]
    for kernel in (_KERNEL[:, None], _KERNEL[None]):
        channels = functional.conv2d(channels, kernel[None, None].to(channels), padding='same')
    pooled = channels.view_as(pooled)
    return functional.interpolate(pooled[:, :3] / pooled[:, 3:], size=frames.shape[-2:],
                                  mode='bilinear')
