"""The simulation's true flow: it carries pictures and points to where they really are later."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dragstream_ros.simulation.episode import Episode, generate_episode
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.renderer import Renderer, graphics_backend
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.surfaces import Surfaces
from dragstream_ros.training.simulated_episodes import pack_surfaces, unpack_surfaces

BEFORE, NOW = 8, 13
BAR_PX = 28         # of a 16:9 content in a square picture, above and below


@pytest.fixture(scope='module', autouse=True)
def graphics() -> None:
    try:
        graphics_backend()
    except NoGraphics as error:
        pytest.skip(str(error))


@pytest.fixture(scope='module', params=[(3, 1.0), (8, 4 / 3), (5, 16 / 9)],
                ids=['square', '4:3', '16:9'])
def episode(request: pytest.FixtureRequest) -> Episode:
    seed, aspect = request.param
    return generate_episode(seed, secs=1.5, aspect=aspect)


def test_a_picture_carried_along_the_flow_is_the_later_picture(episode: Episode) -> None:
    flow, hidden = episode.surfaces.flow_back(NOW, BEFORE)
    y, x = np.mgrid[:128, :128].astype(np.float32)
    before, now = (episode.frames[index].astype(np.float32) for index in (BEFORE, NOW))
    carried = cv2.remap(before, x - flow[..., 0], y - flow[..., 1], cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REPLICATE)
    moving = np.linalg.norm(flow, axis=-1) > 1
    error, at_rest = (np.abs(picture - now)[moving & ~hidden].mean()
                      for picture in (carried, before))
    assert moving.sum() > 300
    assert error < 20 and error < 0.25 * at_rest
    # What does not move is the same where nothing hid it, and mostly not where something did.
    same = np.abs(before - now).max(axis=2) < 12
    assert same[~moving & ~hidden].mean() > 0.98
    assert same[~moving & hidden].mean() < 0.1


def test_tracked_points_go_where_the_flow_says(episode: Episode) -> None:
    points_px = episode.points_px[NOW]
    x, y = points_px.round().astype(int).clip(0, 127).T
    kinds = np.array([thing.kind for thing in episode.things])[episode.point_thing]
    shown = np.where(kinds == 'static', 0, episode.point_thing + 1) == episode.masks[NOW][y, x]
    under_a_shade = (kinds == 'static') & (episode.surfaces.body[NOW][y, x] != 0)
    chosen = episode.point_visible[NOW] & shown & ~under_a_shade
    flow, _ = episode.surfaces.flow_back(NOW, BEFORE)
    way = points_px - episode.points_px[BEFORE]
    error = np.linalg.norm(flow[y, x] - way, axis=1)[chosen]
    assert np.linalg.norm(way[chosen], axis=1).max() > 3
    # Some of the points are inside their thing, whose surface a turn moves a little differently.
    assert np.median(error) < 0.1 and error.max() < 1.5


def test_what_does_not_move_has_no_flow(episode: Episode) -> None:
    flow, hidden = episode.surfaces.flow_back(NOW, NOW)
    assert np.abs(flow).max() < 1e-3 and not hidden.any()
    flow, _ = episode.surfaces.flow_back(NOW, BEFORE)
    assert not flow[episode.surfaces.body[NOW] == 0].any()


def test_every_second_pixel_has_the_flow_of_its_place(episode: Episode) -> None:
    flow, hidden = episode.surfaces.flow_back(NOW, BEFORE)
    coarse, coarse_hidden = episode.surfaces.flow_back(NOW, BEFORE, stride=2)
    assert np.array_equal(coarse, flow[1::2, 1::2])
    assert np.array_equal(coarse_hidden, hidden[1::2, 1::2])


@pytest.mark.parametrize('episode', [(5, 16 / 9)], indirect=True)
def test_bars_stay_where_they_are(episode: Episode) -> None:
    flow, hidden = episode.surfaces.flow_back(NOW, BEFORE)
    for bar in (slice(None, BAR_PX), slice(-BAR_PX, None)):
        assert not flow[bar].any() and not hidden[bar].any()
    assert flow[BAR_PX:-BAR_PX].any()


def test_truth_and_surfaces_of_one_time_are_rendered_once(
        monkeypatch: pytest.MonkeyPatch) -> None:
    scene, rendered = TabletopScene(5, image_size=(64, 64)), []
    render = Renderer.surfaces
    monkeypatch.setattr(
        Renderer, 'surfaces', lambda *args: rendered.append(scene.time_secs) or render(*args))
    bodies = []
    for _ in range(2):
        scene.step(1.0)
        mask = scene.truth().mask
        bodies.append(scene.surfaces()[0])
        assert bodies[-1][mask > 0].all(), 'things are bodies'
    assert rendered == [1.0, 2.0] and not np.array_equal(*bodies)


def test_surfaces_are_the_same_after_storing_them(episode: Episode) -> None:
    stored = pack_surfaces(episode.surfaces)
    assert all(isinstance(array, np.ndarray) for array in stored.values())
    back: Surfaces = unpack_surfaces(stored)
    assert back.corner_px == episode.surfaces.corner_px
    assert back.camera.size == episode.surfaces.camera.size
    for expected, found in zip(episode.surfaces.flow_back(NOW, BEFORE),
                               back.flow_back(NOW, BEFORE)):
        assert np.array_equal(expected, found)
