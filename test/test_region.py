"""Masks, warps and Gaussian maps on the latent grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dragstream_ros.core.arm import Arm, within_rims
from dragstream_ros.core.drag import DragHandle
from dragstream_ros.core.pose import Pose
from dragstream_ros.core.region import (
    CellPose,
    dilate,
    disc,
    gaussian,
    handle_region,
    mask_to_cells,
    merge_gaussians,
    to_cells,
    warp,
    warp_smoothly,
    window_after,
)

torch.set_num_threads(1)
QUARTER = math.pi / 2


def box(left: int, top: int, right: int, bottom: int, size=(104, 60)) -> torch.Tensor:
    mask = torch.zeros(size[1], size[0], dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def turn(angle_rad: float, centre=(50.0, 30.0)) -> CellPose:
    return CellPose(delta_cells=(0.0, 0.0), angle_rad=angle_rad, centre_cells=centre)


def reference_warp(map_: np.ndarray, pose: CellPose) -> np.ndarray:
    """Cell by cell, from the definition."""
    out = np.zeros_like(map_)
    h, w = map_.shape
    cos, sin = math.cos(-pose.angle_rad), math.sin(-pose.angle_rad)
    centre_x, centre_y = pose.centre_cells or (0.0, 0.0)
    for y in range(h):
        for x in range(w):
            dx = x - pose.delta_cells[0] - centre_x
            dy = y - pose.delta_cells[1] - centre_y
            column = math.floor(cos * dx - sin * dy + centre_x + 0.5001)
            row = math.floor(sin * dx + cos * dy + centre_y + 0.5001)
            if 0 <= column < w and 0 <= row < h:
                out[y, x] = map_[row, column]
    return out


@pytest.mark.parametrize('k', [0, 1, 3, -5, 103, 104, -200])
def test_a_translation_by_8k_pixels_shifts_a_60x104_map_by_exactly_k_cells(k):
    map_ = torch.randn(2, 60, 104, generator=torch.Generator().manual_seed(1))
    pose = to_cells(
        Pose(delta_px=np.array([8.0 * k, 0.0])), image_size=(832, 480), latent_size=(104, 60)
    )
    expected = torch.zeros_like(map_)
    if abs(k) < 104:
        expected[..., max(k, 0) : 104 + min(k, 0)] = map_[..., max(-k, 0) : 104 - max(k, 0)]
    assert torch.equal(warp(map_, pose), expected)


def test_a_quarter_turn_clockwise_moves_up_to_the_right():
    above = box(50, 20, 51, 21)  # ten cells above the centre (50, 30)
    assert torch.equal(warp(above, turn(QUARTER)), box(60, 30, 61, 31))
    assert torch.equal(warp(above, turn(-QUARTER)), box(40, 30, 41, 31))


def test_a_rotation_in_pixels_keeps_its_sense_and_its_centre_in_cells():
    pose = to_cells(
        Pose(delta_px=np.zeros(2), angle_rad=0.5, centre_px=np.array([403.5, 243.5])),
        image_size=(832, 480),
        latent_size=(104, 60),
    )
    assert pose == CellPose(delta_cells=(0.0, 0.0), angle_rad=0.5, centre_cells=(50.0, 30.0))


@pytest.mark.parametrize(
    'pose',
    [
        CellPose(delta_cells=(2.5, -1.5)),
        CellPose(delta_cells=(-0.49, 0.51)),
        turn(0.7, centre=(7.3, 3.9)),
        turn(-2.9, centre=(0.0, 12.0)),
        turn(QUARTER, centre=(6.25, 4.75)),
    ],
)
def test_a_warp_is_nearest_sampling_and_zero_where_nothing_came_from(pose):
    map_ = torch.rand(11, 17, generator=torch.Generator().manual_seed(2)) + 1.0
    np.testing.assert_array_equal(warp(map_, pose).numpy(), reference_warp(map_.numpy(), pose))


def test_a_lid_keeps_its_hinge_in_cells_and_is_squeezed_towards_it():
    lever = np.array([0.0, 1 / 80, -240 / 80])      # 0 in row 240, 1 in row 320
    pose = to_cells(Pose(delta_px=np.array([0.0, -40.0]), lever=lever),
                    image_size=(832, 480), latent_size=(104, 60))
    lid = torch.zeros(60, 104)
    lid[30:40, 20:40] = torch.arange(1.0, 11.0)[:, None]
    squeezed = warp(lid, pose)
    assert squeezed[30:35, 20:40].min() > 0 and squeezed[36:].sum() == 0 == squeezed[:29].sum()
    assert window_after(lid > 0, pose)[0].stop <= 38
    back = warp(squeezed, pose.back())
    assert (back - lid)[31:39].abs().max() <= 1 and torch.equal(back > 0, lid > 0)


def test_half_a_cell_moves_the_map_in_one_piece():
    map_ = torch.arange(40.0).reshape(1, 40)
    moved = warp(map_, CellPose(delta_cells=(0.5, 0.0)))
    assert torch.equal(moved.diff()[0, 1:-1], torch.ones(37))


def test_a_warp_keeps_dtype_leading_axes_and_gradients():
    assert warp(box(0, 0, 3, 3), CellPose(delta_cells=(1, 1))).dtype == torch.bool
    map_ = torch.ones(2, 3, 4, 5, requires_grad=True)
    warp(map_, CellPose(delta_cells=(2.0, 0.0))).sum().backward()
    assert map_.grad is not None
    assert torch.equal(map_.grad[0, 0, 0], torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]))


@pytest.mark.parametrize('turns', range(4))
def test_an_arm_that_comes_further_in_goes_on_beyond_the_rim_as_it_leans_there(turns):
    rows, columns = np.mgrid[:64, :64]
    long = torch.from_numpy(abs(rows - 12 - columns / 2) <= 3)  # comes in from the left, downwards
    arm = torch.rot90(long & torch.from_numpy(columns < 40), turns)
    into = np.array([[12, 6], [6, -12], [-12, -6], [-6, 12]])[turns]
    pose = CellPose(delta_cells=(float(into[0]), float(into[1])))
    whole = torch.rot90(long & torch.from_numpy(columns < 52), turns)   # moved along itself
    hand = np.array([[39.0, 31.5], [31.5, 24.0], [24.0, 31.5], [31.5, 39.0]])[turns]
    reaching = Arm.of(arm, hand)
    shown = warp_smoothly(arm[None].float(), pose, window_after(arm, pose), reaching)[0] > 0.5
    assert (shown ^ whole).sum() <= 8       # it moves along itself, and is a bit longer at the hand
    assert Arm.of(long & torch.from_numpy((columns > 8) & (columns < 40)), hand) is None


def test_an_arm_does_not_go_on_beyond_a_rim_that_its_elbow_grazes():
    arm = box(0, 10, 40, 18, size=(64, 64)) | box(34, 0, 44, 14, size=(64, 64))  # up, and over it
    hand = np.array([42.0, 12.0])
    off = within_rims(arm, hand)
    assert not off[0].any() and torch.equal(off[1:], arm[1:])
    corner = box(0, 0, 20, 20, size=(64, 64))
    assert torch.equal(within_rims(corner, np.array([15.0, 15.0])), corner)


def test_an_arm_that_is_dragged_by_its_hand_swings_about_a_shoulder_outside():
    arm = box(0, 60, 80, 68, size=(128, 128))
    reaching = Arm.of(arm, np.array([75.0, 63.5]))
    pose = CellPose(delta_cells=(0.0, 32.0))
    shown = warp_smoothly(arm[None].float(), pose, window_after(arm, pose), reaching)[0] > 0.5
    middles = [shown[:, column].nonzero().float().mean() - 63.5 for column in (75, 66, 0)]
    # All of the hand goes along; the shoulder would be 352 px from it, of which 75 are seen.
    assert middles == pytest.approx([32, 32, 32 * (352 - 75) / (352 - 11.5)], abs=0.6)
    assert shown.sum(0)[:78].tolist() == pytest.approx([8] * 78, abs=1)     # as thick as before


def test_a_disc_has_the_cells_within_its_radius():
    expected = torch.tensor(
        [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]]
    ).bool()
    assert torch.equal(disc((2.0, 2.0), 2.0, (5, 5)), expected)


def test_the_smallest_disc_has_the_cell_of_its_centre_and_one_off_the_grid_has_none():
    assert disc((3.4, 1.45), 0.01, (6, 4)).nonzero().tolist() == [[1, 3]]
    assert not disc((-20.0, 3.0), 5.0, (6, 4)).any()


def test_dilation_grows_a_square_and_stops_at_the_border():
    assert torch.equal(dilate(box(0, 10, 4, 12), 2), box(0, 8, 6, 14))
    assert torch.equal(dilate(box(5, 5, 9, 9), 0), box(5, 5, 9, 9))


def test_a_cell_belongs_to_a_region_that_covers_more_than_a_quarter_of_it():
    mask = box(8, 8, 26, 16, size=(64, 32))  # two whole cells, and a quarter of a third
    assert torch.equal(mask_to_cells(mask, (8, 4)), box(1, 1, 3, 2, size=(8, 4)))
    mask[8:16, 26] = True  # now three eighths
    assert torch.equal(mask_to_cells(mask, (8, 4)), box(1, 1, 4, 2, size=(8, 4)))


def test_a_region_of_one_pixel_keeps_its_cell_and_an_empty_one_has_none():
    assert torch.equal(
        mask_to_cells(box(17, 9, 18, 10, size=(64, 32)), (8, 4)), box(2, 1, 3, 2, size=(8, 4))
    )
    assert not mask_to_cells(box(0, 0, 0, 0, size=(64, 32)), (8, 4)).any()


def test_a_handle_covers_its_mask_or_else_the_disc_around_its_point():
    sizes = {'image_size': (64, 32), 'latent_size': (8, 4)}
    mask = box(8, 8, 24, 16, size=(64, 32)).numpy()
    masked = DragHandle(path_px=np.array([[40.0, 20.0]]), mask=mask)
    assert torch.equal(handle_region(masked, **sizes), box(1, 1, 3, 2, size=(8, 4)))
    bare = DragHandle(path_px=np.array([[43.5, 19.5]]), radius_px=6.0)
    assert handle_region(bare, **sizes).nonzero().tolist() == [[2, 5]]


def test_a_gaussian_is_one_at_the_centre_of_the_box_and_e_to_minus_half_at_one_sigma():
    # Box 5 wide, 9 high: in the paper sigma is 2.5 and 4.5 cells.
    bell = gaussian(box(40, 20, 45, 29), sigma_ratio=0.5)
    y, x = np.mgrid[:60, :104]
    expected = np.exp(-(((x - 42) / 2.5) ** 2 + ((y - 24) / 4.5) ** 2) / 2)
    np.testing.assert_allclose(bell.numpy(), expected, atol=1e-6)
    assert bell[24, 42] == 1.0
    assert bell.min() >= 0.0 and bell.max() <= 1.0


def test_the_box_not_the_shape_makes_the_gaussian():
    corners = box(40, 20, 41, 21) | box(44, 28, 45, 29)
    assert torch.equal(
        gaussian(corners, sigma_ratio=1.875), gaussian(box(40, 20, 45, 29), sigma_ratio=1.875)
    )


def test_a_gaussian_is_never_narrower_than_a_cell():
    bell = gaussian(box(10, 10, 11, 11), sigma_ratio=0.5)
    assert bell[10, 11].item() == pytest.approx(math.exp(-0.5))


def test_a_region_dragged_off_the_picture_has_a_gaussian_of_zeros():
    gone = warp(box(90, 20, 100, 30), CellPose(delta_cells=(50.0, 0.0)))
    assert torch.equal(gaussian(gone, sigma_ratio=0.5), torch.zeros(60, 104))


def test_gaussians_merge_by_probabilistic_or_in_any_order():
    a = gaussian(box(10, 10, 14, 14), sigma_ratio=1.0)
    b = gaussian(box(12, 10, 20, 20), sigma_ratio=1.0)
    nothing = torch.zeros(60, 104)
    expected = a.numpy() + b.numpy() - a.numpy() * b.numpy()
    np.testing.assert_allclose(merge_gaussians([a, b, nothing]).numpy(), expected, atol=1e-6)
    assert torch.equal(merge_gaussians([a, b]), merge_gaussians([b, a]))
    torch.testing.assert_close(merge_gaussians([a]), a)
