"""What a planner is made of: futures, scores, distances from a goal, candidates and the search."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from stub_world_model import StubStream

from dragstream_ros.core.drag import DragCommand, validate_command
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.lanes import Lanes
from dragstream_ros.planning.candidates import Idea, drags, ideas_over_scene, smooth_drag
from dragstream_ros.planning.cross_entropy import CrossEntropyConfig, evenly_normal, refine
from dragstream_ros.planning.future import Future
from dragstream_ros.planning.goal_distance import PlanningGoal
from dragstream_ros.planning.planner import Planner, PlannerConfig
from dragstream_ros.planning.rollouts import Rollouts
from dragstream_ros.planning.score import Score, best_of, score_future
from dragstream_ros.planning.stream_futures import StreamFutures

SIZE = (96, 64)
TABLE = np.full((64, 96, 3), (150, 140, 120), np.uint8)
START_PX = np.array([30.0, 32.0])


def scene(place_px: Sequence[float]) -> np.ndarray:
    """A red disc of 6 px on a table."""
    picture = TABLE.copy()
    cv2.circle(picture, np.rint(place_px).astype(int).tolist(), 6, (220, 40, 30), cv2.FILLED)
    return picture


def future(end_px: Sequence[float], *, asked_px: Sequence[float] | None = None,
           **fields: object) -> Future:
    """The disc has gone to end_px; the drag wanted it at asked_px."""
    frame = scene(end_px)
    swept = cv2.line(np.zeros((64, 96), np.uint8), START_PX.astype(int).tolist(),
                     np.rint(end_px).astype(int).tolist(), 1, 16) > 0
    track = np.array([[START_PX, end_px]], float)
    asked = np.array([[START_PX, end_px if asked_px is None else asked_px]], float)
    return Future(**{
        'candidate': 0, 'frames': np.stack([scene(START_PX), frame]),
        'offsets_secs': np.array([0.5, 1.0]), 'confidence': np.array([1.0, 0.8]),
        'asked_px': asked, 'followed_px': track, 'found': np.ones((1, 2), bool),
        'moved': np.abs(frame.astype(int) - scene(START_PX)).max(-1) > 16, 'swept': swept,
        **fields})


def imagined(commands: Sequence[DragCommand]) -> list[Future]:
    """A perfect world model of the disc."""
    return [future(command.handles[0].path_px[-1]) for command in commands]


# Scores.


def test_a_drag_that_is_obeyed_and_leaves_the_rest_alone_has_the_best_score():
    score = score_future(future((50, 32)))
    assert (score.drag_obeyed, score.background_kept) == (1.0, 1.0)
    assert score.cost == pytest.approx(1 - 0.8) and math.isnan(score.pixel_distance)


def test_half_of_the_way_is_half_obeyed_and_what_is_lost_is_not_obeyed():
    assert score_future(future((40, 32), asked_px=(50, 32))).drag_obeyed == pytest.approx(0.5)
    lost = future((50, 32), found=np.array([[True, False]]))
    assert score_future(lost).drag_obeyed == 0.0


def test_what_changes_beside_the_drag_is_background_that_is_not_kept():
    moved = future((50, 32)).moved.copy()
    moved[:, 80:] = True
    assert score_future(future((50, 32), moved=moved)).background_kept < 0.9


def test_points_count_more_than_pixels_and_pixels_more_than_features():
    shares = {'drag_obeyed': 1.0, 'background_kept': 1.0, 'confidence': 1.0}
    assert Score(**shares, feature_distance=2.0).cost == 2.0
    assert Score(**shares, pixel_distance=3.0, feature_distance=2.0).cost == 3.0
    assert Score(**shares, pixel_distance=3.0, point_distance_px=9.0).cost == 9.0
    assert best_of([Score(**shares, pixel_distance=d) for d in (2.0, 1.0, 1.0)]) == 1


def test_the_nearer_to_the_goal_picture_the_better_also_where_nothing_overlaps():
    goal = PlanningGoal(image=scene((60, 32)), start=scene(START_PX))
    costs = [score_future(future((x, 32)), goal).cost for x in (60, 57, 53, 48)]
    assert costs == sorted(costs) and costs[0] == pytest.approx(0.0, abs=1e-3)
    beyond = score_future(future((80, 50)), goal).cost
    assert beyond > costs[2]


def test_features_are_those_of_the_world_model():
    goal = PlanningGoal(
        image=scene((60, 32)), start=scene(START_PX),
        encode=lambda picture: cv2.resize(picture, (12, 8)).transpose(2, 0, 1) / 64.0)
    near, far = (score_future(future((x, 32)), goal) for x in (58, 40))
    assert near.feature_distance < far.feature_distance


def test_query_points_are_compared_with_their_goals_and_handles_are_not():
    found = future((50, 32), followed_px=np.array([[[0, 0], [50, 32]], [[5, 5], [8, 9]]], float))
    goal = PlanningGoal(points_px=np.array([[5.0, 5.0]]))
    assert score_future(found, goal).point_distance_px == pytest.approx(5.0)


# Candidates.


def test_candidates_are_drags_that_make_sense_and_stay_in_the_picture():
    idea = Idea(grab_px=START_PX, target_px=START_PX, holds_px=np.array([[80.0, 10.0]]))
    commands = drags(idea, np.array([[40.0, 30.0], [-50.0, 300.0]]), image_size=SIZE)
    for command in commands:
        validate_command(command)
        assert len(command.handles) == 2 and len(command.handles[1].path_px) == 1
    assert commands[1].handles[0].path_px[-1].tolist() == [0.0, 63.0]
    steps = np.linalg.norm(np.diff(commands[0].handles[0].path_px, axis=0), axis=1)
    assert steps[0] < 0.2 * steps.max() > steps[-1]


def test_ideas_come_from_where_the_picture_differs_from_its_goal():
    ideas = ideas_over_scene(scene(START_PX), scene((70, 40)))
    assert any(np.linalg.norm(idea.grab_px - START_PX) < 2
               and np.linalg.norm(idea.target_px - (70, 40)) < 2 for idea in ideas)
    assert ideas_over_scene(TABLE, TABLE) == []


# The search.


def test_the_cross_entropy_method_finds_the_lowest_place_of_a_bowl():
    low = np.array([7.0, -3.0])
    errors = []
    for n_rounds in (1, 3, 6):
        search = refine(
            lambda x: ((x - low) ** 2).sum(1), np.zeros(2), np.full(2, 6.0),
            CrossEntropyConfig(candidates=20 * n_rounds, rounds=n_rounds, least_std=0.05),
            np.random.default_rng(0))
        errors.append(np.linalg.norm(search.tried[search.best] - low))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.3
    assert len(search.tried) == len(search.costs) == 120 and search.rounds.max() == 5


def test_what_is_not_worth_a_try_is_tried_only_where_there_is_nothing_else():
    def tried(may_be) -> np.ndarray:
        return refine(
            lambda x: (x ** 2).sum(1), np.zeros(2), np.full(2, 6.0), CrossEntropyConfig(),
            np.random.default_rng(0), may_be).tried

    assert (tried(lambda x: x[:, 0] > 3.0)[1:, 0] > 3.0).all()
    assert len(tried(lambda x: x[:, 0] > 1e3)) == 16


def test_candidates_are_normal_and_leave_no_holes():
    drawn = evenly_normal(400, 2, np.random.default_rng(0))
    assert np.abs(drawn.mean(0)).max() < 0.05 and np.abs(drawn.std(0) - 1).max() < 0.05
    few = evenly_normal(12, 2, np.random.default_rng(0))
    apart = np.linalg.norm(few[:, None] - few, axis=-1) + 9 * np.eye(12)
    assert apart.min() > 0.25


@pytest.mark.parametrize(('candidates', 'rounds', 'sizes'), [
    (16, 3, [10, 3, 3]), (64, 4, [38, 9, 9, 8]), (5, 1, [5]), (2, 3, [1, 1])])
def test_rounds_have_all_the_candidates(candidates, rounds, sizes):
    assert CrossEntropyConfig(candidates=candidates, rounds=rounds).sizes() == sizes


def test_the_planner_picks_the_right_one_of_obvious_ideas():
    goal = PlanningGoal(image=scene((60, 40)), start=scene(START_PX))
    ideas = [Idea(grab_px=START_PX, target_px=np.array(place, float), spread_px=1.0)
             for place in ((30, 10), (10, 50), (60, 40), (60, 20))]
    plan = Planner(imagined, image_size=SIZE).plan(ideas, goal)
    assert plan.best.command.handles[0].path_px[-1] == pytest.approx([60, 40], abs=1.5)
    assert len(plan.tried) == 16 and plan.secs > 0


def test_things_are_brought_where_the_goal_differs_from_what_is_now():
    goal = PlanningGoal(image=scene((60, 32)), start=scene(START_PX))
    ends = np.array([[60.0, 32.0], [30.0, 32.0], [45.0, 10.0], [500.0, 32.0]])
    assert goal.differs_at(ends).tolist() == [True, True, False, False]
    plan = Planner(imagined, image_size=SIZE).plan(
        [Idea(grab_px=START_PX, target_px=START_PX, spread_px=14.0)], goal)
    tried_px = np.array([item.command.handles[0].path_px[-1] for item in plan.tried])
    assert goal.differs_at(tried_px).all()


def test_the_planner_finds_the_way_when_it_knows_only_what_to_grab():
    goal = PlanningGoal(image=scene((44, 22)), start=scene(START_PX))
    planner = Planner(imagined, image_size=SIZE, config=PlannerConfig(
        seed=1, search=CrossEntropyConfig(candidates=64, rounds=4)))
    plan = planner.plan([Idea(grab_px=START_PX, target_px=START_PX, spread_px=12.0)], goal)
    end = plan.best.command.handles[0].path_px[-1]
    assert np.linalg.norm(end - (44, 22)) < 2.0
    assert [item.round for item in plan.tried] == sorted(item.round for item in plan.tried)


def test_no_candidate_leaves_a_trace_in_the_stream():
    picture = np.random.default_rng(0).integers(0, 255, (8, 12, 3), np.uint8)
    picture = picture.repeat(8, 0).repeat(8, 1)
    stream = StubStream(1.0, 0.8, lambda command, anchor_ns: command)
    stream.observe(picture, 0)
    before = dict(vars(stream))
    futures = StreamFutures(
        stream, picture, horizon_secs=0.8, lanes=Lanes(2), query_px=np.array([[60.0, 30.0]]))
    commands = [smooth_drag(START_PX, START_PX + (x, 0), image_size=SIZE) for x in (10, -10, 4)]
    found = futures([*commands, None])
    assert vars(stream) == before
    assert [item.candidate for item in found] == [0, 1, 2, 3]
    assert [item.n_handles for item in found] == [1, 1, 1, 0]
    assert found[0].followed_px[:, -1] == pytest.approx(
        np.array([START_PX + (10, 0), (70, 30)]), abs=1.5)


def test_a_future_of_nothing_is_refused():
    class Silent:
        stamp_ns = 0

        def branch(self, horizon_secs: float) -> Silent:
            return self

        def step(self) -> None:
            return None

    with pytest.raises(DragStreamError) as refused:
        Rollouts(Silent(), [None], horizon_secs=1e-6).step()
    assert refused.value.code == ErrorCode.GOAL_INVALID
