"""Shapes of a network are trained alike and told apart in one table."""

from __future__ import annotations

import pytest
import torch
from training_program import MovingSquare

from dragstream_ros.training import shape_trials
from dragstream_ros.training.compare_shapes import PARTS, compare, trial_of
from dragstream_ros.training.sample_drags import DragSampling
from dragstream_ros.training.shape_trials import FlowTrial
from dragstream_ros.training.train_flow import FlowTraining
from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig, FrameAutoencoder
from dragstream_ros.world_models.tabletop.dynamics import DynamicsConfig
from dragstream_ros.world_models.tabletop.flow import FlowConfig, FlowNet

SMALL = FlowConfig(channels=16, width=24, heads=2, blocks=1)
SHAPES = {
    'flow': {'small, fine': SMALL,
             'small, no attention': FlowConfig(channels=16, width=24, blocks=0)},
    'autoencoder': {'small, fine': AutoencoderConfig(
        encoder_channels=(16, 16), decoder_channels=(16, 16, 16))},
    'denoiser': {'small, fine': DynamicsConfig(channels=16, width=24, heads=2, blocks=1)}}


@pytest.mark.parametrize('part', PARTS)
def test_the_table_has_a_row_for_every_shape_and_a_training_that_ended_takes_no_more_steps(
        part, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(shape_trials, 'BATCHES', 1)

    def rows() -> list[list[str]]:
        lines = compare(trial_of(part, 2, [MovingSquare(0)], [MovingSquare(1)]), SHAPES[part],
                        tmp_path / part).splitlines()
        return [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines[2:]]

    once = rows()
    assert 'small_fine 2 of 2' in capsys.readouterr().out
    again = rows()
    assert 'small_fine 2 found' in capsys.readouterr().out
    assert [row[0] for row in once] == list(SHAPES[part])
    assert [row[3] for row in once] == [row[3] for row in again]
    assert all(float(cell) > 0 for row in once for cell in row[3].split(' and '))


def test_the_error_is_in_px_and_none_for_a_network_that_knows_the_way(monkeypatch) -> None:
    monkeypatch.setattr(shape_trials, 'BATCHES', 8)
    undragged = FlowTraining(batch=1, drags=DragSampling(undragged=1.0))
    autoencoder = FrameAutoencoder(
        AutoencoderConfig(encoder_channels=(16, 16), decoder_channels=(16, 16, 16))).eval()
    rests = FlowNet(SMALL).eval()       # its last layer is zero: it says that nothing moves
    # The square goes 3 px a frame to the right: 3 to 15 of them in a chunk, 9 on the average.
    with torch.no_grad():
        trial = FlowTrial(undragged, autoencoder, [], [MovingSquare(0)])
        assert trial.error_px(rests) == pytest.approx(9.0, abs=0.1)
