"""Training: drags from true tracks, and the whole pipeline from nothing to weights that load."""
from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag_maps import drag_maps, map_flow
from dragstream_ros.training import cli
from dragstream_ros.training.sample_drags import (
    DragSampling,
    chunk_maps,
    sample_handles,
    sample_held,
)
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

TRACKS = np.cumsum(np.ones((5, 6, 2)), 0)           # six points, all going one way
THINGS = np.array([0, 0, 0, 1, 1, -1])


def test_a_map_has_its_peaks_where_the_handle_is_and_shall_be() -> None:
    maps = drag_maps(torch.tensor([[2.0, 3.0]]), torch.tensor([[[6.0, 9.0]]]), (16, 16))
    assert maps.shape == (1, 6, 16, 16)
    assert maps[0, 0, 3, 2] == 1 and maps[0, 3, 9, 6] == 1
    assert maps[0, 4, 9, 6] == 2 and maps[0, 5, 9, 6] == 3         # (4, 6) cells, in pairs


def test_maps_of_several_handles_add_up() -> None:
    source, target = torch.rand(3, 2) * 16, torch.rand(3, 4, 2) * 16
    together = drag_maps(source, target, (16, 16))
    alone = sum(drag_maps(source[i:i + 1], target[i:i + 1], (16, 16)) for i in range(3))
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_flow_of_a_map_is_the_drag_at_its_target_and_nothing_far_away() -> None:
    maps = drag_maps(torch.tensor([[3.0, 3.0]]), torch.tensor([[[6.0, 4.0]]]), (16, 16))
    flow, share = map_flow(maps)
    assert flow[0, :, 4, 6] == pytest.approx([3.0, 1.0])
    assert share[0, 0, 4, 6] > 0.95 and share[0, 0, 14, 14] < 1e-3


def test_a_hidden_point_is_never_a_handle() -> None:
    visible = np.array([False, True, True, False, False, False])
    for seed in range(50):
        rng = np.random.default_rng(seed)
        tracks = sample_handles(TRACKS, visible, THINGS, DragSampling(undragged=0, jitter_px=0),
                                rng)
        assert tracks.shape[1] <= 2


def test_the_asked_share_of_clips_is_undragged() -> None:
    rng = np.random.default_rng(0)
    config = DragSampling(undragged=0.4, alone=1.0, static_point=0.0)
    counts = [sample_handles(TRACKS, np.ones(6, bool), THINGS, config, rng).shape[1]
              for _ in range(500)]
    assert np.mean(np.array(counts) == 0) == pytest.approx(0.4, abs=0.07)


def test_no_handle_gives_empty_maps() -> None:
    maps = chunk_maps(np.zeros((5, 0, 2)), 16, 128)
    assert maps.shape == (4, 6, 16, 16) and not maps.any()


def test_what_a_training_handle_holds_is_the_thing_around_it_and_not_the_whole_arm() -> None:
    masks = np.zeros((128, 128), np.uint8)
    masks[60:70, :] = 1                                     # an arm across the picture
    tracks = np.array([[[64.0, 65.0]], [[80.0, 65.0]]])
    for seed in range(20):
        held = sample_held(np.zeros((128, 128, 3), np.uint8), masks, tracks,
                           np.random.default_rng(seed))
        assert held is not None
        rows, columns = np.nonzero(held.masks[0].numpy())
        assert 58 <= rows.min() and rows.max() <= 71 and 10 <= np.ptp(columns) <= 62
        assert held.poses[-1][0].delta_px.tolist() == [16, 0]


def test_a_handle_that_left_the_picture_holds_nothing() -> None:
    tracks = np.array([[[-5.0, 65.0]], [[-9.0, 65.0]]])
    assert sample_held(np.zeros((128, 128, 3), np.uint8), np.zeros((128, 128), np.uint8), tracks,
                       np.random.default_rng(0)) is None


def test_the_pipeline_goes_from_nothing_to_weights_that_load(tmp_path, monkeypatch) -> None:
    from dragstream_ros.simulation.no_graphics import NoGraphics
    config = tmp_path / 'tiny.yaml'
    config.write_text(
        'sigmas: [0.5]\nepisodes: {episodes: 2, episode_secs: 2.0}\n'
        'autoencoder: {minutes: 0.02, batch: 2}\nflow: {minutes: 0.02, batch: 2}\n'
        'dynamics: {minutes: 0.04, batch: 1}\n')
    monkeypatch.setattr('os.cpu_count', lambda: 1)
    torch.set_num_threads(1)
    args = argparse.Namespace(config=config, folder=tmp_path / 'run', first=None)
    try:
        cli.main(args)
    except NoGraphics as reason:
        pytest.skip(str(reason))
    curves = [(args.folder / f'{stage}.csv').read_text() for stage in cli.STAGES[1:]]
    cli.main(args)
    again = [(args.folder / f'{stage}.csv').read_text() for stage in cli.STAGES[1:]]
    assert again == curves, 'what had ended was trained on'
    model = TabletopWorldModel.load(tmp_path / 'run')
    frames = np.zeros((1, 128, 128, 3), np.uint8)
    assert model.decode(model.encode(frames)).shape == frames.shape


def test_an_unknown_setting_is_named(tmp_path) -> None:
    with pytest.raises(SystemExit, match='learningrate'):
        cli._filled(DragSampling, {'learningrate': 1})
