"""The thing that a touch means, where the network knows it; a race of two fronts where not."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch

from dragstream_ros.masks import thing_net
from dragstream_ros.masks.grow_region import grow_region
from dragstream_ros.masks.thing_finder import find_things
from dragstream_ros.masks.thing_pieces import thing_pieces
from dragstream_ros.masks.touched_region import touched_region
from dragstream_ros.simulation.episode import Episode, generate_episode
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.training.thing_module import ThingModule

FIRST_SEED = 2_500_000      # of scenes that no training reaches
ARMS = (1, 2)               # of masks, the labels of grippers


@pytest.fixture(scope='module')
def scenes() -> list[Episode]:
    try:
        return [generate_episode(FIRST_SEED + number, secs=0.1) for number in range(8)]
    except NoGraphics as reason:
        pytest.skip(str(reason))


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / (found | true).sum())


def touches(scene: Episode) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Of each thing that is well seen its number, a point within it, and its mask."""
    things = scene.masks[0]
    for thing in np.unique(things[things > 0]):
        own = things == thing
        if own.sum() < 60:
            continue
        inside = cv2.distanceTransform(own.astype(np.uint8), cv2.DIST_L2, 3)
        y, x = np.unravel_index(inside.argmax(), own.shape)
        yield int(thing), np.array([x, y], float), own


def test_numpy_computes_what_torch_has_trained():
    module = ThingModule()
    module.load_state_dict({
        name: torch.from_numpy(value) for name, value in thing_net.weights().items()})
    picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    with torch.no_grad():
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        expected = module(pixels, torch.tensor([[[40, 90]]]))[0, 0].numpy()
    described = thing_net.features(picture, thing_net.weights())
    queries = thing_net.queries(described, thing_net.weights())
    found = thing_net.likelihood(described, queries[:, 90, 40])
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-4)


def test_objects_of_scenes_it_has_not_seen_are_found_whole(scenes):
    overlaps = [iou(touched_region(scene.frames[0], point), true)
                for scene in scenes for thing, point, true in touches(scene) if thing not in ARMS]
    alone = [iou(grow_region(scene.frames[0], point), true)
             for scene in scenes for thing, point, true in touches(scene) if thing not in ARMS]
    assert len(overlaps) > 15
    assert np.mean(overlaps) > 0.8 and np.mean(overlaps) > np.mean(alone) + 0.03


def test_a_touched_hand_means_all_of_its_arm(scenes):
    overlaps = [iou(touched_region(scene.frames[0], point), true)
                for scene in scenes for thing, point, true in touches(scene) if thing in ARMS]
    assert len(overlaps) > 6 and np.mean(overlaps) > 0.8


def test_wherever_a_thing_is_touched_all_of_it_is_meant(scenes):
    alike = []
    for scene in scenes:
        for _, point, true in touches(scene):
            inside = cv2.erode(true.astype(np.uint8), np.ones((5, 5)))
            y, x = np.argwhere(inside)[0]       # the uppermost place well within it
            alike.append(iou(touched_region(scene.frames[0], point),
                             touched_region(scene.frames[0], np.array([x, y], float))))
    assert len(alike) > 25 and np.mean(np.array(alike) > 0.95) > 0.8


def test_every_thing_is_cut_out_once(scenes):
    found, shown = 0, 0
    for scene in scenes:
        things = find_things(scene.frames[0]).shown()
        found += len(set(np.unique(things)) - {0})
        shown += int((np.bincount(scene.masks[0].ravel())[1:] >= 60).sum())
    assert found == pytest.approx(shown, rel=0.15)


def test_a_picture_of_another_size_gives_the_same_region(scenes):
    frame = scenes[0].frames[0]
    _, point, _ = next(touches(scenes[0]))
    large = cv2.resize(frame, (640, 640), interpolation=cv2.INTER_CUBIC)
    found = cv2.resize(touched_region(large, point * 5 + 2).astype(np.uint8), (128, 128)) > 0
    assert iou(found, touched_region(frame, point)) > 0.9


def test_what_is_no_thing_that_it_knows_is_left_to_the_race():
    noise = np.random.default_rng(0).normal(0, 3, (128, 128, 3))
    bare = np.clip(np.full((128, 128, 3), (150, 120, 90)) + noise, 0, 255).astype(np.uint8)
    point = np.array([60.0, 40.0])
    assert np.array_equal(touched_region(bare, point), grow_region(bare, point))


@pytest.mark.parametrize('size', [(1, 1), (2, 2), (9, 200), (480, 640)])
def test_any_size_and_any_corner_gives_a_region_that_is_not_empty(size):
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
    for point in ((-0.5, -0.5), (size[1] - 0.5, size[0] - 0.5)):
        found = touched_region(image, np.array(point))
        assert found.shape == size and found.dtype == bool and found.any()


def test_the_colours_of_one_thing_are_one_piece_and_things_stay_apart(scenes):
    whole, apart = [], []
    for scene in scenes:
        pieces = thing_pieces(scene.frames[0]).labels
        mostly = [np.bincount(pieces[true]).argmax() for _, _, true in touches(scene)]
        whole += [(pieces[true] == piece).mean()
                  for piece, (_, _, true) in zip(mostly, touches(scene), strict=True)]
        apart.append(len(set(mostly)) / len(mostly))
    assert np.mean(whole) > 0.8 and np.mean(apart) > 0.9


def test_arms_are_what_reaches_into_the_picture(scenes):
    found, true = (np.stack(masks) for masks in zip(*(
        (thing_pieces(scene.frames[0]).arms > 0,
         np.isin(scene.masks[0], [number for number, thing in enumerate(scene.things, 1)
                                  if thing.kind == 'gripper'])) for scene in scenes)))
    assert iou(found, true) > 0.85


def test_where_nothing_is_known_there_are_no_arms():
    checks = np.indices((128, 128)).sum(0) // 16 % 2 * 60 + 80
    table = np.repeat(checks[..., None], 3, -1).astype(np.uint8)
    assert not thing_pieces(table).arms.any()
