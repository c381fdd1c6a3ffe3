"""DragStream's guidance: move a noisy latent until the features of what is grabbed have moved.

At one denoise step the noisy chunk z is optimised: the attention features of the target regions are
to equal those the handle regions had before the drag, moved there, and everything else is to stay
(spec 1.4).  Progressive segments ask for a little more at a time; a Gaussian around the target says
where the update may act; the reference is drawn from low-passed variants; after every update the
latent's statistics are put back.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.core import region
from dragstream_ros.core.distribution_rectification import (
    DistributionRectificationConfig,
    DistributionRectifier,
)
from dragstream_ros.core.drag import DragCommand, DragMode, n_segments, poses_at
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig, low_pass
from dragstream_ros.core.pose import Pose
from dragstream_ros.core.world_model import Conditions, Tap, WorldModel


@dataclass(frozen=True, kw_only=True)
class DragGuidanceConfig:
    """What the optimisation does; lengths in latent cells, so that they fit any model.

    taps: attention blocks whose output is matched.  guided_step: denoise step that is optimised.
    update: 'plain', z -= rate * G * g (paper); 'normalised', the same with g / rms(g); 'sign',
        AdamW started anew each time (code, spec 1.5.1).
    distance: between features.  corner_aligned: how they are brought to the latent's size (code).
    sigma_ratio: of the Gaussian to the region's box.  select_source: the update acts where a thing
        is taken from, too (ours: else it stays there as well).
    background: what is to stay elsewhere, the estimate of the clean chunk (code) or its features
        (paper); background_weight: of that.
    start_from_held: the first guess has what is held in its place (ours).  latent_weight: of the
        distance from that guess where something comes or goes, beside the features (ours: the
        features of a small model carry little).
    """

    taps: tuple[int, ...] = (1, 2)
    guided_step: int = 0
    iterations_per_segment: int = 2
    max_segments: int = 1
    translation_step_cells: float = 2.0
    rotation_step_deg: float = 8.0
    update: Literal['plain', 'normalised', 'sign'] = 'normalised'
    rate: float = 0.1
    distance: Literal['l1', 'l2'] = 'l1'
    corner_aligned: bool = False
    feature_weight: float = 1.0
    latent_weight: float = 1.0
    start_from_held: bool = True
    background: Literal['x0', 'features'] = 'x0'
    background_weight: float = 1.0
    sigma_ratio: float = 1.0
    select_source: bool = True
    dilate_cells: int = 1
    frequency: FrequencySelectionConfig = field(default_factory=FrequencySelectionConfig)
    rectification: DistributionRectificationConfig = field(
        default_factory=DistributionRectificationConfig)

    @classmethod
    def profile(cls, name: str) -> DragGuidanceConfig:
        """Return 'fast' (ours), 'code' or 'paper' (spec 1.7), fitted to the bundled model."""
        return PROFILES[name]

    @property
    def needs_x0(self) -> bool:
        """False: nothing beyond the last tapped block matters."""
        return self.background == 'x0' or self.latent_weight > 0


PROFILES = {
    'fast': DragGuidanceConfig(),
    'code': DragGuidanceConfig(
        iterations_per_segment=5, update='sign', rate=0.02, distance='l2', corner_aligned=True,
        latent_weight=0.0, start_from_held=False, sigma_ratio=1.875, select_source=False,
        max_segments=8),
    'paper': DragGuidanceConfig(
        iterations_per_segment=4, latent_weight=0.0, start_from_held=False, sigma_ratio=0.5,
        select_source=False,
        frequency=FrequencySelectionConfig(cutoffs=(0.2, 0.4, 0.6, 1.0)),
        rectification=DistributionRectificationConfig(
            in_loop='neighbours', after_loop=False, x0=False)),
}


@dataclass(frozen=True)
class Reference:
    """A chunk as it was before the drag: what the handles' features are taken from.

    noisy: (F, C, h, w) at the guided step; x0: (F, C, h, w) clean; conditions: what it was, or
    could have been, predicted from.
    """

    noisy: torch.Tensor
    x0: torch.Tensor
    conditions: Conditions


@dataclass(frozen=True)
class _Segment:
    """What one progressive segment asks for.

    frames: the chunk's frames that shall move, and for each the handles' masks (h, w) bool and
    poses.  moved: (F, 1, h, w) bool, where something comes or goes.
    select: (F, 1, h, w) in 0..1, where the update acts; stay: (F, 1, h, w) 0 or 1.
    """

    frames: list[int]
    masks: list[list[torch.Tensor]]
    poses: list[list[region.CellPose]]
    moved: torch.Tensor
    select: torch.Tensor
    stay: torch.Tensor


class DragGuidance:
    """Optimises noisy chunks of one world model."""

    def __init__(self, world_model: WorldModel, config: DragGuidanceConfig) -> None:
        self.world_model = world_model
        self.config = config

    def optimise(self, z: torch.Tensor, conditions: Conditions, reference: Reference,
                 command: DragCommand, times_secs: np.ndarray, *, neighbours: torch.Tensor,
                 seed: int) -> torch.Tensor:
        """Return the noisy chunk (F, C, h, w) after the drag; nothing else changes.

        times_secs: (F + 1,) time after the drag's start of the last known frame and of every
        latent frame of the chunk.  For an edit only the last frame is asked to move (spec 1.4).
        neighbours: (N, C, h, w) clean frames just before the chunk.
        """
        config = self.config
        generator = torch.Generator().manual_seed(seed)
        sigma = self.world_model.sigmas[config.guided_step]
        rectifier = DistributionRectifier(config.rectification, z, sigma=sigma,
                                          neighbours=neighbours)
        variants = _Variants(self, reference)
        still = None
        regions = [region.dilate(mask, config.dilate_cells).to(z.device)
                   for mask in self._regions(command)]
        frames = [len(z) - 1] if command.mode == DragMode.EDIT else list(range(len(z)))
        start, *poses = poses_at(command, times_secs)
        poses = [poses[frame] for frame in frames]
        count = self._segment_count(poses)
        for index in range(1, count + 1):
            segment = self._segment(z, frames, poses, start, regions, index / count,
                                    command.frozen)
            for _ in range(config.iterations_per_segment):
                before = (variants[config.frequency.choose(generator)]
                          if config.feature_weight else None)
                gradient, still = self._gradient(z, conditions, before, still, segment)
                z = rectifier.in_loop(self._updated(z, gradient, segment.select))
        return rectifier.after_loop(z)

    # --- features -------------------------------------------------------------------------------

    def features(self, taps: dict[int, Tap], cutoff: float | None = None) -> torch.Tensor:
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
        return functional.interpolate(tokens, size=model.latent_shape[1:], mode='bilinear',
                                      align_corners=self.config.corner_aligned)

    # --- what is asked for ----------------------------------------------------------------------

    def _regions(self, command: DragCommand) -> list[torch.Tensor]:
        model = self.world_model
        return [region.handle_region(handle, image_size=model.image_size,
                                     latent_size=model.latent_shape[:0:-1])
                for handle in command.handles]

    def _segment_count(self, poses: list[list[Pose]]) -> int:
        model = self.world_model
        cell_px = model.image_size[0] / model.latent_shape[2]
        wanted = n_segments(
            [pose for frame in poses for pose in frame],
            translation_step_px=self.config.translation_step_cells * cell_px,
            rotation_step_deg=self.config.rotation_step_deg)
        return min(wanted, self.config.max_segments)

    def _cells(self, pose: Pose) -> region.CellPose:
        model = self.world_model
        return region.to_cells(pose, image_size=model.image_size,
                               latent_size=model.latent_shape[:0:-1])

    def _segment(self, z: torch.Tensor, frames: list[int], poses: list[list[Pose]],
                 start: list[Pose], regions: list[torch.Tensor], fraction: float,
                 frozen: np.ndarray | None) -> _Segment:
        """Targets of all frames of z at this fraction of the motion.

        What a handle leaves, now or at the chunk's start, need not stay.
        """
        moved = torch.zeros_like(z[:, :1], dtype=torch.bool)
        select, stay = torch.zeros_like(z[:, :1]), torch.ones_like(z[:, :1])
        left = torch.stack([region.warp(mask, self._cells(pose)) | mask
                            for mask, pose in zip(regions, start, strict=True)]).any(0)
        cells = [[self._cells(pose.scaled(fraction)) for pose in frame] for frame in poses]
        masks = [[region.warp(mask, pose) for mask, pose in zip(regions, frame, strict=True)]
                 for frame in cells]
        for frame, targets in zip(frames, masks, strict=True):
            moved[frame, 0] = torch.stack(targets).any(0) | left
            stay[frame, 0] = (~moved[frame, 0]).float()
            select[frame, 0] = region.merge_gaussians(
                region.gaussian(mask, sigma_ratio=self.config.sigma_ratio)
                for mask in [*targets, *([left] if self.config.select_source else [])])
        if frozen is not None:
            held = region.mask_to_cells(torch.from_numpy(frozen),
                                        self.world_model.latent_shape[:0:-1]).to(z.device)
            select, moved = select * ~held, moved & ~held
            stay = torch.maximum(stay, held.float())
        return _Segment(frames, masks, cells, moved, select, stay)

    # --- one iteration --------------------------------------------------------------------------

    def _gradient(self, z: torch.Tensor, conditions: Conditions, before: torch.Tensor | None,
                  still: torch.Tensor | None, segment: _Segment,
                  ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the loss, and what the background is compared with in the next iteration."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            loss, still = self._loss(z, conditions, before, still, segment)
            return torch.autograd.grad(loss, z)[0], still

    def _loss(self, z: torch.Tensor, conditions: Conditions, before: torch.Tensor | None,
              still: torch.Tensor | None, segment: _Segment) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss, and ``still``.

        before: (D, h, w), the features of the reference; None where they have no weight.
        still: (F, D, h, w), what the background was before the optimisation; None: it is now.
        """
        config = self.config
        now = self.world_model.denoise(z, config.guided_step, conditions, config.taps,
                                       stop_after_taps=not config.needs_x0)
        features = (self.features(now.taps)
                    if before is not None or config.background == 'features' else None)
        background = features if config.background == 'features' else now.x0
        assert background is not None
        if still is None:
            still = background.detach()
        change = (background - still) * segment.stay.to(still)
        rest = (self._distance(change) if config.background == 'features' else change.pow(2)).mean()
        loss = config.background_weight * rest
        if before is not None:
            assert features is not None
            loss = loss + config.feature_weight * self._feature_loss(features, before, segment)
        if config.latent_weight:
            assert now.x0 is not None
            error = self._distance(now.x0 - conditions.guess).mean(1, keepdim=True)
            cells = segment.moved.sum().clamp_min(1)
            loss = loss + config.latent_weight * (error * segment.moved).sum() / cells
        return loss, still

    def _feature_loss(self, now: torch.Tensor, before: torch.Tensor,
                      segment: _Segment) -> torch.Tensor:
        """Mean distance, over target cells, of what is there from what was at the handle."""
        total, cells = torch.zeros(2, device=now.device)    # precise, whatever the features are
        for frame, masks, poses in zip(segment.frames, segment.masks, segment.poses, strict=True):
            for mask, pose in zip(masks, poses, strict=True):
                error = self._distance(now[frame] - region.warp(before, pose))
                total = total + (error.mean(0) * mask).sum()
                cells = cells + mask.sum()
        return total / cells.clamp_min(1.0)

    def _distance(self, error: torch.Tensor) -> torch.Tensor:
        return error.abs() if self.config.distance == 'l1' else error.pow(2)

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


class _Variants:
    """Features (D, h, w) of the last reference frame, of each cut-off, when they are asked for."""

    def __init__(self, guidance: DragGuidance, reference: Reference) -> None:
        self._guidance, self._reference = guidance, reference
        self._taps: dict[int, Tap] = {}
        self._made: dict[int, torch.Tensor] = {}

    @torch.no_grad()
    def __getitem__(self, index: int) -> torch.Tensor:
        config, reference = self._guidance.config, self._reference
        if not self._taps:
            self._taps = self._guidance.world_model.denoise(
                reference.noisy, config.guided_step, reference.conditions, taps=config.taps,
                stop_after_taps=True).taps
        if index not in self._made:
            cutoff = config.frequency.cutoffs[index]
            # A copy: a view of the last frame would keep those of all in memory.
            self._made[index] = self._guidance.features(self._taps, cutoff)[-1].clone()
        return self._made[index]
