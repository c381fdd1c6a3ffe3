"""How the live stream and goals share the worker's time; pure numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from dragstream_ros.worker.turns import USED, Turns


def take_turns(turns: Turns, steps: Iterable[float], *, slowdown: float = 1.0) -> Iterator[tuple]:
    """Both always have work; gives what goals and the live stream have had so far, s.

    slowdown: of the live stream's steps, beside goals.
    """
    goals_secs = live_secs = 0.0
    for secs in steps:
        if turns.is_planning:
            turns.planned(secs)
            goals_secs += secs
        else:
            turns.lived(secs * slowdown)
            live_secs += secs * slowdown
        yield goals_secs, live_secs


@pytest.mark.parametrize('planning_share', [0.2, 0.5, 0.8])
def test_goals_take_their_share_of_the_time_while_the_live_stream_has_work(planning_share):
    steps = np.random.default_rng(0).uniform(0.05, 0.3, 1000)
    for goals_secs, live_secs in take_turns(Turns(planning_share), steps):
        # At any moment, to within one turn.
        assert goals_secs - planning_share * (goals_secs + live_secs) <= 0.3
    taken = goals_secs / (goals_secs + live_secs)
    assert taken == pytest.approx(USED * planning_share, abs=0.01)
    assert taken < planning_share


@pytest.mark.parametrize('planning_share', [0.2, 0.5, 0.8])
def test_the_live_stream_keeps_its_chunks_where_goals_slow_it_down(planning_share):
    turns, slowdown = Turns(planning_share), 1.1
    for _ in range(20):
        turns.lived_alone(0.2)
    *_, (goals_secs, live_secs) = take_turns(turns, [0.2] * 1000, slowdown=slowdown)
    kept = live_secs / slowdown / (goals_secs + live_secs)
    assert kept == pytest.approx(1.0 - USED * planning_share, abs=0.01)


@pytest.mark.parametrize('planning_share', [0.2, 0.5, 0.8])
def test_seeing_the_camera_is_of_the_live_streams_time(planning_share):
    turns, seen_secs = Turns(planning_share), 0.02     # as often as somebody has a turn
    for _ in range(20):
        turns.saw(seen_secs)
        turns.lived_alone(0.2)
    chunks = total_secs = 0.0
    for _ in range(1000):
        turns.saw(seen_secs)
        total_secs += 0.2 + seen_secs
        if turns.is_planning:
            turns.planned(0.2)
        else:
            turns.lived(0.2)
            chunks += 1
    kept = chunks / (total_secs / (0.2 + seen_secs))
    assert kept == pytest.approx(1.0 - USED * planning_share, abs=0.02)


@pytest.mark.parametrize('planning_share', [0.2, 0.5, 0.8])
def test_goals_keep_half_of_their_share_where_the_computer_has_become_slow(planning_share):
    turns = Turns(planning_share)
    for _ in range(20):
        turns.lived_alone(0.2)
    *_, (goals_secs, live_secs) = take_turns(turns, [0.2] * 1000, slowdown=10.0)
    taken = goals_secs / (goals_secs + live_secs)
    assert taken == pytest.approx(USED * planning_share / 2, abs=0.02)


def test_who_rested_is_owed_nothing():
    turns = Turns(0.5)
    turns.planned(9.0)
    turns.rested()
    turns.lived(0.1)
    assert turns.is_planning
