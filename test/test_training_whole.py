"""Training of the network that says how a thing goes on where it is hidden."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from dragstream_ros.training import train_whole as module
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import SimulatedEpisode
from dragstream_ros.training.train_whole import (
    Shapes,
    WholeTraining,
    draw_view,
    train_whole,
    whole_loss,
)
from dragstream_ros.world_models.tabletop.whole_thing import WholeThing, WholeThingConfig


def episode() -> SimulatedEpisode:
    """A box alone, two that touch, and an arm that comes in from the left."""
    frame, mask = np.full((96, 96, 3), 120, np.uint8), np.zeros((96, 96), np.uint8)
    for number, (part, colour) in enumerate((
            (np.s_[60:70, 0:40], 30), (np.s_[20:36, 20:40], 200), (np.s_[20:36, 60:70], 180),
            (np.s_[20:36, 70:80], 60)), 1):
        frame[part], mask[part] = colour, number
    return cast(SimulatedEpisode, SimpleNamespace(frames=frame[None], masks=mask[None]))


def test_things_alone_are_learnt_from_and_arms_reach_in() -> None:
    shapes = Shapes.of([episode()])
    [(_, alone)] = shapes.alone
    assert alone.sum() == 16 * 20 and alone[20:36, 20:40].all()
    [arm] = shapes.arms
    assert arm.sum() == 10 * 40 and len(shapes.all) == 4


def test_episodes_without_a_thing_alone_are_refused() -> None:
    touching = episode()
    touching.masks[touching.masks == 2] = 0
    with pytest.raises(TrainingError, match='In no episode a thing lies alone.*more episodes'):
        Shapes.of([touching])


def test_what_is_asked_and_what_is_true() -> None:
    shapes, rng = Shapes.of([episode()]), np.random.default_rng(0)
    for _ in range(20):
        view, asked, truth = draw_view(shapes, WholeTraining(frayed=0.0), rng)
        seen, others = view[3] > 0, view[4] > 0
        assert not (seen & others).any() and np.array_equal(asked, seen + 2.0 * others)
        assert truth[seen].all() and not (truth & ~seen & ~others).any()
        assert not view[:3, ~seen].any()        # of others it sees no colours


def test_what_is_behind_hides_nothing() -> None:
    shapes, rng = Shapes.of([episode()]), np.random.default_rng(0)
    for _ in range(10):
        view, _, truth = draw_view(shapes, WholeTraining(frayed=0.0, behind=1.0), rng)
        assert np.array_equal(view[3] > 0, truth)


def test_samples_are_as_their_seed_says() -> None:
    one, other = (draw_view(Shapes.of([episode()]), WholeTraining(), np.random.default_rng(3))
                  for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_loss_counts_what_is_asked_and_more_where_others_are() -> None:
    truth, asked = torch.ones(1, 8, 8), torch.zeros(1, 8, 8)
    asked[:, :2], asked[:, 2:4] = 1, 2
    right = torch.full((1, 8, 8), 20.0)
    assert whole_loss(right, asked, truth, WholeTraining()) < 1e-6
    beyond, seen, others = (right.clone() for _ in range(3))
    beyond[:, 4:], seen[:, :2], others[:, 2:4] = -1, -1, -1
    losses = [float(whole_loss(found, asked, truth, WholeTraining()))
              for found in (beyond, seen, others)]
    assert losses[0] < 1e-6 < losses[1] < losses[2]


def test_a_network_learns_how_a_box_goes_on(tmp_path) -> None:
    torch.set_num_threads(1)
    config = WholeTraining(steps=150, batch=8, repainted=0.0, frayed=0.0)
    net = small()
    train_whole(net, [episode()], config, Loop(tmp_path, 'whole'))
    shapes, rng = Shapes.of([episode()]), np.random.default_rng(5)
    views, asked, truth = module._batch([draw_view(shapes, config, rng) for _ in range(16)])
    with torch.no_grad():
        losses = [float(whole_loss(of(views), asked, truth, config)) for of in (small(), net)]
    assert losses[1] < 0.6 * losses[0]
    assert (tmp_path / 'whole.pictures.png').is_file()


def small() -> WholeThing:
    torch.manual_seed(0)
    return WholeThing(WholeThingConfig(width=8, kernels=(3, 3)))
