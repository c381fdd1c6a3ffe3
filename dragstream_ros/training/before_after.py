"""What fitting is worth: predictions of recordings that were held out, before and after it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragMode
from dragstream_ros.evaluation.footage.observed_drags import observe_drags
from dragstream_ros.evaluation.markdown import table
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
COUNTED = 'all psnr_db'
# With the digits that are shown. Pixels 'moving' differ from the last picture shown; sharpness is
# that of the truth's, which a blurred picture has less of.
MEASURES = {COUNTED: 1, 'moving psnr_db': 1, 'moving sharpness': 2}
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
    """Judge the pictures between the bars: plain data, by system and time, then by measure."""
    left, top, width, height = start.episode.content_box
    content = (slice(top, top + height), slice(left, left + width))
    verdict: dict[str, Any] = {'recording': start.recording, 'index': start.index}
    for system, pictures in frames.items():
        for secs in TIMES_SECS:
            at = round(secs / TabletopWorldModel.frame_period_secs) - 1
            judged = judge_picture(pictures[at][content], start.future[at][content],
                                   start.past[-1][content])
            verdict[f'{system} {secs:g} s'] = {
                f'{where} {name}': round(getattr(quality, name), 3)
                for where, quality in judged.items() for name in ('psnr_db', 'sharpness')}
    return verdict


def summarise(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]],
              recording: str | None = None) -> dict[str, Any]:
    """Medians over starts, of one recording or of all; gains are paired, start by start."""
    pairs = [(one, other) for one, other in zip(before, after, strict=True)
             if recording in (None, one['recording'])]
    return {row: {measure: _compare([(one[row], other[row]) for one, other in pairs], measure)
                  for measure in MEASURES}
            for row in (f'{system} {secs:g} s' for system in SYSTEMS for secs in TIMES_SECS)}


def describe(title: str, summary: dict[str, Any]) -> str:
    """A table for people."""
    rows = [[name, *(cell for measure, digits in MEASURES.items()
                     for cell in _cells(found[measure], digits)), str(found[COUNTED]['n'])]
            for name, found in summary.items()]
    return table([title, 'before', 'after', 'gain [95%]', 'moving: before', 'after', 'gain [95%]',
                  'sharpness: before', 'after', 'gain [95%]', 'starts'], rows)


def _cells(found: dict[str, Any], digits: int) -> list[str]:
    if not found['n']:
        return ['-'] * 3
    gain = found['gain']
    return [f'{found["before"]:.{digits}f}', f'{found["after"]:.{digits}f}',
            f'{gain["value"]:+.{digits}f} [{gain["low"]:+.{digits}f}, {gain["high"]:+.{digits}f}]']


def _compare(pairs: Sequence[tuple[dict[str, float], dict[str, float]]],
             measure: str) -> dict[str, Any]:
    known = [(one[measure], other[measure]) for one, other in pairs if measure in one]
    if not known:
        return {'n': 0}
    before, after = np.array(known).T
    return {'n': len(known), 'before': float(np.median(before)), 'after': float(np.median(after)),
            'gain': asdict(median_with_interval(after - before))}
