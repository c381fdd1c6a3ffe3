"""DragStream's guidance: move a noisy latent until the features of what is grabbed have moved.

At one denoise step the noisy chunk z is optimised: the attention features of the target regions are
to equal those the handle regions had before the drag, moved there, and everything else is to stay
(spec 1.4).  Progressive segments ask for a little more at a time; a Gaussian around the target says
where the update may act; the reference is drawn from low-passed variants; after every update the
latent's statistics are put back.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.core import region
from dragstream_ros.core.distribution_rectification import (
    DistributionRectificationConfig,
    DistributionRectifier,
)
from dragstream_ros.core.drag import DragCommand, DragMode, Pose, n_segments, pose_at
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig, low_pass
from dragstream_ros.core.world_model import Tap, WorldModel


@dataclass(frozen=True, kw_only=True)
class DragGuidanceConfig:
    """What the optimisation does; lengths in latent cells, so that they fit any model.

    taps: attention blocks whose output is matched.  guided_step: denoise step that is optimised.
    update: 'plain', z -= rate * G * g (paper); 'normalised', the same with g / rms(g); 'sign',
        AdamW started anew each time (code, spec 1.5.1).
    distance: between features.  latent_weight: of the moved clean latent itself, beside features.
    sigma_ratio: of the Gaussian to the region's box.  background_weight: of what shall stay.
    """

    taps: tuple[int, ...] = (1, 2)
    guided_step: int = 1
    iterations_per_segment: int = 5
    max_segments: int = 1
    translation_step_cells: float = 2.0
    rotation_step_deg: float = 8.0
    update: Literal['plain', 'normalised', 'sign'] = 'normalised'
    rate: float = 0.2
    distance: Literal['l1', 'l2'] = 'l1'
    feature_weight: float = 1.0
    latent_weight: float = 1.0
    background_weight: float = 1.0
    sigma_ratio: float = 1.0
    dilate_cells: int = 0
    frequency: FrequencySelectionConfig = field(default_factory=FrequencySelectionConfig)
    rectification: DistributionRectificationConfig = field(
        default_factory=DistributionRectificationConfig)

    @classmethod
    def profile(cls, name: str) -> DragGuidanceConfig:
        """Return 'fast' (ours), 'code' or 'paper' (spec 1.7), fitted to the bundled model."""
        return PROFILES[name]


PROFILES = {
    'fast': DragGuidanceConfig(),
    'code': DragGuidanceConfig(
        update='sign', rate=0.02, distance='l2', latent_weight=0.0, sigma_ratio=1.875,
        dilate_cells=1, max_segments=8),
    'paper': DragGuidanceConfig(
        iterations_per_segment=4, latent_weight=0.0, sigma_ratio=0.5,
        frequency=FrequencySelectionConfig(cutoffs=(0.2, 0.4, 0.6, 1.0)),
        rectification=DistributionRectificationConfig(
            in_loop='neighbours', after_loop=False, x0=False)),
}


@dataclass(frozen=True)
class Reference:
    """A chunk as it was before the drag: what the handles' features are taken from.

    noisy: (F, C, h, w) at the guided step; x0: (F, C, h, w) clean; context: what came before.
    """

    noisy: torch.Tensor
    x0: torch.Tensor
    context: Any


@dataclass(frozen=True)
class _Target:
    """Where one segment wants the handles of one frame."""

    frame: int
    masks: list[torch.Tensor]           # per handle (h, w) bool
    poses: list[region.CellPose]


class DragGuidance:
    """Optimises noisy chunks of one world model."""

    def __init__(self, world_model: WorldModel, config: DragGuidanceConfig) -> None:
        self.world_model = world_model
        self.config = config

    def optimise(self, z: torch.Tensor, context: Any, reference: Reference, command: DragCommand,
                 times_secs: np.ndarray, *, neighbours: torch.Tensor, seed: int) -> torch.Tensor:
        """Return the noisy chunk (F, C, h, w) after the drag; nothing else changes.

        times_secs: (F,) time after the drag's start of every frame of the chunk.  For an edit only
        the last frame is asked to move (spec 1.4).  neighbours: (N, C, h, w) clean frames just
        before the chunk.
        """
        config, model = self.config, self.world_model
        generator = torch.Generator().manual_seed(seed)
        sigma = model.sigmas[config.guided_step]
        rectifier = DistributionRectifier(config.rectification, z, sigma=sigma,
                                          neighbours=neighbours)
        variants = self._reference_features(reference)
        still = self._x0(z, context)
        moving = [len(z) - 1] if command.mode == DragMode.EDIT else range(len(z))
        poses = {f: [pose_at(handle, float(times_secs[f]), command.duration_secs)
                     for handle in command.handles] for f in moving}
        regions = [region.dilate(mask, config.dilate_cells) for mask in self._regions(command)]
        segments = self._segments(poses)
        for segment in range(1, segments + 1):
            targets = [self._target(f, regions, poses[f], segment / segments) for f in moving]
            select, background = self._where(targets, regions, command, len(z))
            for _ in range(config.iterations_per_segment):
                features = variants[config.frequency.choose(generator)]
                gradient = self._gradient(z, context, features, reference.x0[-1], still, targets,
                                          background)
                z = rectifier.in_loop(self._updated(z, gradient, select))
        return rectifier.after_loop(z)

    # --- features -------------------------------------------------------------------------------

    def _reference_features(self, reference: Reference) -> list[torch.Tensor]:
        """Variants (D, h, w) of the last reference frame's features, lazily: only for a drag."""
        config, model = self.config, self.world_model
        with torch.no_grad():
            taps = model.denoise(reference.noisy, config.guided_step, reference.context,
                                 taps=config.taps, stop_after_taps=True).taps
            return [self._features(taps, cutoff)[-1] for cutoff in config.frequency.cutoffs]

    def _features(self, taps: dict[int, Tap], cutoff: float | None = None) -> torch.Tensor:
        """Attention outputs of all taps as maps on the latent grid, (F, D, h, w).

        Keys and values are constants here: the gradient reaches z through the queries (spec 1.3).
        """
        model, grid = self.world_model, self.world_model.token_grid
        outputs = []
        for tap in taps.values():
            keys, values = (
                low_pass(t.detach(), grid, cutoff, self.config.frequency.order)
                for t in (tap.keys, tap.values))
            out = functional.scaled_dot_product_attention(
                tap.queries[None], keys[None], values[None])[0]
            outputs.append(out.transpose(0, 1).flatten(1))              # (F * tokens, width)
        tokens = torch.cat(outputs, -1).unflatten(0, (-1, *grid)).permute(0, 3, 1, 2)
        return functional.interpolate(tokens, size=model.latent_shape[1:], mode='bilinear')

    def _x0(self, z: torch.Tensor, context: Any) -> torch.Tensor:
        with torch.no_grad():
            x0 = self.world_model.denoise(z, self.config.guided_step, context).x0
        assert x0 is not None
        return x0

    # --- targets --------------------------------------------------------------------------------

    def _regions(self, command: DragCommand) -> list[torch.Tensor]:
        model = self.world_model
        return [region.handle_region(handle, image_size=model.image_size,
                                     latent_size=model.latent_shape[:0:-1])
                for handle in command.handles]

    def _segments(self, poses: dict[int, list[Pose]]) -> int:
        model = self.world_model
        cell_px = model.image_size[0] / model.latent_shape[2]
        wanted = n_segments(
            [pose for frame in poses.values() for pose in frame],
            translation_step_px=self.config.translation_step_cells * cell_px,
            rotation_step_deg=self.config.rotation_step_deg)
        return min(wanted, self.config.max_segments)

    def _target(self, frame: int, regions: list[torch.Tensor], poses: list[Pose],
                fraction: float) -> _Target:
        model = self.world_model
        cells = [region.to_cells(pose.scaled(fraction), image_size=model.image_size,
                                 latent_size=model.latent_shape[:0:-1]) for pose in poses]
        masks = [region.warp(mask, pose)
                 for mask, pose in zip(regions, cells, strict=True)]
        return _Target(frame, masks, cells)

    def _where(self, targets: list[_Target], regions: list[torch.Tensor], command: DragCommand,
               frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the update acts, (F, 1, h, w) in 0..1, and what is to stay, (F, 1, h, w) 0 or 1.

        What a handle leaves behind is neither asked to stay nor told what to become: the model
        fills it in.
        """
        grid = self.world_model.latent_shape[1:]
        select, stay = torch.zeros(frames, 1, *grid), torch.ones(frames, 1, *grid)
        left = torch.stack(regions).any(0)
        for target in targets:
            here = target.masks + regions
            select[target.frame, 0] = region.merge_gaussians(
                region.gaussian(mask, sigma_ratio=self.config.sigma_ratio) for mask in here)
            stay[target.frame, 0] = (~(torch.stack(target.masks).any(0) | left)).float()
        if command.frozen is not None:
            frozen = region.mask_to_cells(torch.from_numpy(command.frozen), (grid[1], grid[0]))
            select, stay = select * ~frozen, torch.maximum(stay, frozen.float())
        return select, stay

    # --- one iteration --------------------------------------------------------------------------

    def _gradient(self, z: torch.Tensor, context: Any, features: torch.Tensor,
                  latent: torch.Tensor, still: torch.Tensor, targets: list[_Target],
                  stay: torch.Tensor) -> torch.Tensor:
        config = self.config
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            now = self.world_model.denoise(z, config.guided_step, context, taps=config.taps)
            assert now.x0 is not None
            loss = config.background_weight * ((now.x0 - still) * stay).pow(2).mean()
            if config.feature_weight:
                loss = loss + config.feature_weight * self._moved(
                    self._features(now.taps), features, targets)
            if config.latent_weight:
                loss = loss + config.latent_weight * self._moved(now.x0, latent, targets)
            return torch.autograd.grad(loss, z)[0]

    def _moved(self, now: torch.Tensor, before: torch.Tensor,
               targets: list[_Target]) -> torch.Tensor:
        """Mean distance, over target cells, of what is there from what was at the handle."""
        total, cells = now.new_zeros(()), now.new_zeros(())
        for target in targets:
            for mask, pose in zip(target.masks, target.poses, strict=True):
                error = now[target.frame] - region.warp(before, pose)
                error = error.abs() if self.config.distance == 'l1' else error.pow(2)
                total = total + (error.mean(0) * mask).sum()
                cells = cells + mask.sum()
        return total / cells.clamp_min(1.0)

    def _updated(self, z: torch.Tensor, gradient: torch.Tensor,
                 select: torch.Tensor) -> torch.Tensor:
        if self.config.update == 'sign':
            # AdamW's first step is g / (|g| + eps) whatever the size of g, and G scales g only.
            weighted = gradient * select
            weighted = weighted / weighted.norm().clamp_min(1.0)
            return z - self.config.rate * (weighted / (weighted.abs() + 1e-8) + 0.01 * z)
        if self.config.update == 'normalised':
            gradient = gradient / gradient.pow(2).mean().sqrt().clamp_min(1e-12)
        return z - self.config.rate * select * gradient
