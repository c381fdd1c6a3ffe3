"""One object on another: set there, lying there, taken along, coming down; and handed over."""

from __future__ import annotations

import numpy as np
import pytest

from dragstream_ros.simulation import plans
from dragstream_ros.simulation.pick_plans import hand_over, pick_and_place, stack
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.stacking import GAP_M, bearers
from dragstream_ros.simulation.teleoperator import Commands
from dragstream_ros.simulation.things import _box

PLACES = np.array([(-0.06, 0.03, 0.2), (0.08, 0.0, -0.3)])


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> TabletopScene:
    """Two boxes that lie apart, and nothing that moves by itself."""
    shapes = [_box(f'object_{index}', np.random.default_rng(index), (0.9, 0.2, 0.1), 1.0)
              for index in range(2)]
    monkeypatch.setattr(
        'dragstream_ros.simulation.scene.random_objects', lambda rng, scale: shapes)
    monkeypatch.setattr(
        'dragstream_ros.simulation.scene.scatter', lambda rng, workspace, radii: PLACES)
    monkeypatch.setattr('dragstream_ros.simulation.placement.HEAPED_SHARE', 0.0)
    scene = TabletopScene(3, image_size=(128, 128))
    scene._world.operator._slides.clear()
    for hand in scene._world.operator.hands:
        hand.lively, hand._current, hand.queue, hand.target = True, None, [], None
    return scene


class Leading:
    """Holds object 1 at a pose for a while, then slides object 0 by a way (2,) in a second."""

    def __init__(self, scene: TabletopScene, pose: np.ndarray, way: tuple[float, float]) -> None:
        self.hands = scene._world.operator.hands
        self._pose, self._way, self._elapsed = pose, np.array(way), 0.0
        self._away = tuple(np.array([x, 0.6, 0.3, 0.0, 0.05]) for x in (-0.5, 0.5))

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands:
        self._elapsed += dt_secs
        held = {1: self._pose} if self._elapsed < 0.1 else {}
        share = np.clip(self._elapsed - 1.0, 0.0, 1.0)
        speed = self._way * (0 < share < 1)
        return Commands(hands=self._away, held=held, slides={
            0: np.array([*(PLACES[0, :2] + share * self._way), PLACES[0, 2], *speed, 0.0])})


def plan_only(monkeypatch: pytest.MonkeyPatch, *chosen: plans.Plan) -> None:
    monkeypatch.setattr(plans, 'LIVELY', (
        *((1.0, plan) for plan in chosen), (0.001, plans.idle)))


def test_what_is_let_go_above_another_object_comes_down_on_it_and_rides_along(
        scene: TabletopScene) -> None:
    world = scene._world
    top = world.shapes[0].height + GAP_M
    world.operator = Leading(scene, np.array([*PLACES[0, :2], top + 0.05, 0.7]), (0.1, 0.03))
    scene.step(1.0)
    lying = world.poses
    assert lying[1, 2] == pytest.approx(top) and bearers(lying, world.shapes) == {1: 0}
    scene.step(2.0)
    way = world.poses - lying
    assert np.linalg.norm(way[0, :2]) > 0.09
    np.testing.assert_allclose(way[1, :2], way[0, :2], atol=2e-3)
    assert way[1, 2] == pytest.approx(0.0, abs=1e-6)


def test_what_is_let_go_beside_it_comes_down_to_the_table_within_a_moment(
        scene: TabletopScene) -> None:
    scene._world.operator = Leading(scene, np.array([0.08, 0.0, 0.06, 0.0]), (0.0, 0.0))
    heights = []
    for _ in range(30):
        scene.step(1 / 60)
        heights.append(scene._world.poses[1, 2])
    assert heights[0] == pytest.approx(0.06) and heights[-1] == 0.0
    assert np.abs(np.diff(heights)).max() < 0.007, 'it does not jump'


def test_hands_set_one_object_on_another_and_pick_it_off_again(
        scene: TabletopScene, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for plan, until in ((stack, True), (pick_and_place, False)):
        plan_only(monkeypatch, plan)
        for _ in range(400):
            scene.step(0.1)
            held = [hand.held for hand in scene._world.operator.hands]
            raised = np.flatnonzero(scene._world.poses[:, 2] > 0.01)
            lies = any(index not in held for index in raised)
            if lies == until and not any(index in held for index in range(2)):
                seen.append(until)
                break
    assert seen == [True, False]


def test_a_hand_puts_an_object_down_where_the_other_takes_it(
        scene: TabletopScene, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_only(monkeypatch, hand_over)
    carried: list[set[int]] = [set(), set()]
    for _ in range(500):
        scene.step(0.1)
        for hand, own in zip(scene._world.operator.hands, carried):
            if hand.held is not None:
                own.add(hand.held)
        if carried[0] & carried[1]:
            break
    assert carried[0] & carried[1]


def test_a_copy_of_a_world_with_a_stack_goes_on_alike(scene: TabletopScene) -> None:
    top = scene._world.shapes[0].height + GAP_M
    scene._world.operator = Leading(
        scene, np.array([*PLACES[0, :2], top + 0.02, 0.7]), (0.1, 0.03))
    scene.step(1.2)
    twin = scene.snapshot()
    scene.step(0.5)
    twin.advance(30)
    assert np.array_equal(twin.poses, scene._world.poses)
