"""Regions of a picture on the latent grid: masks, warps, Gaussian maps (spatial selection).

Maps are (..., h, w) tensors. Positions are (x, y) in cells, (0, 0) the centre of the top-left cell.
Nothing here is tied to a grid size or fails on a region that has left the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.core.arm import Arm
from dragstream_ros.core.drag import DragHandle, resize_points
from dragstream_ros.core.pose import Pose, levered


@dataclass(frozen=True, kw_only=True)
class CellPose:
    """A Pose on the latent grid: lengths in cells."""

    delta_cells: tuple[float, float]
    angle_rad: float = 0.0
    scale: float = 1.0
    centre_cells: tuple[float, float] | None = None
    flatness: float = 1.0
    lever: tuple[float, float, float] | None = None

    def back(self) -> CellPose:
        """The motion that undoes this one."""
        (delta_x, delta_y), centre = self.delta_cells, self.centre_cells
        return CellPose(
            delta_cells=(-delta_x, -delta_y), angle_rad=-self.angle_rad, scale=1.0 / self.scale,
            centre_cells=None if centre is None else (centre[0] + delta_x, centre[1] + delta_y),
            flatness=self.flatness,
            lever=None if self.lever is None else self._lever_back(self.lever))

    def _lever_back(self, lever: tuple[float, float, float]) -> tuple[float, float, float]:
        height = levered(lever, self.delta_cells)
        return lever[0] / height, lever[1] / height, lever[2] / height


def to_cells(pose: Pose, *, image_size: tuple[int, int], latent_size: tuple[int, int]) -> CellPose:
    """The same motion on the latent grid of square cells; both sizes are (width, height)."""
    delta_x = float(pose.delta_px[0]) * latent_size[0] / image_size[0]
    delta_y = float(pose.delta_px[1]) * latent_size[1] / image_size[1]
    if pose.lever is not None:
        # Linear in the place, so it is known from its values at three.
        corner, right, below = resize_points(np.eye(3, 2, -1), latent_size, image_size)
        at = [float(pose.lever[:2] @ place + pose.lever[2]) for place in (corner, right, below)]
        return CellPose(delta_cells=(delta_x, delta_y),
                        lever=(at[1] - at[0], at[2] - at[0], at[0]))
    if pose.centre_px is None:
        return CellPose(delta_cells=(delta_x, delta_y))
    x, y = resize_points(pose.centre_px, image_size, latent_size).tolist()
    return CellPose(
        delta_cells=(delta_x, delta_y), angle_rad=pose.angle_rad, scale=pose.scale,
        centre_cells=(x, y), flatness=pose.flatness,
    )


def handle_region(
    handle: DragHandle, *, image_size: tuple[int, int], latent_size: tuple[int, int]
) -> torch.Tensor:
    """The cells (h, w) bool of a handle at command time: its mask, or the disc around its point."""
    if handle.mask is not None:
        return mask_to_cells(torch.from_numpy(handle.mask), latent_size)
    x, y = handle.path_px[0].tolist()
    return mask_to_cells(disc((x, y), handle.radius_px or 0.0, image_size), latent_size)


def mask_to_cells(
    mask: torch.Tensor, latent_size: tuple[int, int], *, covered: float = 0.25
) -> torch.Tensor:
    """The cells (h, w) bool of which the mask (H, W) bool covers more than the share `covered`.

    A region too small for that keeps the cell it covers most, so that none is lost.
    """
    share = functional.adaptive_avg_pool2d(mask.float()[None], latent_size[::-1])[0]
    cells = share > covered
    return cells if cells.any() else (share == share.max()) & (share > 0.0)


def disc(centre: tuple[float, float], radius: float, size: tuple[int, int]) -> torch.Tensor:
    """A filled circle (h, w) bool on a grid of size (w, h), however small the radius.

    It has the cell its centre lies in at least, unless that is off the grid.
    """
    x, y = _positions(size[1], size[0])
    x, y = x - centre[0], y - centre[1]
    return (x**2 + y**2 <= radius**2) | ((x.abs() <= 0.5) & (y.abs() <= 0.5))


def dilate(mask: torch.Tensor, cells: int) -> torch.Tensor:
    """The mask (..., h, w) bool grown by so many cells to every side, corners included."""
    for axis in (-1, -2):
        grown, size = mask.clone(), mask.shape[axis]
        for step in range(1, min(cells, size - 1) + 1):
            for to, came_from in ((step, 0), (0, step)):
                grown.narrow(axis, to, size - step).logical_or_(
                    mask.narrow(axis, came_from, size - step))
        mask = grown
    return mask


def warp(map_: torch.Tensor, pose: CellPose) -> torch.Tensor:
    """The whole map (..., h, w) after the motion: nearest sampling, zero where nothing came from.

    Displacements are rounded to whole cells and nothing is blended, so features keep their values
    (spec 1.4). Gradients pass.
    """
    h, w = map_.shape[-2:]
    source_x, source_y = _before(*_positions(h, w, map_.device), pose)
    # All halves round the same way, float noise included: rounding to even tears the map apart.
    column, row = torch.floor(source_x + 0.5001), torch.floor(source_y + 0.5001)
    seen = (column >= 0) & (column < w) & (row >= 0) & (row < h)
    index = row.clamp(0, h - 1).long() * w + column.clamp(0, w - 1).long()
    return map_.flatten(-2)[..., index] * seen


SAME_PX = 1e-3          # points so near are one
Window = tuple[slice, slice]


def warp_smoothly(
    map_: torch.Tensor, pose: CellPose, window: Window, arm: Arm | None = None, *,
    mode: str = 'bilinear',
) -> torch.Tensor:
    """The map (C, h, w) after the motion, interpolated between cells; as its rim from outside.

    For what may be blended, such as pictures: it is right to a fraction of a cell. Only what is
    then seen in the window (rows, columns) is returned. arm: how it moves, and goes on beyond the
    rim, if it reaches in. mode: 'bilinear', or 'bicubic', sharper, which may go beyond the values.
    """
    h, w = map_.shape[-2:]
    x, y = _positions(h, w, map_.device)
    x, y = x[window], y[window]
    if arm is not None:
        left = 1 - arm.taken(x, y, pose.delta_cells, pose.scale)
        x, y = x + left * pose.delta_cells[0], y + left * pose.delta_cells[1]
    x, y = _before(x, y, pose)
    if arm is not None:
        x, y = arm.within(x, y)
    grid = (torch.stack([x, y], -1) + 0.5) * 2 / x.new_tensor([w, h]) - 1
    return functional.grid_sample(
        map_[None], grid[None], mode, padding_mode='border', align_corners=False)[0]


def window_after(mask: torch.Tensor, pose: CellPose) -> Window:
    """The rows and columns of a map in which the mask (h, w) bool lies after the motion.

    None of them for an empty mask, such as that of a handle that has left the picture; all of them
    for one that touches the rim, since nobody knows what of it comes in.
    """
    h, w = mask.shape
    if not mask.any():
        return slice(0, 0), slice(0, 0)
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        return slice(0, h), slice(0, w)
    x, y = moved(box_corners(mask).numpy(), pose).T

    def along(corners: np.ndarray, size: int) -> slice:
        first, last = math.floor(corners.min()) - 1, math.ceil(corners.max()) + 2
        return slice(min(max(first, 0), size), min(max(last, 0), size))

    return along(y, h), along(x, w)


def covered(points_px: np.ndarray, size: tuple[int, ...]) -> torch.Tensor:
    """The convex hull of a few pixels (n, 2), all of them, (H, W) in 0..1: soft at its edges."""
    ways = points_px[None] - points_px[:, None]     # from each to each
    lengths = np.linalg.norm(ways, axis=-1)
    beside = ways[:, :, None, 0] * ways[:, None, :, 1] - ways[:, :, None, 1] * ways[:, None, :, 0]
    rows, columns = (torch.arange(length, dtype=torch.float32) for length in size)
    y, x = torch.meshgrid(rows, columns, indexing='ij')
    cover = torch.ones_like(x)
    # An edge is a way that has all points on the same side.
    for i, j in zip(*np.nonzero((beside >= -1e-6).all(2) & (lengths > SAME_PX)), strict=True):
        (from_x, from_y), (way_x, way_y) = points_px[i], ways[i, j] / lengths[i, j]
        inside_px = way_x * (y - from_y) - way_y * (x - from_x)
        cover = cover.minimum((inside_px + 1).clamp(0, 1))
    return cover


def moved(points: np.ndarray, pose: CellPose) -> np.ndarray:
    """Points (..., 2), (x, y) in cells, after the motion."""
    x, y = torch.from_numpy(points).unbind(-1)
    x, y = _before(x, y, pose.back())
    return torch.stack([x, y], -1).numpy()


def box_corners(mask: torch.Tensor) -> torch.Tensor:
    """Corners (4, 2), (x, y) float32, of the bounding box of a mask (h, w) bool, not empty."""
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    return torch.stack([columns[[0, -1, 0, -1]], rows[[0, 0, -1, -1]]], -1).float()


def gaussian(mask: torch.Tensor, *, sigma_ratio: float) -> torch.Tensor:
    """A Gaussian (h, w) float32 of peak 1 over the bounding box of mask (h, w) (spec 1.5.3).

    sigma_ratio: standard deviation in box sides, per axis, at least one cell; 0.5 in the paper,
        1.875 in its code. An empty mask gives zeros.
    """
    h, w = mask.shape
    if not mask.any():
        return torch.zeros(h, w, device=mask.device)
    along_x = _bell(mask.any(dim=0), sigma_ratio)
    along_y = _bell(mask.any(dim=1), sigma_ratio)
    return along_y[:, None] * along_x


def merge_gaussians(maps: Iterable[torch.Tensor]) -> torch.Tensor:
    """One map (h, w) of several handles' maps: probabilistic OR, 1 - prod(1 - G_n)."""
    return 1.0 - torch.stack([1.0 - map_ for map_ in maps]).prod(dim=0)


def _positions(
    h: int, w: int, device: torch.device | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.arange(w, dtype=torch.float32, device=device)
    y = torch.arange(h, dtype=torch.float32, device=device)
    return x.expand(h, w), y[:, None].expand(h, w)


def _before(
    x: torch.Tensor, y: torch.Tensor, pose: CellPose
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where what is now at (x, y) was before the motion."""
    if (lever := pose.back().lever) is not None:
        share = lever[0] * x + lever[1] * y + lever[2]
        return x - share * pose.delta_cells[0], y - share * pose.delta_cells[1]
    x, y = x - pose.delta_cells[0], y - pose.delta_cells[1]
    if pose.centre_cells is None:
        return x, y
    centre_x, centre_y = pose.centre_cells
    cos, sin = (turn(pose.angle_rad) / pose.scale for turn in (math.cos, math.sin))
    x, y = x - centre_x, (y - centre_y) / pose.flatness
    return cos * x + sin * y + centre_x, (cos * y - sin * x) * pose.flatness + centre_y


def _bell(occupied: torch.Tensor, sigma_ratio: float) -> torch.Tensor:
    """The Gaussian along one axis, from which cells (n,) of it the region occupies."""
    cells = occupied.nonzero()[:, 0]
    first, last = int(cells[0]), int(cells[-1])
    centre = 0.5 * (first + last)
    sigma = max(sigma_ratio * (last - first + 1), 1.0)
    at = torch.arange(len(occupied), dtype=torch.float32, device=occupied.device)
    return torch.exp(-0.5 * ((at - centre) / sigma) ** 2)
