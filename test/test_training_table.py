"""Training of the network that paints what things hide of a table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from dragstream_ros.training import train_table as module
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.simulated_episodes import (
    EpisodeConfig,
    SimulatedEpisode,
    load_episodes,
)
from dragstream_ros.training.train_table import TableTraining, table_loss, train_table
from dragstream_ros.world_models.tabletop.bare_table import BareTable, BareTableConfig


def episode() -> SimulatedEpisode:
    """A box and its shadow on a table that gets brighter to the right."""
    bare = np.repeat(np.linspace(60, 200, 64)[None, :, None], 64, 0).repeat(3, 2).astype(np.uint8)
    frame, mask = bare.copy(), np.zeros((64, 64), np.uint8)
    frame[40:46, 20:40] //= 2
    frame[20:40, 20:40], mask[20:40, 20:40] = (220, 40, 40), 3
    return cast(SimulatedEpisode, SimpleNamespace(
        frames=frame[None], masks=mask[None], bare=bare))


def small() -> BareTable:
    torch.manual_seed(0)
    return BareTable(BareTableConfig(fine=6, widths=(8, 12), blocks=(1, 1), kernels=(3, 5)))


def test_what_is_told_to_be_hidden_covers_the_things_and_their_rims() -> None:
    config, rng = TableTraining(overlooked=0.0), np.random.default_rng(0)
    for _ in range(10):
        frame, table, hidden = module._draw([episode()], config, rng)
        seen = ~hidden
        darker = (table.astype(int) - frame)[seen].max(-1)
        assert hidden.sum() >= 22 * 22 and (darker >= -1).all()     # no box left, shadows perhaps


def test_samples_are_as_their_seed_says() -> None:
    one, other = (module._draw([episode()], TableTraining(), np.random.default_rng(3))
                  for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_loss_is_none_for_the_table_and_more_where_it_is_hidden() -> None:
    truth, hidden = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    hidden[..., :8] = 1
    assert table_loss(truth, hidden, truth, TableTraining()) == 0
    left, right = truth.clone(), truth.clone()
    left[..., 4], right[..., 11] = 0, 0
    there, seen = (table_loss(found, hidden, truth, TableTraining()) for found in (left, right))
    assert there > 2 * seen > 0


def test_a_network_learns_to_take_a_shadow_away(tmp_path) -> None:
    torch.set_num_threads(1)
    net = small()
    config = TableTraining(steps=120, batch=4, repainted=0.0, barred=0.0, overlooked=0.0)
    train_table(net, [episode()], config, Loop(tmp_path, 'table'))
    seen, hidden, truth = module._batch([module._draw([episode()], config,
                                                      np.random.default_rng(5))])
    with torch.no_grad():
        errors = [float((found - truth).abs().mean()) for found in (
            small()(seen, hidden), net(seen, hidden))]
    assert errors[1] < 0.6 * errors[0]
    assert (tmp_path / 'table.pictures.png').is_file()


def test_episodes_of_an_older_version_are_named(tmp_path) -> None:
    np.savez(tmp_path / 'episode_0000000.npz', frames=np.zeros(1), points_px=np.zeros(1),
             visible=np.zeros(1), point_thing=np.zeros(1), masks=np.zeros(1))
    with pytest.raises(TrainingError, match=r"has no 'bare'.*older version.*Delete"):
        load_episodes(tmp_path, EpisodeConfig(episodes=1))
