"""Training of the network that finds the touched thing: what is a thing, and what a touch means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import SimulatedEpisode
from dragstream_ros.training.thing_module import ThingModule
from dragstream_ros.training.train_things import (
    ThingTraining,
    draw_sample,
    draw_touches,
    overlap_of,
    parts_of,
    save_things,
    thing_loss,
    train_things,
)

ARM, BOX = np.s_[0:100, 4:16], np.s_[40:70, 40:80]
LID = np.s_[40:52, 40:80]


def table() -> SimulatedEpisode:
    """An arm of two bodies and a box with a lid, a frame of it."""
    frame = np.full((128, 128, 3), 90, np.uint8)
    masks, bodies = np.zeros((2, 128, 128), np.uint8)
    masks[ARM], bodies[ARM] = 1, 9
    bodies[80:100, 4:16] = 10
    masks[BOX], bodies[BOX], bodies[LID] = 3, 5, 6
    for where, colour in ((ARM, (220, 220, 220)), (BOX, (200, 30, 30)), (LID, (30, 30, 200))):
        frame[where] = colour
    return cast(SimulatedEpisode, SimpleNamespace(
        frames=frame[None], masks=masks[None], surfaces=SimpleNamespace(body=bodies[None])))


def test_an_arm_is_one_part_and_a_lid_one_of_its_own():
    parts = parts_of(table(), 0)
    assert np.unique(parts[ARM]).tolist() == [2]
    assert np.unique(parts[LID]).tolist() == [7] and np.unique(parts[53:70, 40:80]).tolist() == [6]


def test_a_touch_of_the_body_means_all_of_it_and_of_the_lid_the_lid_alone():
    parts = parts_of(table(), 0)
    meant = {0: np.zeros_like(parts, bool), 2: parts == 2, 6: parts >= 6, 7: parts == 7}
    touches, masks = draw_touches(parts, ThingTraining(touches=60), np.random.default_rng(0))
    touched = [int(parts[y, x]) for x, y in touches]
    assert set(touched) == set(meant)
    assert all(np.array_equal(mask, meant[part])
               for part, mask in zip(touched, masks, strict=True))


def test_samples_are_as_their_seed_says():
    one, other = (draw_sample([table()], ThingTraining(), np.random.default_rng(3))
                  for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_loss_is_least_where_the_mask_is_found():
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:5, 2:6] = 1
    right, wrong, nothing = (
        thing_loss(20 * logits, truth, ThingTraining())
        for logits in (2 * truth - 1, 1 - 2 * truth, -torch.ones_like(truth)))
    assert right < 1e-3 < nothing < wrong
    assert overlap_of(truth > 0, truth > 0).item() == 1
    assert overlap_of(truth > 0, torch.ones_like(truth) > 0).item() == pytest.approx(12 / 64)


def test_a_network_learns_to_find_what_it_is_shown(tmp_path):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    loop, module = Loop(tmp_path, 'things'), ThingModule()
    train_things(module, [table()], ThingTraining(steps=60, batch=2, touches=6), loop)
    assert loop.rows[-1]['loss'] < 0.8 * loop.rows[0]['loss']
    assert save_things(module, tmp_path, {'made': 'here'}).stat().st_size < 1e6
