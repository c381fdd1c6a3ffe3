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
    save_things,
    thing_loss,
    train_things,
)

ARM, BOX, LID = np.s_[0:100, 4:16], np.s_[40:70, 40:80], np.s_[40:52, 40:80]


def table() -> SimulatedEpisode:
    """An arm and a box with a lid, a frame of it."""
    frame, masks = np.full((128, 128, 3), 90, np.uint8), np.zeros((128, 128), np.uint8)
    masks[ARM], masks[BOX] = 1, 3
    for where, colour in ((ARM, (220, 220, 220)), (BOX, (200, 30, 30)), (LID, (30, 30, 200))):
        frame[where] = colour
    return cast(SimulatedEpisode, SimpleNamespace(frames=frame[None], masks=masks[None]))


def test_a_touch_means_all_of_a_thing_and_of_the_table_nothing():
    things = table().masks[0]
    touches, masks = draw_touches(things, ThingTraining(touches=60), np.random.default_rng(0))
    touched = [int(things[y, x]) for x, y in touches]
    assert set(touched) == {0, 1, 3}
    assert all(np.array_equal(mask, (things == thing) & (thing > 0))
               for thing, mask in zip(touched, masks, strict=True))


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
