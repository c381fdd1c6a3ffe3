"""Shapes of the flow network are trained alike and told apart in one table."""

from __future__ import annotations

import pytest
import torch
from training_program import MovingSquare

from dragstream_ros.training import compare_shapes
from dragstream_ros.training.sample_drags import DragSampling
from dragstream_ros.training.train_flow import FlowTraining
from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig, FrameAutoencoder
from dragstream_ros.world_models.tabletop.flow import FlowConfig, FlowNet

SMALL = FlowConfig(channels=16, width=24, heads=2, blocks=1)
TRAINING = FlowTraining(steps=2, batch=1)
SHAPES = {'small, fine': SMALL, 'small, no attention': FlowConfig(channels=16, width=24, blocks=0)}


def test_the_table_has_a_row_for_every_shape_and_a_training_that_ended_takes_no_more_steps(
        tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(compare_shapes, 'BATCHES', 1)
    autoencoder = FrameAutoencoder(
        AutoencoderConfig(encoder_channels=(16, 16), decoder_channels=(16, 16, 16)))
    seen, unseen = [MovingSquare(0)], [MovingSquare(1)]

    def compare() -> list[list[str]]:
        lines = compare_shapes.compare(
            SHAPES, tmp_path, TRAINING, autoencoder, seen, unseen).splitlines()
        return [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines[2:]]

    once = compare()
    assert 'small_fine 2 of 2' in capsys.readouterr().out
    again = compare()
    assert 'small_fine 2 found' in capsys.readouterr().out
    assert [row[0] for row in once] == list(SHAPES)
    assert [row[3] for row in once] == [row[3] for row in again]
    assert all(float(row[3]) > 0 for row in once)


def test_the_error_is_in_cells_and_none_for_a_network_that_knows_the_way(monkeypatch) -> None:
    monkeypatch.setattr(compare_shapes, 'BATCHES', 8)
    episodes = [MovingSquare(0)]
    latents = [torch.zeros(len(episodes[0].frames), 12, 16, 16)]
    rests = FlowNet(SMALL).eval()       # its last layer is zero: it says that nothing moves
    undragged = FlowTraining(batch=1, drags=DragSampling(undragged=1.0))
    # The square goes 3 px a frame to the right: 3 to 15 of them in a chunk, 9 on the average.
    with torch.no_grad():
        error_px = 8 * compare_shapes.moving_error(rests, latents, episodes, undragged)
    assert error_px == pytest.approx(9.0, abs=0.1)
