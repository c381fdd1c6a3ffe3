"""The first guess: a flow from the drag and from what was learnt, and pictures carried along it."""
from __future__ import annotations

import pytest
import torch

from dragstream_ros.core.drag_maps import drag_maps
from dragstream_ros.training.train_flow import FlowTraining, flow_loss
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.flow import Flow, FlowNet

FRAMES = 5


@pytest.fixture(scope='module')
def net() -> FlowNet:
    """Untrained: its last layer is zero, so that it adds nothing to what a drag says."""
    torch.set_num_threads(1)
    return FlowNet().eval().requires_grad_(False)


def maps_of(source: tuple[float, float], target: tuple[float, float]) -> torch.Tensor:
    """(1, F, 6, 16, 16): one handle, (x, y) in cells, at its target in all frames."""
    return drag_maps(torch.tensor([source]), torch.tensor([[target] * FRAMES]), (16, 16))[None]


def flow_of(net: FlowNet, maps: torch.Tensor | None) -> Flow:
    return net(torch.randn(1, 24, 16, 16, generator=torch.Generator().manual_seed(0)), maps)


def test_what_is_dragged_has_come_from_where_it_was(net) -> None:
    flow = flow_of(net, maps_of((4.0, 4.0), (7.0, 9.0)))
    assert flow.displacement.shape == (1, FRAMES, 2, 64, 64)
    at_target = flow.displacement[0, -1, :, 4 * 9 + 2, 4 * 7 + 2]
    assert at_target.tolist() == pytest.approx([3.0, 5.0], rel=0.05)
    assert flow.displacement[0, -1, :, 60, 60].abs().max() < 0.05


def test_what_is_dragged_leaves_a_hole_and_a_handle_that_stays_does_not(net) -> None:
    def hole(maps: torch.Tensor, x: int, y: int) -> float:
        return float(flow_of(net, maps).hole.sigmoid()[0, -1, 0, 4 * y + 2, 4 * x + 2])

    moved, held = maps_of((4.0, 4.0), (12.0, 12.0)), maps_of((4.0, 4.0), (4.0, 4.0))
    assert hole(moved, 4, 4) > 0.9 and hole(moved, 12, 12) < 0.1 and hole(held, 4, 4) < 0.1


def test_without_a_drag_an_untrained_flow_stays(net) -> None:
    flow = flow_of(net, None)
    assert not flow.displacement.any() and flow.hole.sigmoid().max() < 0.1


def test_no_drag_and_maps_without_handles_are_the_same() -> None:
    torch.manual_seed(0)
    net = FlowNet().eval().requires_grad_(False)
    torch.nn.init.normal_(net.conv_out.weight, std=0.1)
    nothing = torch.zeros(1, FRAMES, 6, 16, 16)
    assert torch.allclose(flow_of(net, None).displacement, flow_of(net, nothing).displacement,
                          atol=1e-4)


def test_a_picture_is_carried_by_whole_pixels_unchanged() -> None:
    picture = torch.rand(3, 128, 128)
    right_down = torch.tensor([5.0, 3.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    carried = carry(picture, right_down, torch.zeros(1, 1, 64, 64))
    assert carried.shape == (1, 3, 128, 128)
    assert torch.allclose(carried[0, :, 3:, 5:], picture[:, :-3, :-5], atol=1e-4)


def test_each_frame_is_carried_by_its_own_flow() -> None:
    picture = torch.rand(3, 128, 128)
    flows = torch.stack([torch.full((2, 64, 64), float(i)) for i in range(3)])
    carried = carry(picture, flows, torch.zeros(3, 1, 64, 64))
    assert torch.allclose(carried[2, :, 2:, 2:], picture[:, :-2, :-2], atol=1e-4)


def test_a_hole_is_filled_with_the_colour_around_it() -> None:
    picture = torch.full((3, 128, 128), 0.25)
    picture[0, 56:72, 56:72] = 1.0                  # what has left, red
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 26:38, 26:38] = 1.0
    filled = carry(picture, torch.zeros(1, 2, 64, 64), hole)[0, :, 64, 64]
    assert filled.tolist() == pytest.approx([0.25] * 3, abs=0.02)


def test_the_true_flow_has_the_least_loss() -> None:
    truth = Flow(torch.rand(1, FRAMES, 2, 64, 64) * 2,
                 (torch.rand(1, FRAMES, 1, 64, 64) > 0.8).float())
    known = torch.ones_like(truth.hole)
    sure = Flow(truth.displacement, (2 * truth.hole - 1) * 20)
    wrong = Flow(truth.displacement + 1, sure.hole)
    loss, error = flow_loss(sure, truth, known, FlowTraining())
    assert loss < 1e-6 and error == 0
    assert flow_loss(wrong, truth, known, FlowTraining())[0] > 1


def test_what_was_hidden_before_may_have_come_from_anywhere() -> None:
    truth = Flow(torch.zeros(1, 1, 2, 8, 8), torch.ones(1, 1, 1, 8, 8))
    guess = Flow(torch.rand(1, 1, 2, 8, 8), torch.full((1, 1, 1, 8, 8), 20.0))
    assert flow_loss(guess, truth, torch.ones_like(truth.hole), FlowTraining())[0] < 1e-6


def test_nothing_is_learnt_where_the_truth_is_unknown() -> None:
    truth = Flow(torch.zeros(1, 1, 2, 8, 8), torch.zeros(1, 1, 1, 8, 8))
    wrong = Flow(torch.rand(1, 1, 2, 8, 8), torch.full((1, 1, 1, 8, 8), 20.0))
    assert flow_loss(wrong, truth, torch.zeros_like(truth.hole), FlowTraining())[0] == 0


def test_what_has_left_is_a_hole_where_it_would_still_be_shown() -> None:
    picture = torch.full((3, 128, 128), 0.2)
    picture[:, 40:50, 30:40] = 0.9
    left = torch.zeros(128, 128, dtype=torch.bool)
    left[40:50, 30:40] = True
    flow, no_hole = torch.zeros(1, 2, 64, 64), torch.zeros(1, 1, 64, 64)
    carried = carry(picture, flow, no_hole, left=left)
    assert carried[0, :, 45, 35].numpy() == pytest.approx(0.2, abs=0.05)


def test_what_comes_to_where_something_has_left_is_seen_there() -> None:
    picture = torch.full((3, 128, 128), 0.2)
    picture[:, 40:50, 20:30] = 0.9
    left = torch.zeros(128, 128, dtype=torch.bool)
    left[40:50, 30:40] = True
    flow, no_hole = torch.zeros(1, 2, 64, 64), torch.zeros(1, 1, 64, 64)
    flow[:, 0] = 10.0
    carried = carry(picture, flow, no_hole, left=left)
    assert carried[0, :, 45, 35].numpy() == pytest.approx(0.9, abs=0.02)
