"""The profile `code` is the authors' update rule: here it is once more, from the specification."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tiny_world_model import CHANNELS, FRAMES, GRID, SIDE, TinyWorldModel
from torch.nn import functional

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.drag_guidance import PROFILES, DragGuidance, Reference
from dragstream_ros.core.frequency_selection import butterworth_gain
from dragstream_ros.core.world_model import Conditions

LEARNING_RATE, WEIGHT_DECAY, LARGEST_NORM, ITERATIONS = 0.02, 0.01, 1.0, 5
SIGMA_IN_BOXES = 0.5 * (1 + 1.5) * 1.5
EPSILON = 1e-6      # the released code has none and gives nan for a constant latent
CUTOFFS = (0.2, 0.4, 0.6, None)
SEGMENTS, CELLS = 2, 4          # 32 px to the right: two segments of 16 px, four cells of 8 px
TAPS = (0, 1)
ROWS, COLUMNS = slice(4, 7), slice(2, 5)        # of the handle, in cells


class Scene:
    def __init__(self) -> None:
        self.model = TinyWorldModel()
        draw = torch.Generator().manual_seed(1)

        def latents(frames: int) -> torch.Tensor:
            return torch.randn(
                frames, CHANNELS, SIDE, SIDE, generator=draw, dtype=torch.float64)

        self.noisy, self.before = latents(FRAMES), latents(FRAMES)
        self.conditions, self.earlier = (
            Conditions(latents(4), np.zeros((96, 96, 3), np.uint8), latents(FRAMES))
            for _ in range(2))


def attention_maps(taps, cutoff=None):
    """Outputs of the tapped attentions, twice as large; keys and values low-passed."""
    outputs = []
    for tap in taps.values():
        keys, values = tap.keys.detach(), tap.values.detach()
        if cutoff is not None:
            gain = butterworth_gain((GRID, GRID), cutoff, 4)[..., None]
            keys, values = (
                torch.fft.ifft2(torch.fft.fft2(x.unflatten(1, (-1, GRID, GRID)), dim=(2, 3)) * gain,
                                dim=(2, 3)).real.flatten(1, 3)
                for x in (keys, values))
        weights = (tap.queries @ keys.transpose(1, 2) / tap.queries.shape[-1] ** 0.5).softmax(-1)
        outputs.append((weights @ values).transpose(0, 1).flatten(1))
    maps = torch.cat(outputs, -1).unflatten(0, (-1, GRID, GRID)).permute(0, 3, 1, 2)
    return functional.interpolate(maps, scale_factor=2.0, mode='bilinear', align_corners=True)


def to_the_right(map_, cells):
    return functional.pad(map_, (cells, 0))[..., :SIDE]


def gaussian(mask):
    bells = []
    for along in (mask.any(1), mask.any(0)):
        first, last = along.nonzero()[0, 0].item(), along.nonzero()[-1, 0].item()
        sigma = SIGMA_IN_BOXES * (last - first + 1)
        bells.append(torch.exp(-((torch.arange(SIDE) - (first + last) / 2) / sigma) ** 2 / 2))
    return bells[0][:, None] * bells[1]


def as_before(z, before, dims):
    own, other = ([f(x, dim=dims, keepdim=True) for f in (torch.mean, torch.std)]
                  for x in (z, before))
    return (z - own[0]) / (own[1] + EPSILON) * other[1] + other[0]


def released_rule(scene: Scene, seed: int) -> torch.Tensor:
    """An edit: the last frame alone is asked to move (spec 1.4 to 1.6)."""
    model, draw = scene.model, torch.Generator().manual_seed(seed)
    seen = model.denoise(scene.before, 0, scene.earlier, taps=TAPS).taps
    references = [attention_maps(seen, cutoff)[-1] for cutoff in CUTOFFS]
    x0_before = model.denoise(scene.noisy, 0, scene.conditions).x0
    handle = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    handle[ROWS, COLUMNS] = True
    handle = functional.max_pool2d(handle.float()[None], 3, 1, 1)[0] > 0
    z = scene.noisy
    for segment in range(1, SEGMENTS + 1):
        cells = CELLS * segment // SEGMENTS
        mask = to_the_right(handle, cells)
        weight = torch.zeros(FRAMES, 1, SIDE, SIDE)
        weight[-1] = gaussian(mask)
        stays = torch.ones(FRAMES, 1, SIDE, SIDE)
        stays[-1, 0][mask | handle] = 0.0
        for _ in range(ITERATIONS):
            target = to_the_right(references[int(torch.randint(4, (), generator=draw))], cells)
            z = z.detach().clone().requires_grad_()
            optimiser = torch.optim.AdamW([z], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
            now = model.denoise(z, 0, scene.conditions, taps=TAPS)
            wrong = (target * mask - attention_maps(now.taps)[-1] * mask).pow(2).mean(0)
            loss = wrong.sum() / mask.sum() + ((now.x0 - x0_before) * stays).pow(2).mean()
            loss.backward()
            z.grad *= weight
            torch.nn.utils.clip_grad_norm_([z], LARGEST_NORM)
            optimiser.step()
            z = as_before(z.detach(), scene.noisy, (2, 3))
    return as_before(z, scene.noisy, (0, 1, 2, 3))


def ours(scene: Scene, seed: int) -> torch.Tensor:
    mask = np.zeros((96, 96), bool)
    mask[8 * ROWS.start:8 * ROWS.stop, 8 * COLUMNS.start:8 * COLUMNS.stop] = True
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.EDIT, image_size=(96, 96), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(28.0, 44.0), (60.0, 44.0)]), mask=mask),))
    guidance = DragGuidance(scene.model, replace(PROFILES['code'], taps=TAPS, rate=LEARNING_RATE))
    return guidance.optimise(
        scene.noisy, scene.conditions, Reference(scene.before, scene.before, scene.earlier),
        command, np.linspace(0.0, 1.0, FRAMES + 1), neighbours=scene.before, seed=seed)


def test_the_code_profile_does_what_the_released_rule_does():
    scene = Scene()
    expected = released_rule(scene, seed=3)
    assert (expected - scene.noisy).abs().max() > 0.05
    assert (ours(scene, seed=3) - expected).abs().max() < 1e-5
