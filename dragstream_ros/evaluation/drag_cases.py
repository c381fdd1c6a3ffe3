"""The held-out drags of the benchmark, class by class.

The list is a function of the seeds alone. Training stops short of FIRST_SEED, so no model has seen
these scenes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.mask_pixels import at_border
from dragstream_ros.evaluation.acted_drags import MOTIONS, act_out
from dragstream_ros.evaluation.drag_case import (
    FRAME_RATE_HZ,
    PALM_POINT,
    DragCase,
    Take,
    cut_case,
    left_behind,
    mask_of,
)
from dragstream_ros.simulation.episode import generate_episode

FIRST_SEED = 1_000_000
SEEDS_PER_CLASS = 10_000    # each class of acted drags has scenes of its own
CLASSES = ('translate', *MOTIONS)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DragCaseConfig:
    """Which motions make a drag; lengths in px of a 128 px picture, areas in px.

    n_per_kind: drags of grippers that the scripted teleoperator really makes, and as many of
    objects: the class translate. n_acted: of each other class, acted out for the benchmark.
    past_frames: what a predictor is shown. least_visible, most_visible: area at the end, in start
    areas. least_left: share of the start area that the thing leaves, so that there is a place to
    look for remains.
    """

    n_per_kind: int = 25
    n_acted: int = 0
    first_seed: int = FIRST_SEED
    episode_secs: float = 6.0
    past_frames: int = 10
    future_frames: int = 10
    shortest_px: float = 10.0
    longest_px: float = 40.0
    least_area_px: int = 60
    least_visible: float = 0.6
    most_visible: float = 1.6
    least_left: float = 0.2


def make_drag_cases(config: DragCaseConfig = DragCaseConfig()) -> Iterator[DragCase]:
    """All drags, class by class. Raises NoGraphics where nothing can be rendered."""
    yield from _translations(config)
    for number, drag_class in enumerate(MOTIONS, 1):
        seed = config.first_seed + number * SEEDS_PER_CLASS
        n_missing = config.n_acted
        while n_missing:
            case = act_out(drag_class, seed)
            if case is not None:
                n_missing -= 1
                yield case
            seed += 1
        _log.info('%s: seeds up to %d', drag_class, seed - 1)


def _translations(config: DragCaseConfig) -> Iterator[DragCase]:
    """Go through the scenes, seed after seed, until there are enough drags of both kinds.

    A scene gives one drag of a kind at most.
    """
    missing = {'gripper': config.n_per_kind, 'object': config.n_per_kind}
    seed = config.first_seed
    while any(missing.values()):
        episode = generate_episode(seed, secs=config.episode_secs, frame_rate_hz=FRAME_RATE_HZ)
        for kind in [kind for kind, count in missing.items() if count]:
            choices = drag_choices(episode, kind, config)
            if choices:
                which = np.random.default_rng([seed, len(kind)]).integers(len(choices))
                missing[kind] -= 1
                start, thing, point = choices[which]
                yield cut_case(
                    episode, seed=seed, start=start, end=start + config.future_frames, thing=thing,
                    point=point, past_frames=config.past_frames)
        seed += 1
    _log.info('drags of seeds %d to %d', config.first_seed, seed - 1)


def drag_choices(
        episode: Take, kind: str, config: DragCaseConfig) -> list[tuple[int, int, int]]:
    """All (start index, thing, point) of an episode that fit."""
    choices = []
    for thing, description in enumerate(episode.things):
        if description.kind != kind:
            continue
        last_start = len(episode.frames) - config.future_frames
        for start in range(config.past_frames - 1, last_start):
            point = _handle_point(episode, thing, start, start + config.future_frames)
            if point is not None and _fits(episode, thing, point, start, config):
                choices.append((start, thing, point))
    return choices


def _handle_point(episode: Take, thing: int, start: int, end: int) -> int | None:
    """The point that an operator would grab: a gripper's palm, an object near its middle."""
    own = np.flatnonzero(episode.point_thing == thing)
    if episode.things[thing].kind == 'gripper':
        own = own[PALM_POINT:PALM_POINT + 1]
    seen = own[episode.point_visible[start, own] & episode.point_visible[end, own]]
    if not len(seen):
        return None
    rows, columns = np.nonzero(episode.masks[start] == thing + 1)
    middle = np.array([columns.mean(), rows.mean()])
    return int(seen[np.linalg.norm(episode.points_px[start, seen] - middle, axis=1).argmin()])


def _fits(episode: Take, thing: int, point: int, start: int, config: DragCaseConfig) -> bool:
    end = start + config.future_frames
    length_px = np.linalg.norm(episode.points_px[end, point] - episode.points_px[start, point])
    if not config.shortest_px <= length_px <= config.longest_px:
        return False
    before, after = (mask_of(episode, thing, index) for index in (start, end))
    visible = after.sum() / max(before.sum(), 1)
    left = left_behind(before, episode.masks[end] == thing + 1).sum() / max(before.sum(), 1)
    return bool(
        before.sum() >= config.least_area_px
        and left >= config.least_left
        and config.least_visible <= visible <= config.most_visible
        and not at_border(before) and not at_border(after))
