"""The live tabletop: deterministic, correctly projected, lively, and able to say what comes."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from dragstream_ros.simulation.camera import random_camera
from dragstream_ros.simulation.episode import Episode, generate_episode
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.renderer import Renderer, graphics_backend
from dragstream_ros.simulation.scene import TabletopScene

ASPECTS = pytest.mark.parametrize('aspect', [1.0, 4 / 3, 16 / 9])


@pytest.fixture(autouse=True)
def graphics() -> None:
    try:
        graphics_backend()
    except NoGraphics as error:
        pytest.skip(str(error))


def test_a_seed_gives_one_episode_and_another_seed_another() -> None:
    first, again, other = (generate_episode(seed, secs=0.5) for seed in (7, 7, 8))
    for name in ('frames', 'stamps_secs', 'points_px', 'point_visible', 'point_thing', 'masks'):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
    assert first.frames.shape == (5, 128, 128, 3)
    assert not np.array_equal(first.frames, other.frames)


def test_a_bare_scene_is_the_picture_without_its_things_and_shadows() -> None:
    scene = TabletopScene(7, image_size=(128, 128), aspect=4 / 3)
    before, bare, after = scene.render(), scene.render_bare(), scene.render()
    mask = scene.truth().mask
    scene.close()
    assert np.array_equal(before, after)
    differs = np.abs(bare.astype(int) - before).max(-1)
    assert (differs[mask > 0] > 16).mean() > 0.8
    # What else differs is darker in the picture: a shadow, or a pixel at a thing's edge.
    assert 0 < (differs[mask == 0] > 2).mean() < 0.1
    assert not bare[:16].any() and not bare[-16:].any()     # the bars


@pytest.mark.parametrize('size', [(128, 128), (128, 96), (256, 144)])
def test_a_projected_point_is_where_it_is_drawn(size: tuple[int, int]) -> None:
    camera = random_camera(np.random.default_rng(0), size=size)
    spec = mujoco.MjSpec()
    spec.visual.map.znear, spec.stat.extent = 0.05, 1.0
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, camera.rotation.reshape(-1))
    spec.worldbody.add_camera(pos=camera.position, fovy=camera.fovy_deg, quat=quat)
    ball = spec.worldbody.add_body(mocap=True)
    ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.012, 0, 0])
    model = spec.compile()
    data, renderer = mujoco.MjData(model), Renderer(model)
    for place in ((0, 0, 0.03), (0.15, 0.1, 0.0), (-0.15, -0.08, 0.05)):
        data.mocap_pos[0] = place
        mujoco.mj_forward(model, data)
        renderer.update(data)
        rows, columns = np.nonzero(renderer.geom_ids(size) == 0)
        middle = np.array([columns.mean(), rows.mean()])
        assert np.abs(middle - camera.project(np.array(place))).max() < 0.4
    renderer.close()


@pytest.mark.parametrize('thing', [0, 2, 3])
def test_a_mask_covers_exactly_the_pixels_of_its_thing(thing: int) -> None:
    scene = TabletopScene(2, image_size=(128, 128))
    scene.step(1.0)
    before, mask = scene.render().astype(int), scene.truth().mask == thing + 1
    scene.close()
    model = scene._world.model
    model.geom_rgba[scene._geom_mask[:-1] == thing + 1, :3] = (1, 0, 1)
    recoloured = np.abs(scene.render() - before).max(axis=2) > 25
    assert mask.sum() > 100
    assert (mask & recoloured).sum() / (mask | recoloured).sum() > 0.8


@ASPECTS
def test_things_are_seen_large_enough_and_never_on_the_bars(aspect: float) -> None:
    for seed in range(6):
        episode = generate_episode(seed, secs=0.2, aspect=aspect)
        height = round(128 / aspect / 2) * 2
        bar = (128 - height) // 2
        outside = np.ones((128, 128), bool)
        outside[bar:bar + height] = False
        assert not episode.frames[:, outside].any() and not episode.masks[:, outside].any()
        assert episode.frames[:, ~outside].mean() > 30
        for index in _wholly_seen_objects(episode):
            rows, columns = np.nonzero(episode.masks[0] == index + 1)
            assert min(np.ptp(rows), np.ptp(columns)) + 1 >= 10


def _wholly_seen_objects(episode: Episode) -> list[int]:
    """Objects that no arm is in front of."""
    arms = np.isin(episode.masks[0], (1, 2))
    seen = []
    for index, thing in enumerate(episode.things):
        rows, columns = np.nonzero(episode.masks[0] == index + 1)
        if thing.kind == 'object' and len(rows) and not arms[
                rows.min() - 2:rows.max() + 3, columns.min() - 2:columns.max() + 3].any():
            seen.append(index)
    return seen


def test_objects_are_carried_pushed_and_slid_but_never_jump_or_leave() -> None:
    moved = {'carried': 0, 'pushed': 0, 'slid': 0}
    for seed in range(16):
        scene = TabletopScene(seed, image_size=(128, 128))
        operator = scene._world.operator
        first = [thing.kind for thing in scene.things].index('object')
        sliding = {thing - first for thing in scene.sliding}
        centres = [int(np.flatnonzero(scene.point_thing == index)[0])
                   for index, thing in enumerate(scene.things) if thing.kind == 'object']
        held: set[int | None] = set()
        path = [scene.look_ahead(0.0)[1][0, centres]]
        for _ in range(80):
            scene.step(0.1)
            held |= {hand.held for hand in operator._hands}
            path.append(scene.look_ahead(0.0)[1][0, centres])
        track = np.stack(path)
        assert np.linalg.norm(np.diff(track, axis=0), axis=2).max() < 9
        assert (track > 0).all() and (track < 127).all()
        for index, travel in enumerate(np.linalg.norm(track - track[0], axis=2).max(axis=0)):
            how = 'slid' if index in sliding else 'carried' if index in held else 'pushed'
            moved[how] += bool(travel > 8)
        assert first == 2
    assert min(moved.values()) >= 3, moved


def test_looking_ahead_tells_what_then_happens_and_changes_nothing() -> None:
    scene, untouched = TabletopScene(5), TabletopScene(5)
    scene.step(2.0)
    untouched.step(2.0)
    offsets_secs, ahead = scene.look_ahead(1.5, rate_hz=10.0)
    assert offsets_secs[-1] == 1.5
    then = []
    for _ in offsets_secs:
        then.append(scene.truth().points_px)
        assert np.array_equal(then[-1], untouched.look_ahead(0.0)[1][0])
        scene.step(0.1)
        untouched.step(0.1)
    assert np.array_equal(ahead, np.stack(then))
    assert np.abs(ahead[-1] - ahead[0]).max() > 5


def test_the_world_of_a_seed_is_the_same_at_every_frame_rate_and_picture_size() -> None:
    fast, slow = TabletopScene(3, image_size=(256, 256)), TabletopScene(3, image_size=(128, 128))
    for _ in range(60):
        fast.step(1 / 30)
    slow.step(2.0)
    expected = (slow.look_ahead(0.0)[1] + 0.5) * 2 - 0.5
    np.testing.assert_allclose(fast.look_ahead(0.0)[1], expected, atol=0.01)
