"""Held-out drags with a known answer: motions that the simulated world then really makes.

The list is a function of the seeds alone. Training stops short of FIRST_SEED, so no model has seen
these scenes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.simulation.episode import Episode, generate_episode

FIRST_SEED = 1_000_000
FRAME_RATE_HZ = 10.0
NS = 1_000_000_000
PALM_POINT = 1  # of a gripper's four points: what one would grab it by
STILL_PX = 1.0  # an object of which no point goes so far within a drag stays put

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DragCaseConfig:
    """Which motions make a drag; lengths in px of a 128 px picture, areas in px.

    n_per_kind: drags of grippers, and as many of objects. past_frames: what a predictor is shown.
    least_visible, most_visible: area at the end, in start areas. least_left: share of the start
    area that the thing leaves, so that there is a place to look for remains. A gripper's arm
    reaches into the picture from outside, so a gripper is what is visible of it within
    hand_radius_px of its palm.
    """

    n_per_kind: int = 25
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
    hand_radius_px: float = 16.0


@dataclass(frozen=True, kw_only=True, eq=False)
class DragCase:
    """One drag of one thing and what really happened.

    past: (10, H, W, 3) uint8 RGB up to and with the frame dragged on; future: (10, H, W, 3), the
    next second. path_px: (11, 2), where the handle point was at 0.0, 0.1 ... 1.0 s.
    start_mask (H, W) and future_masks (10, H, W) bool: where the thing is visible; hands only, of a
    gripper. start_whole, future_whole: the same with the arm. start_table, end_table: (H, W) bool,
    where no thing at all is visible at the start and at the end of the second. still_objects:
    (n, H, W) bool, the other objects that stay put, where they are visible at start and end.
    """

    seed: int
    start_index: int
    thing: str
    kind: str
    point: int
    path_px: np.ndarray
    past: np.ndarray
    future: np.ndarray
    start_mask: np.ndarray
    future_masks: np.ndarray
    start_whole: np.ndarray
    future_whole: np.ndarray
    start_table: np.ndarray
    end_table: np.ndarray
    still_objects: np.ndarray

    @property
    def length_px(self) -> float:
        """Distance from the handle point's start to its end."""
        return float(np.linalg.norm(self.path_px[-1] - self.path_px[0]))

    @property
    def name(self) -> str:
        """Seed, frame and thing: enough to make the case again."""
        return f'{self.seed}/{self.start_index}/{self.thing}'

    def stamps_ns(self) -> list[int]:
        """Stamps of the past, the last one of the frame dragged on."""
        first = self.start_index - len(self.past) + 1
        return [round((first + index) / FRAME_RATE_HZ * NS) for index in range(len(self.past))]

    def command(self, *, with_mask: bool = False) -> DragCommand:
        """What an operator would send: a point and its path over time; the thing's mask on wish."""
        height, width = self.start_mask.shape
        return DragCommand(
            drag_id=self.name, operator_id='bench', mode=DragMode.ANIMATE,
            handles=(DragHandle(
                path_px=self.path_px.astype(np.float64),
                times_secs=np.arange(len(self.path_px)) / FRAME_RATE_HZ,
                mask=self.start_mask if with_mask else None),),
            image_size=(width, height), stamp_ns=self.stamps_ns()[-1],
            duration_secs=(len(self.path_px) - 1) / FRAME_RATE_HZ)


def left_behind(start_mask: np.ndarray, end_whole: np.ndarray) -> np.ndarray:
    """The pixels (H, W) bool that the thing leaves, less the soft edge of where it ends up."""
    edge = np.ones((3, 3), np.uint8)
    return start_mask & (cv2.dilate(end_whole.astype(np.uint8), edge) == 0)


def make_drag_cases(config: DragCaseConfig = DragCaseConfig()) -> Iterator[DragCase]:
    """Go through the scenes, seed after seed, until there are enough drags of both kinds.

    A scene gives one drag of a kind at most. Raises NoGraphics where nothing can be rendered.
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
                yield _case(episode, seed, *choices[which], config)
        seed += 1
    _log.info('drags of seeds %d to %d', config.first_seed, seed - 1)


def drag_choices(
        episode: Episode, kind: str, config: DragCaseConfig) -> list[tuple[int, int, int]]:
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


def _handle_point(episode: Episode, thing: int, start: int, end: int) -> int | None:
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


def _fits(episode: Episode, thing: int, point: int, start: int, config: DragCaseConfig) -> bool:
    end = start + config.future_frames
    length_px = np.linalg.norm(episode.points_px[end, point] - episode.points_px[start, point])
    if not config.shortest_px <= length_px <= config.longest_px:
        return False
    before = _mask(episode, thing, point, start, config)
    after = _mask(episode, thing, point, end, config)
    visible = after.sum() / max(before.sum(), 1)
    left = left_behind(before, episode.masks[end] == thing + 1).sum() / max(before.sum(), 1)
    return bool(
        before.sum() >= config.least_area_px
        and left >= config.least_left
        and config.least_visible <= visible <= config.most_visible
        and not _touches_border(before) and not _touches_border(after))


def _mask(
        episode: Episode, thing: int, point: int, index: int, config: DragCaseConfig) -> np.ndarray:
    whole: np.ndarray = episode.masks[index] == thing + 1
    if episode.things[thing].kind != 'gripper':
        return whole
    y, x = np.indices(whole.shape)
    palm = episode.points_px[index, point]
    return whole & (np.hypot(x - palm[0], y - palm[1]) <= config.hand_radius_px)


def _touches_border(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _case(
        episode: Episode, seed: int, start: int, thing: int, point: int,
        config: DragCaseConfig) -> DragCase:
    future = np.arange(start + 1, start + 1 + config.future_frames)
    return DragCase(
        seed=seed, start_index=start, thing=episode.things[thing].name,
        kind=episode.things[thing].kind, point=point,
        path_px=episode.points_px[start:future[-1] + 1, point],
        past=episode.frames[start + 1 - config.past_frames:start + 1],
        future=episode.frames[future],
        start_mask=_mask(episode, thing, point, start, config),
        future_masks=np.stack([_mask(episode, thing, point, int(i), config) for i in future]),
        start_whole=episode.masks[start] == thing + 1,
        future_whole=episode.masks[future] == thing + 1,
        start_table=episode.masks[start] == 0, end_table=episode.masks[future[-1]] == 0,
        still_objects=_still_objects(episode, thing, start, int(future[-1])))


def _still_objects(episode: Episode, dragged: int, start: int, end: int) -> np.ndarray:
    way = episode.points_px[start:end + 1] - episode.points_px[start]
    goes = np.linalg.norm(way, axis=-1).max(0) >= STILL_PX
    still = [
        thing for thing, described in enumerate(episode.things)
        if described.kind == 'object' and thing != dragged
        and not goes[episode.point_thing == thing].any()]
    seen = [(episode.masks[[start, end]] == thing + 1).all(0) for thing in still]
    return np.array(seen, bool).reshape(-1, *episode.masks.shape[1:])
