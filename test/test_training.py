"""Training: drags from true tracks, and the whole pipeline from nothing to weights that load."""
from __future__ import annotations

import argparse
from functools import partial
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from training_program import MovingSquare

from dragstream_ros.core.drag_maps import drag_maps, map_flow
from dragstream_ros.core.held import Held
from dragstream_ros.masks import thing_net
from dragstream_ros.share import config_file
from dragstream_ros.training import cli, train_autoencoder, train_dynamics, train_flow
from dragstream_ros.training.episodes import Episode, Tracks
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.sample_drags import (
    DragSampling,
    chunk_maps,
    sample_handles,
    sample_held,
)
from dragstream_ros.training.stages import TabletopConfig, read_config
from dragstream_ros.world_models.tabletop import model as tabletop_model
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

TRACKS = np.cumsum(np.ones((5, 6, 2)), 0)           # six points, all going one way
THINGS = np.array([0, 0, 0, 1, 1, -1])


class Masked:
    """As much of an episode as sample_held needs: a black picture with a mask of one thing."""

    def __init__(self, mask: np.ndarray) -> None:
        self.frames = np.zeros((1, 128, 128, 3), np.uint8)
        self._mask = mask

    def thing_at(self, index: int, point_px: np.ndarray) -> np.ndarray:
        return self._mask


def held(mask: np.ndarray, tracks: np.ndarray, seed: int) -> Held | None:
    return sample_held(cast(Episode, Masked(mask)), 0, tracks, np.random.default_rng(seed))


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
        tracks = sample_handles(Tracks(TRACKS, visible, THINGS),
                                DragSampling(undragged=0, jitter_px=0), rng)
        assert tracks.shape[1] <= 2


def test_the_asked_share_of_clips_is_undragged() -> None:
    rng = np.random.default_rng(0)
    config = DragSampling(undragged=0.4, alone=1.0, static_point=0.0)
    counts = [sample_handles(Tracks(TRACKS, np.ones(6, bool), THINGS), config, rng).shape[1]
              for _ in range(500)]
    assert np.mean(np.array(counts) == 0) == pytest.approx(0.4, abs=0.07)


def test_no_handle_gives_empty_maps() -> None:
    maps = chunk_maps(np.zeros((5, 0, 2)), 16, 128)
    assert maps.shape == (4, 6, 16, 16) and not maps.any()


def test_what_a_training_handle_holds_is_the_thing_around_it_and_not_the_whole_arm() -> None:
    arm = np.zeros((128, 128), bool)
    arm[60:70, :] = True                                    # across the picture
    tracks = np.array([[[64.0, 65.0]], [[80.0, 65.0]]])
    for seed in range(20):
        found = held(arm, tracks, seed)
        assert found is not None
        rows, columns = np.nonzero(found.masks[0].numpy())
        assert 58 <= rows.min() and rows.max() <= 71 and 10 <= np.ptp(columns) <= 62
        assert found.poses[-1][0].delta_px.tolist() == [16, 0]


def test_a_handle_that_left_the_picture_holds_nothing() -> None:
    tracks = np.array([[[-5.0, 65.0]], [[-9.0, 65.0]]])
    assert held(np.ones((128, 128), bool), tracks, 0) is None


def test_the_pipeline_goes_from_nothing_to_weights_that_load(tmp_path, monkeypatch) -> None:
    from dragstream_ros.simulation.no_graphics import NoGraphics
    config = tmp_path / 'tiny.yaml'
    config.write_text(
        'episodes: {episodes: 2, episode_secs: 2.0}\nautoencoder: {steps: 3, batch: 2}\n'
        'flow: {steps: 3, batch: 2}\ndynamics: {steps: 2, batch: 1}\n'
        'table: {steps: 2, batch: 1}\nwhole: {steps: 2, batch: 1}\nthings: {steps: 2, batch: 1}\n')
    monkeypatch.setattr('os.cpu_count', lambda: 1)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    args = parser.parse_args([str(config), '--folder', str(tmp_path / 'run')])
    try:
        cli.main(args)
    except NoGraphics as reason:
        pytest.skip(str(reason))
    names = ('tabletop.safetensors', 'things.safetensors')
    written = [(args.folder / name).read_bytes() for name in names]
    cli.main(args)
    assert [(args.folder / name).read_bytes() for name in names] == written
    model = TabletopWorldModel.load(tmp_path / 'run')
    frames = np.zeros((1, 128, 128, 3), np.uint8)
    assert model.decode(model.encode(frames)).shape == frames.shape
    things = load_file(args.folder / 'things.safetensors')
    assert {name: value.shape for name, value in things.items()} == {
        name: value.shape for name, value in thing_net.weights().items()}


@pytest.mark.parametrize(('text', 'said'), [
    ('flow: {learningrate: 1}', "flow has no setting 'learningrate'; it has batch, drags"),
    ('minutes: 3', "has no setting 'minutes'"),
    ('flow: {drags: {undraged: 1}}', "flow: drags has no setting 'undraged'"),
    ('flow: {steps: many}', "steps must be a number, not 'many'"),
    ('flow: 3', 'flow must be settings with values, not 3'),
    ('flow: {', 'is no YAML'),
])
def test_a_wrong_setting_is_named(tmp_path, text, said) -> None:
    path = tmp_path / 'wrong.yaml'
    path.write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_config(path, TabletopConfig())


def test_the_published_configuration_is_valid() -> None:
    config = read_config(config_file('train_tabletop.yaml'), TabletopConfig())
    assert config.episodes.episodes == 1600 and config.dynamics.steps == 3500


class CarriedGuess:
    """For FirstGuess without pieces, which are cut on the CPU, from numbers."""

    @staticmethod
    def of(newest: np.ndarray, displacement: torch.Tensor, hole: torch.Tensor, held: None,
           seen: None) -> SimpleNamespace:
        picture = torch.from_numpy(newest).to(hole.device).permute(2, 0, 1).float() / 255
        frames = carry(picture, displacement, hole)
        return SimpleNamespace(frames=frames, settled=torch.zeros_like(frames[:, :1]))


def test_a_sample_that_is_repainted_has_other_colours_and_the_same_motion() -> None:
    episodes, latents = [MovingSquare(0)], [torch.zeros(18, 12, 16, 16)]
    net = TabletopWorldModel().flow

    def draw(repainted: float) -> train_flow.FlowSamples:
        config = train_flow.FlowTraining(batch=2, repainted=repainted)
        return train_flow.draw_flows(
            net, latents, episodes, config, np.random.default_rng(0),
            lambda frames: torch.ones(len(frames), 12, 16, 16))

    plain, other = draw(0.0), draw(1.0)
    assert not plain.newest.any() and other.newest.all()      # encoded anew
    assert plain.pictures.shape == other.pictures.shape
    assert (plain.pictures - other.pictures).abs().mean() > 0.02
    square = np.zeros((1, 4, 4, 3), np.uint8)
    square[:, 1:3, 1:3] = (200, 100, 50)
    painted = train_flow.repaint(square, np.random.default_rng(1))
    assert painted.dtype == np.uint8 and painted[:, 1:3, 1:3].all()
    assert not painted[:, 0].any()                              # black stays black, in its place


def test_every_stage_computes_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """On torch's meta device, which has no numbers, but refuses what lies elsewhere."""
    for module in (train_autoencoder, train_flow, train_dynamics):
        monkeypatch.setattr(module, 'DEVICE', torch.device('meta'))
    monkeypatch.setattr(tabletop_model, 'FirstGuess', CarriedGuess)
    episodes = [MovingSquare(0)]
    model = TabletopWorldModel().to('meta')
    latents = [torch.zeros(18, 12, 16, 16)]
    rng = np.random.default_rng(0)

    pixels = train_autoencoder._pixels(episodes[0].frames)
    assert model.autoencoder.decode(model.autoencoder.encode(pixels)).is_meta

    config = train_flow.FlowTraining(batch=2)
    samples = train_flow.draw_flows(
        model.flow, latents, episodes, config, rng,
        partial(train_autoencoder.encode_frames, model.autoencoder))
    flow = model.flow(samples.newest, samples.maps)
    assert train_flow.flow_loss(flow, samples.truth, samples.known, config)[0].is_meta
    assert train_flow.picture_error(
        flow, samples, model.flow.config.fine, config.pictured).is_meta

    drawing = train_dynamics.DynamicsTraining(batch=1, with_regions=0.0)
    clips = train_dynamics.draw_clips(latents, episodes, drawing, rng, 2, 5)
    guess, opened = train_dynamics.guess_clips(model, clips)
    sigma, noise = torch.ones(1, 10, device='meta'), torch.ones(1, 1, 1, 1, 1, device='meta')
    x0 = train_dynamics.denoise_clips(model.dynamics, clips, guess, sigma, guess, noise)
    assert (opened * x0).is_meta and x0.shape == guess.shape
