"""Guidance on an untrained model: it does nothing when asked nothing, and less loss when asked."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.drag_guidance import (
    PROFILES,
    DragGuidance,
    DragGuidanceConfig,
    Reference,
)
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

UNFILTERED = replace(DragGuidanceConfig.profile('fast'), iterations_per_segment=2, max_segments=1,
                     frequency=FrequencySelectionConfig(cutoffs=(None,)))
TIMES = np.linspace(0.0, 1.0, 6)


class Scene:
    """An untrained model, a context, and a noisy chunk after it."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.model = TabletopWorldModel().eval().requires_grad_(False)
        torch.nn.init.normal_(self.model.dynamics.conv_out.weight, std=0.05)
        self.past = torch.randn(6, *self.model.latent_shape)
        context = self.model.commit(self.past, self.model.empty_context())
        picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
        self.conditions = self.model.condition(context, picture)
        self.noisy = torch.randn(5, *self.model.latent_shape)
        x0 = self.model.denoise(self.noisy, 0, self.conditions).x0
        assert x0 is not None
        self.reference = Reference(self.noisy, x0, self.conditions)

    def optimised(self, config: DragGuidanceConfig, command: DragCommand) -> torch.Tensor:
        guidance = DragGuidance(self.model, config)
        return guidance.optimise(self.noisy, self.conditions, self.reference, command, TIMES,
                                 neighbours=self.past, seed=0)


@pytest.fixture(scope='module')
def scene() -> Scene:
    return Scene()


def drag(*path: tuple[float, float], mode: DragMode = DragMode.ANIMATE,
         frozen: np.ndarray | None = None) -> DragCommand:
    return DragCommand(drag_id='d', operator_id='o', mode=mode, image_size=(128, 128), stamp_ns=0,
                       handles=(DragHandle(path_px=np.array(path, float)),), frozen=frozen)


def test_no_displacement_and_equal_features_leave_the_latent_as_it_was(scene) -> None:
    # Squared, because an absolute difference has a gradient at the last rounding bit too.
    config = replace(UNFILTERED, distance='l2', rate=1.0, update='plain', latent_weight=0.0,
                     start_from_held=False)
    z = scene.optimised(config, drag((60, 60), (60, 60), mode=DragMode.EDIT))
    assert torch.allclose(z, scene.noisy, atol=1e-4)


def test_an_edit_asks_only_the_last_frame_to_move(scene) -> None:
    change = (scene.optimised(UNFILTERED, drag((60, 60), (80, 60), mode=DragMode.EDIT))
              - scene.noisy).abs().amax((1, 2, 3))
    assert change[-1] > 10 * change[:-1].max()


def test_the_update_stays_near_the_handle_and_its_target(scene) -> None:
    config = replace(UNFILTERED, rectification=replace(
        UNFILTERED.rectification, in_loop='off', after_loop=False))
    change = (scene.optimised(config, drag((20, 20), (36, 20))) - scene.noisy).abs().amax((0, 1))
    assert change[2, 3] > 0.01 and change[12:, 12:].max() < 1e-3


def test_a_frozen_region_is_not_updated(scene) -> None:
    frozen = np.zeros((128, 128), bool)
    frozen[:, :64] = True
    config = replace(UNFILTERED, rectification=replace(
        UNFILTERED.rectification, in_loop='off', after_loop=False))
    change = scene.optimised(config, drag((70, 60), (50, 60), frozen=frozen)) - scene.noisy
    assert change[..., :8].abs().max() == 0 and change[..., 8:].abs().max() > 0


@pytest.mark.parametrize('profile', sorted(PROFILES))
def test_every_profile_keeps_the_chunks_statistics(scene, profile) -> None:
    config = replace(PROFILES[profile], iterations_per_segment=1, max_segments=1)
    z = scene.optimised(config, drag((60, 60), (80, 70)))
    assert torch.isfinite(z).all()
    assert float(z.mean()) == pytest.approx(float(scene.noisy.mean()), abs=0.1)
    assert float(z.std()) == pytest.approx(float(scene.noisy.std()), rel=0.3)


def test_a_handle_dragged_out_of_the_picture_does_no_harm(scene) -> None:
    z = scene.optimised(UNFILTERED, drag((120, 60), (190, 60)))
    assert torch.isfinite(z).all()
