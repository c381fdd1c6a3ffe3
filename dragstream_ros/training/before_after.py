"""What fitting is worth: predictions of recordings that were held out, before and after it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragMode
from dragstream_ros.evaluation.bench_table import table
from dragstream_ros.evaluation.footage.observed_drags import observe_drags
from dragstream_ros.evaluation.metrics import median_with_interval
from dragstream_ros.evaluation.picture_quality import judge_picture
from dragstream_ros.evaluation.predict import predict_frames
from dragstream_ros.training.recorded_episodes import RecordedEpisode
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

PAST_FRAMES = 8         # all that the model remembers
FUTURE_FRAMES = 10
EVERY_FRAMES = 5        # from one start to the next
MOST_STARTS = 60
NS = 1_000_000_000
TIMES_SECS = (0.5, 1.0)
PLACES = ('all', 'moving')
SYSTEMS = ('copy_last', 'undragged', 'told', 'reconstruction')


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """A moment to predict from: past (8, H, W, 3) and future (10, H, W, 3), uint8 RGB."""

    recording: str
    episode: RecordedEpisode
    index: int

    @property
    def past(self) -> np.ndarray:
        return self.episode.frames[self.index - PAST_FRAMES + 1:self.index + 1]

    @property
    def future(self) -> np.ndarray:
        return self.episode.frames[self.index + 1:self.index + 1 + FUTURE_FRAMES]


def choose_starts(held_out: Mapping[str, Sequence[RecordedEpisode]]) -> list[Start]:
    """Every half a second of every recording, or as many of these as are worth the time."""
    starts = [
        Start(recording=name, episode=episode, index=index)
        for name, episodes in held_out.items() for episode in episodes
        for index in range(PAST_FRAMES - 1, len(episode.frames) - FUTURE_FRAMES, EVERY_FRAMES)]
    which = np.linspace(0, len(starts) - 1, min(len(starts), MOST_STARTS)).round().astype(int)
    return [starts[index] for index in which]


def predict(model: TabletopWorldModel, start: Start) -> dict[str, np.ndarray]:
    """(10, H, W, 3) uint8 RGB by system and yardstick.

    told: the model is given, as a drag, the way of the (at most three) things that move most.
    reconstruction: the truth through the model's autoencoder, the best that it can show.
    """
    past, future = start.past, start.future
    period_secs = model.frame_period_secs
    stamps_ns = [round(index * period_secs * NS) for index in range(len(past))]
    handles = observe_drags(past[-1], list(future), period_secs=period_secs)
    command = DragCommand(
        drag_id='recorded', operator_id='recording', mode=DragMode.ANIMATE, handles=handles,
        image_size=model.image_size, stamp_ns=stamps_ns[-1],
        duration_secs=len(future) * period_secs) if handles else None
    undragged = predict_frames(model, past, stamps_ns, len(future))
    told = undragged if command is None else predict_frames(
        model, past, stamps_ns, len(future), command)
    return {'copy_last': np.repeat(past[-1:], len(future), 0), 'undragged': undragged,
            'told': told, 'reconstruction': model.decode(model.encode(future))}


def judge(start: Start, frames: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """PSNR of the pictures between the bars, plain data."""
    left, top, width, height = start.episode.content_box
    content = (slice(top, top + height), slice(left, left + width))
    found: dict[str, Any] = {'recording': start.recording, 'index': start.index}
    for system, pictures in frames.items():
        for secs in TIMES_SECS:
            at = round(secs / TabletopWorldModel.frame_period_secs) - 1
            judged = judge_picture(pictures[at][content], start.future[at][content],
                                   start.past[-1][content])
            for where, quality in judged.items():
                found[f'{system} {secs:g} s {where}'] = round(quality.psnr_db, 3)
    return found


def summarise(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]],
              recording: str | None = None) -> dict[str, Any]:
    """Medians over starts, of one recording or of all; gains are paired, start by start.

    By system and time, of 'all' pixels and of the 'moving' ones.
    """
    pairs = [(one, other) for one, other in zip(before, after, strict=True)
             if recording in (None, one['recording'])]
    return {f'{system} {secs:g} s': {where: found for where in PLACES if (
                found := _compare(pairs, f'{system} {secs:g} s {where}'))}
            for system in SYSTEMS for secs in TIMES_SECS}


def describe(title: str, summary: dict[str, Any]) -> str:
    """A table for people."""
    rows = [[name, *(cell for where in PLACES for cell in _cells(found.get(where)))]
            for name, found in summary.items()]
    return table([title, *(f'{head} {where}' if head == 'starts' else head for where in PLACES
                           for head in ('before', 'after', 'gain [95%]', 'starts'))], rows)


def _cells(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ['-'] * 4
    gain = found['gain_db']
    return [f'{found["before_db"]:.1f}', f'{found["after_db"]:.1f}',
            f'{gain["value"]:+.1f} [{gain["low"]:+.1f}, {gain["high"]:+.1f}]', str(found['n'])]


def _compare(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
             key: str) -> dict[str, Any] | None:
    known = [(one[key], other[key]) for one, other in pairs if key in one]
    if not known:
        return None
    before, after = np.array(known).T
    return {'n': len(known), 'before_db': float(np.median(before)),
            'after_db': float(np.median(after)),
            'gain_db': asdict(median_with_interval(after - before))}
