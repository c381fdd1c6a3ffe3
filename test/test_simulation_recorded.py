"""The bundled recording: what a machine without graphics shows, with ground truth all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from dragstream_ros.simulation.intent import find_intents
from dragstream_ros.simulation.recorded import DRAGS, TRUTH, RecordedTabletop, recorded_folder
from dragstream_ros.simulation.tabletop import open_tabletop


def test_without_graphics_the_tabletop_is_the_recorded_one_and_says_so() -> None:
    program = (
        'from dragstream_ros.simulation.tabletop import open_tabletop\n'
        'tabletop = open_tabletop(0)\n'
        'print(tabletop.description, tabletop.render().shape)\n'
        "open_tabletop(0, source='mujoco')\n")
    ended = subprocess.run(
        [sys.executable, '-c', program], env={**os.environ, 'MUJOCO_GL': 'disable'},
        capture_output=True, text=True, timeout=60)
    assert 'recorded tabletop' in ended.stdout and '(256, 256, 3)' in ended.stdout
    assert 'Showing the recorded tabletop' in ended.stderr
    assert 'NoGraphics' in ended.stderr and ended.returncode == 1


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match='auto, mujoco, recorded'):
        open_tabletop(0, source='gazebo')


def test_the_recording_is_small_and_its_bag_opens_with_rosbags() -> None:
    folder = recorded_folder()
    assert sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) < 3e6
    truth = np.load(folder / TRUTH)
    count = len(truth['stamps_secs'])
    assert truth['points_px'].shape[0] == truth['masks'].shape[0] == count >= 100
    assert len(RecordedTabletop()._jpegs) == count


def test_the_recorded_points_lie_on_their_things() -> None:
    tabletop = RecordedTabletop(0)
    truth = tabletop.truth()
    assert truth.mask.shape == tabletop.render().shape[:2]
    assert {thing.kind for thing in truth.things} == {'gripper', 'object', 'static'}
    shares = []
    for _ in range(20):
        tabletop.step(0.5)
        shares.append(tabletop.truth().point_visible.mean())
    assert np.mean(shares) > 0.5


def test_playing_to_and_fro_never_jumps_and_looks_ahead_correctly() -> None:
    tabletop = RecordedTabletop(3)
    offsets_secs, ahead = tabletop.look_ahead(24.0)
    assert len(offsets_secs) == 241
    assert np.linalg.norm(np.diff(ahead, axis=0), axis=2).max() < 20
    for index in range(len(offsets_secs)):
        np.testing.assert_allclose(tabletop.truth().points_px, ahead[index], atol=0.01)
        tabletop.step(0.1)


def test_another_picture_size_moves_points_and_intrinsics_with_the_picture() -> None:
    small, large = RecordedTabletop(0), RecordedTabletop(0, image_size=(640, 480))
    assert large.render().shape == (480, 640, 3)
    assert not large.render()[:, :79].any()  # bars at the sides: 480 x 480 in 640 x 480
    scale = 480 / 256
    expected = (small.truth().points_px + 0.5) * scale - 0.5 + (80, 0)
    np.testing.assert_allclose(large.truth().points_px, expected, atol=0.01)
    assert large.intrinsics.focal_px == pytest.approx(small.intrinsics.focal_px * scale)
    assert large.intrinsics.centre_px == pytest.approx((319.5, 239.5))


def test_the_recorded_drags_begin_where_their_things_are() -> None:
    truth = np.load(recorded_folder() / TRUTH)
    names = [name for name, _, _ in json.loads(str(truth['things']))]
    drags = json.loads((recorded_folder() / DRAGS).read_text())
    assert len(drags) >= 10
    for drag in drags:
        secs = drag['stamp_ns'] / 1e9 - 1.0
        index = int(np.abs(truth['stamps_secs'] - secs).argmin())
        own = truth['points_px'][index, truth['point_thing'] == names.index(drag['thing'])]
        assert np.linalg.norm(own - drag['path_px'][0], axis=1).min() < 0.02


def test_an_intent_is_the_way_of_a_visible_point_of_what_moves() -> None:
    still, moves = np.zeros((5, 2)), np.linspace(0, 40, 5)[:, None] * (1, 0)
    points_px = np.stack([still, moves, moves + 3, still + 50], axis=1)
    intents = find_intents(
        np.arange(5) / 4, points_px, point_visible=np.array([True, False, True, True]),
        point_thing=np.array([0, 1, 1, 2]), min_travel_px=10)
    assert [(intent.thing, intent.point) for intent in intents] == [(1, 2)]
    assert intents[0].centre_px is None and intents[0].travel_px == pytest.approx(40)
    assert intents[0].path_px[0].tolist() == [3, 3]


def test_a_thing_that_turns_on_the_spot_is_an_intent_to_rotate() -> None:
    angles = np.linspace(0, 1.2, 7)
    rim = 20 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + 60
    opening = np.linspace(20, 40, 7)[:, None] * (1, 0) + (10, 0)
    points_px = np.stack([np.full((7, 2), 60.0), rim, np.tile((10.0, 0), (7, 1)), opening], axis=1)
    intents = find_intents(
        np.arange(7) / 6, points_px, point_visible=np.ones(4, bool),
        point_thing=np.array([0, 0, 1, 1]), min_travel_px=8)
    assert [intent.point for intent in intents] == [1], 'a gripper that opens does not turn'
    assert intents[0].centre_px is not None and intents[0].centre_px.tolist() == [60, 60]
