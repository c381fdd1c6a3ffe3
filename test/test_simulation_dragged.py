"""A robot that carries drags out, and a world that can be wound back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.renderer import graphics_backend
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.world import World

LEFT_GRIPPER, OBJECT = 0, 4  # things of this scene that lie free


@pytest.fixture(scope='module')
def resting() -> Iterator[tuple[TabletopScene, World]]:
    try:
        graphics_backend()
    except NoGraphics as error:
        pytest.skip(str(error))
    scene = TabletopScene(1_000_000, image_size=(128, 128))
    scene.step(2.0)
    scene.rest()
    yield scene, scene.snapshot()
    scene.close()


@pytest.fixture
def scene(resting) -> TabletopScene:
    scene, start = resting
    scene.rewind(start)
    return scene


def drag(start: np.ndarray, *ways: tuple[float, float]) -> DragCommand:
    return DragCommand(
        drag_id='a', operator_id='', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([start, *(start + way for way in ways)], float)),))


def point_of(scene: TabletopScene, thing: int) -> int:
    truth = scene.truth()
    return int(np.flatnonzero((truth.point_thing == thing) & truth.point_visible)[0])


def test_at_rest_nothing_moves(scene):
    before = scene.truth().points_px
    scene.step(1.0)
    assert np.abs(scene.truth().points_px - before).max() < 0.1


@pytest.mark.parametrize('thing', [LEFT_GRIPPER, OBJECT])
def test_what_is_dragged_goes_where_it_is_dragged_and_the_rest_stays(scene, thing):
    point, before = point_of(scene, thing), scene.truth()
    names = scene.carry_out(drag(before.points_px[point], (10, 0), (10, -8)))
    scene.step(1.5)
    moved = scene.truth().points_px - before.points_px
    assert names == [scene.things[thing].name]
    assert moved[point] == pytest.approx([10, -8], abs=0.6)
    assert np.abs(moved[scene.point_thing != thing]).max() < 0.5


def test_an_object_stops_at_what_is_in_its_way(scene):
    truth = scene.truth()
    point = point_of(scene, OBJECT)
    others = [thing for thing, described in enumerate(truth.things)
              if described.kind == 'object' and thing != OBJECT]
    other_px = truth.points_px[[point_of(scene, thing) for thing in others]]
    way = other_px - truth.points_px[point]
    through = 1.5 * way[np.linalg.norm(way, axis=1).argmin()]
    scene.carry_out(drag(truth.points_px[point], through))
    scene.step(1.5)
    end = scene.truth().points_px[point]
    assert np.linalg.norm(end - truth.points_px[point] - through) > 3


def test_a_drag_of_the_table_grabs_nothing(scene):
    row, column = np.argwhere(scene.truth().mask == 0)[-1]
    assert scene.carry_out(drag(np.array([column, row]), (-20, 0))) == []


def test_a_world_that_is_wound_back_goes_the_same_way_again(scene):
    start, point = scene.snapshot(), point_of(scene, OBJECT)
    command = drag(scene.truth().points_px[point], (12, 4))
    pictures = []
    for _ in range(2):
        scene.rewind(start)
        scene.carry_out(command)
        scene.step(1.0)
        pictures.append(scene.render())
    assert np.array_equal(*pictures)
    scene.rewind(start)
    assert not np.array_equal(scene.render(), pictures[0])
