"""Recorded episodes: what a robot's camera saw, from bags and videos, without any label.

What the simulation knows is found in the pictures instead: points are followed forth and back, and
those that move together are a thing; the flow is in optical_flow.py; what is held is what stands
out around the point, as for a live drag.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.open_footage import open_footage
from dragstream_ros.evaluation.footage.shots import ModelClock
from dragstream_ros.evaluation.footage.windows import BLANK_BELOW_LEVELS
from dragstream_ros.evaluation.image_bag import BagError
from dragstream_ros.masks.touched_region import touched_region
from dragstream_ros.masks.track_points import track_through
from dragstream_ros.training.episodes import SeenFlow, Tracks
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.optical_flow import STRIDE, FlowSteps
from dragstream_ros.whole_file import whole_file
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

SHORTEST_FRAMES = 14    # the denoiser's longest clip is of 12, and begins after the first frame
LONGEST_FRAMES = 200    # of one episode; a longer stretch is cut
NEW_POINTS_EVERY = 10   # frames; they are followed for FOLLOWED, so that any clip of 11 has some
FOLLOWED = 20
MOST_POINTS = 96
APART_PX = 4.0          # of each other, and from the bars
MOVES_PX = 1.5          # a point that goes less far within FOLLOWED frames stays put
TOGETHER_PX = 8         # moving points nearer than twice this are of one thing
MOVING_PX = 0.5         # per frame: what goes slower is background


@dataclass(frozen=True, eq=False)
class RecordedEpisode:
    """An episodes.Episode.

    content_box: (left, top, width, height) of the picture between its bars; points_px: (G, FOLLOWED
    + 1, P, 2) float32 and found: the same but for the last axis, of the points that were chosen in
    each NEW_POINTS_EVERY-th frame; thing: (G, P), -1 for those that stay put.
    """

    frames: np.ndarray
    content_box: np.ndarray
    flow: FlowSteps
    points_px: np.ndarray
    found: np.ndarray
    thing: np.ndarray

    @classmethod
    def look(cls, frames: np.ndarray, content_box: tuple[int, int, int, int]) -> RecordedEpisode:
        """Find in frames (T, 128, 128, 3) what moves; takes a twentieth of a second for each."""
        starts = range(0, len(frames), NEW_POINTS_EVERY)
        groups = [_follow(frames[start:start + FOLLOWED + 1], content_box) for start in starts]
        return cls(frames, np.array(content_box), FlowSteps.find(list(frames)),
                   *(np.stack(parts) for parts in zip(*groups)))

    def part(self, first: int, end: int) -> RecordedEpisode:
        """The frames from ``first`` on, a multiple of NEW_POINTS_EVERY, to before ``end``."""
        groups = slice(first // NEW_POINTS_EVERY, -(-end // NEW_POINTS_EVERY))
        flow = FlowSteps(self.flow.displacement_px[first:end], self.flow.agree[first:end])
        return RecordedEpisode(self.frames[first:end], self.content_box, flow,
                               self.points_px[groups], self.found[groups], self.thing[groups])

    def tracks(self, first: int, count: int) -> Tracks:
        group, start = divmod(first, NEW_POINTS_EVERY)
        assert start + count <= FOLLOWED + 1, 'points are not followed for so long'
        span = slice(start, start + count)
        found = self.found[group, span]
        return Tracks(self.points_px[group, span], np.asarray(found.all(0)), self.thing[group])

    def things(self, index: int) -> np.ndarray:
        return self._moving[index]

    def thing_at(self, index: int, point_px: np.ndarray) -> np.ndarray:
        return touched_region(self.frames[index], point_px)

    def flow_back(self, now: int, before: int, *, stride: int) -> SeenFlow:
        assert stride == STRIDE, 'flow is not kept in other places'
        return self.flow.between(self.frames, now, before)

    @cached_property
    def _moving(self) -> np.ndarray:
        """What moves before or after a frame, and a little around it, (T, 128, 128) bool."""
        speed = np.linalg.norm(self.flow.displacement_px.astype(np.float32), axis=-1)
        fast = (speed > MOVING_PX) & self.flow.agree
        fast[:-1] |= fast[1:].copy()
        height, width = self.frames.shape[1:3]
        around = np.ones((5, 5), np.uint8)
        return np.stack([cv2.resize(cv2.dilate(mask.astype(np.uint8), around), (width, height),
                                    interpolation=cv2.INTER_NEAREST) > 0 for mask in fast])


def read_recording(path: Path, *, image_topic: str = '') -> list[RecordedEpisode]:
    """Look at all of a bag or video; TrainingError says why one is of no use."""
    try:
        episodes = [RecordedEpisode.look(frames, box.content_box)
                    for frames, box in _stretches(path, image_topic)]
    except (BagError, FootageError) as error:
        raise TrainingError(str(error)) from error
    if not episodes:
        raise TrainingError(
            f'{path} has no {SHORTEST_FRAMES} frames in a row that are a tenth of a second apart: '
            'its camera is too slow, or it is too short; leave it out.')
    return episodes


def keep(episodes: Sequence[RecordedEpisode], path: Path) -> None:
    """Write what was found in a recording: looking again takes longer than training from it."""
    arrays: dict[str, Any] = {
        f'{index}.{field.name}': value for index, episode in enumerate(episodes)
        for part in (episode, episode.flow) for field in fields(part)
        if isinstance(value := getattr(part, field.name), np.ndarray)}
    with whole_file(path) as partial, partial.open('wb') as file:
        np.savez(file, **arrays)


def kept(path: Path) -> list[RecordedEpisode]:
    """Read what ``keep`` wrote."""
    with np.load(path) as arrays:
        def of(cls: type, index: int, **others: object) -> Any:
            return cls(**{field.name: arrays[f'{index}.{field.name}'] for field in fields(cls)
                          if field.name not in others}, **others)

        count = len({name.partition('.')[0] for name in arrays})
        return [of(RecordedEpisode, index, flow=of(FlowSteps, index)) for index in range(count)]


def _stretches(path: Path, image_topic: str) -> Iterator[tuple[np.ndarray, Letterbox]]:
    """Frames (T, 128, 128, 3) in a row, as the predictor would take them, without blank ones."""
    footage = open_footage(path, image_topic=image_topic)
    clock = ModelClock(footage, period_secs=TabletopWorldModel.frame_period_secs,
                       model_size=TabletopWorldModel.image_size)
    frames: list[np.ndarray] = []
    box, run = None, -1
    for shot in clock.ticks():
        is_good = shot.pixels is not None and shot.pixels.std() >= BLANK_BELOW_LEVELS
        if not is_good or shot.run != run or shot.letterbox != box or len(frames) == LONGEST_FRAMES:
            if len(frames) >= SHORTEST_FRAMES and box is not None:
                yield np.stack(frames), box
            frames = []
        run, box = shot.run, shot.letterbox
        if is_good and shot.pixels is not None:
            frames.append(shot.pixels)
    if len(frames) >= SHORTEST_FRAMES and box is not None:
        yield np.stack(frames), box
    for problem in footage.problems:
        print(f'{path}: {problem}', flush=True)


def _follow(frames: np.ndarray, content_box: tuple[int, int, int, int],
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose points in the first of up to FOLLOWED + 1 frames: their ways, found, and things."""
    left, top, width, height = content_box
    rim = round(APART_PX)
    content = np.zeros(frames.shape[1:3], np.uint8)
    content[top + rim:top + height - rim, left + rim:left + width - rim] = 1
    corners = cv2.goodFeaturesToTrack(cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY), MOST_POINTS,
                                      0.01, APART_PX, mask=content)
    points = np.zeros((0, 2)) if corners is None else corners[:, 0].astype(np.float64)
    ways, seen = track_through(list(frames), points)
    points_px = np.zeros((FOLLOWED + 1, MOST_POINTS, 2), np.float32)
    found = np.zeros((FOLLOWED + 1, MOST_POINTS), bool)
    thing = np.full(MOST_POINTS, -1, np.int16)
    points_px[:len(frames), :len(points)], found[:len(frames), :len(points)] = ways, seen
    thing[:len(points)] = _things(ways, content.shape)
    return points_px, found, thing


def _things(ways_px: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Number the things that points with ways (T, P, 2) are on: moving ones with no gap between."""
    moves = np.linalg.norm(ways_px - ways_px[0], axis=-1).max(0) > MOVES_PX
    covered = np.zeros(shape, np.uint8)
    at = np.rint(ways_px[0]).astype(int)
    for x, y in at[moves]:
        cv2.circle(covered, (int(x), int(y)), TOGETHER_PX, 1, -1)
    _, labels = cv2.connectedComponents(covered)
    return np.where(moves, labels[at[:, 1], at[:, 0]], -1)
