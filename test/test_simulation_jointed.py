"""Objects with a lid or a link: they open and bend about their hinges, and the truth says so."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.simulation import plans
from dragstream_ros.simulation.intent import find_intents
from dragstream_ros.simulation.jointed_things import lidded_box, two_bars
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.object_shape import ObjectShape
from dragstream_ros.simulation.push_plans import push_an_end, swing_lid
from dragstream_ros.simulation.renderer import graphics_backend
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.surfaces import Surfaces
from dragstream_ros.simulation.teleoperator import Commands
from dragstream_ros.simulation.things import random_objects

MAKERS = {'lid': lidded_box, 'link': two_bars}
BOTH = pytest.mark.parametrize('kind', ['lid', 'link'])
Make = Callable[[str], TabletopScene]


@pytest.fixture(scope='module', autouse=True)
def graphics() -> None:
    try:
        graphics_backend()
    except NoGraphics as error:
        pytest.skip(str(error))


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """A scene with one object, of a kind, in the middle of the table."""
    def make_scene(kind: str) -> TabletopScene:
        shape = MAKERS[kind]('object_0', np.random.default_rng(4), (0.9, 0.2, 0.1), 1.0)
        monkeypatch.setattr(
            'dragstream_ros.simulation.scene.random_objects', lambda rng, scale: [shape])
        monkeypatch.setattr(
            'dragstream_ros.simulation.scene.scatter',
            lambda rng, workspace, radii: np.array([(0.0, 0.0, 0.4)]))
        return TabletopScene(3, image_size=(128, 128))
    return make_scene


class Swinging:
    """An operator that leads the hinge of object 0 there and back, with both hands away."""

    def __init__(self, scene: TabletopScene, angles: tuple[float, float]) -> None:
        self.hands = scene._world.operator.hands
        self._angles, self._elapsed = angles, 0.0
        self._away = tuple(np.array([x, 0.6, 0.3, 0.0, 0.05]) for x in (-0.5, 0.5))

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        self._elapsed += dt_secs
        share, rate = (1 - np.cos(np.pi * self._elapsed)) / 2, np.sin(np.pi * self._elapsed)
        low, high = self._angles
        return Commands(hands=self._away, held={}, slides={}, bends={
            0: np.array([low + share * (high - low), np.pi / 2 * rate * (high - low)])})


def swung(scene: TabletopScene, kind: str) -> TabletopScene:
    scene._world.operator = Swinging(scene, {'lid': (0.2, 1.4), 'link': (-0.8, 0.8)}[kind])
    return scene


def shape_of(scene: TabletopScene) -> ObjectShape:
    return scene._world.shapes[0]


def test_one_object_in_five_has_a_hinge() -> None:
    objects = [shape for seed in range(400)
               for shape in random_objects(np.random.default_rng(seed))]
    lids, links = (sum(shape.limb is not None and shape.limb.is_lid is is_lid for shape in objects)
                   / len(objects) for is_lid in (True, False))
    assert lids == pytest.approx(0.1, abs=0.025) and links == pytest.approx(0.1, abs=0.025)


@BOTH
def test_points_are_on_the_part_that_they_move_with(make: Make, kind: str) -> None:
    scene = swung(make(kind), kind)
    shape, world = shape_of(scene), scene._world
    own = np.flatnonzero(scene.point_thing == 2)
    limb = own[-len(shape.limb.points):]
    scene.step(0.3)
    before = world.points()
    scene.step(0.5)
    moved = np.linalg.norm(world.points() - before, axis=1)
    assert moved[limb].min() > 0.008
    assert moved[np.setdiff1d(own, limb)].max() < 0.002
    expected = shape.limb.in_world(shape.limb.points, world.poses[0], world.poses[0, 4])
    np.testing.assert_allclose(world.points()[limb], expected, atol=1e-6)
    back = shape.limb.from_world(expected[0], world.poses[0], world.poses[0, 4])
    np.testing.assert_allclose(back, shape.limb.points[0], atol=1e-9)


@BOTH
def test_the_true_flow_carries_one_picture_to_the_next_while_it_swings(
        make: Make, kind: str) -> None:
    scene = swung(make(kind), kind)
    scene.step(0.3)
    frames, shown = [], []
    for _ in range(2):
        frames.append(scene.render().astype(np.float32))
        shown.append(scene.surfaces())
        scene.step(0.15)
    body, depth_m, poses = (np.stack(parts) for parts in zip(*shown))
    flow, hidden = Surfaces(body=body, depth_m=depth_m, poses=poses, camera=scene.camera,
                            corner_px=scene.picture_corner).flow_back(1, 0)
    y, x = np.mgrid[:128, :128].astype(np.float32)
    carried = cv2.remap(frames[0], x - flow[..., 0], y - flow[..., 1], cv2.INTER_LINEAR)
    limb = (body[1] == scene._world.model.body('limb_0').id) & ~hidden
    rest = (body[1] == scene._world.model.body('object_0').id) & ~hidden
    assert limb.sum() > 60 and np.linalg.norm(flow[limb], axis=-1).max() > 3
    assert np.linalg.norm(flow[rest], axis=-1).max() < 0.5
    error, at_rest = (np.abs(picture - frames[1])[limb].mean() for picture in (carried, frames[0]))
    assert error < 14 and error < 0.45 * at_rest


@BOTH
def test_a_drag_of_the_limb_turns_it_alone(make: Make, kind: str) -> None:
    scene = make(kind)
    scene._world.data.qpos[scene._world._joints.hinge] = {'lid': 0.0, 'link': 0.3}[kind]
    scene._world.operator = Swinging(scene, (0.0, 0.0))
    scene._world.advance(1)
    scene.rest()
    shape, before = shape_of(scene), scene.truth()
    first = int(np.flatnonzero(before.point_thing == 2)[0])
    tip = first + len(shape.points)
    angle = scene._world.poses[0, 4] + {'lid': 1.0, 'link': 0.9}[kind]
    goal = shape.limb.in_world(shape.limb.points[:1], scene._world.poses[0], angle)
    goal_px = scene.camera.project(goal)[0]
    names = scene.carry_out(DragCommand(
        drag_id='a', operator_id='', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.stack([before.points_px[tip], goal_px])),)))
    scene.step(1.5)
    after = scene.truth().points_px
    assert names == ['object_0']
    assert np.linalg.norm(goal_px - before.points_px[tip]) > 5
    assert np.linalg.norm(after[tip] - goal_px) < 1.5
    assert np.linalg.norm(after[first] - before.points_px[first]) < 0.5


def lively(scene: TabletopScene, monkeypatch: pytest.MonkeyPatch, plan: plans.Plan) -> None:
    """Both hands do this whenever they can; nothing moves by itself."""
    monkeypatch.setattr(plans, 'LIVELY', ((0.999, plan), (0.001, plans.idle)))
    scene._world.operator._slides.clear()
    for hand in scene._world.operator.hands:
        hand.lively, hand._current, hand.queue = True, None, []


def test_a_hand_opens_and_closes_a_lid_by_its_knob(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make('lid')
    lively(scene, monkeypatch, swing_lid)
    limb, angles, apart_m = shape_of(scene).limb, [], []
    for _ in range(400):
        scene.step(0.05)
        poses = scene._world.poses
        angles.append(poses[0, 4])
        knob = limb.in_world(np.array([limb.tip]), poses[0], poses[0, 4])[0]
        apart_m += [np.linalg.norm(hand.pose[:3] - knob)
                    for hand in scene._world.operator.hands if hand.bending is not None]
    assert min(angles) < 0.1 and max(angles) > 0.7 * limb.range[1]
    assert len(apart_m) > 20 and np.max(apart_m) < 0.012
    assert np.linalg.norm(poses[0, :2]) < 0.002, 'the box stays'


def test_a_push_at_an_end_turns_or_bends_more_than_it_shifts(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make('link')
    lively(scene, monkeypatch, push_an_end)
    before = scene._world.poses[0]
    turned, bent = 0.0, 0.0
    for _ in range(300):
        scene.step(0.1)
        now = scene._world.poses[0]
        turned, bent = max(turned, abs(now[3] - before[3])), max(bent, abs(now[4] - before[4]))
    assert turned > 0.3 and bent > 0.3


def test_a_lid_that_opens_is_dragged_by_its_edge_not_turned_about_the_middle(make: Make) -> None:
    scene = swung(make('lid'), 'lid')
    scene.step(0.1)
    offsets_secs, points_px = scene.look_ahead(0.9)
    truth = scene.truth()
    intents = find_intents(
        offsets_secs, points_px, point_visible=truth.point_visible,
        point_thing=truth.point_thing, min_travel_px=4.0)
    own = np.flatnonzero(truth.point_thing == 2)
    assert [intent.thing for intent in intents] == [2] and intents[0].centre_px is None
    assert intents[0].point in own[len(shape_of(scene).points):]
