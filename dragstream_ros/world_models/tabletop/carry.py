"""Carry what a drag holds along in the picture, and fill the place it leaves from around.

The denoiser corrects this first guess.  It is made in pixels, because a latent that is moved by a
fraction of a cell and blended loses what is inside its cells.
"""
from __future__ import annotations

import torch
from torch.nn import functional

from dragstream_ros.core.drag_maps import map_flow, map_hole

_KERNEL = torch.exp(-0.5 * (torch.arange(-6.0, 7.0) / 2.0) ** 2)      # of the fill, in cells


def carry(frames: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Frames (N, 3, H, W) after the drags of maps (N, 6, h, w), each frame from its own map."""
    height, width = frames.shape[-2:]
    cell = height / maps.shape[-2]
    fine = functional.interpolate(maps, size=(height, width), mode='bilinear')
    flow, share = map_flow(fine)
    hole = map_hole(fine)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    source = torch.stack([x, y], -1) - cell * flow.permute(0, 2, 3, 1)
    grid = (source + 0.5) * 2 / torch.tensor([width, height]) - 1
    moved = functional.grid_sample(frames, grid, align_corners=False, padding_mode='border')
    filled = _filled(frames, hole, (maps.shape[-2], maps.shape[-1]))
    return frames.lerp(filled, hole).lerp(moved, share)


def _filled(frames: torch.Tensor, hole: torch.Tensor, coarse: tuple[int, int]) -> torch.Tensor:
    """Smooth pictures (N, 3, H, W): the weighted mean of what is around, without the hole's."""
    # Well outside: the edge of the hole may still show what has left.
    outside = (1 - hole) ** 4
    weighted = functional.adaptive_avg_pool2d(torch.cat([frames * outside, outside], 1), coarse)
    channels = weighted.flatten(0, 1)[:, None]
    for kernel in (_KERNEL[:, None], _KERNEL[None]):
        channels = functional.conv2d(channels, kernel[None, None], padding='same')
    weighted = channels.view_as(weighted)
    mean = weighted[:, :3] / weighted[:, 3:].clamp_min(1e-4)
    return functional.interpolate(mean, size=frames.shape[-2:], mode='bilinear')
