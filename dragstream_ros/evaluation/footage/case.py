"""One start: predicted with and without the drag, and scored against what came."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragMode, position_at
from dragstream_ros.core.rollout import Control
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.footage.observed_drags import observe_drags
from dragstream_ros.evaluation.footage.score import Scorer, Scores
from dragstream_ros.evaluation.footage.strip import draw_strip
from dragstream_ros.evaluation.footage.windows import Window
from dragstream_ros.evaluation.footage.yardsticks import constant_flow, copy_last
from dragstream_ros.evaluation.machine import peak_resident_bytes
from dragstream_ros.evaluation.whole_latents import through_autoencoder, whole_length
from dragstream_ros.masks.touched_region import touched_region

DIGITS = 5      # of what is written; the last bits of a float say nothing


@dataclass(frozen=True, kw_only=True)
class Task:
    """A start to be judged.

    key: names it. command: what is dragged, in the model's pixels; None: to be found in the motion.
    """

    key: str
    footage: str
    window: Window
    command: DragCommand | None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdict on a start.

    case: plain data, the same for the same input. timing: plain data, how long it took, ms.
    strip: a WebP picture (see strip.py).
    """

    key: str
    case: dict[str, Any]
    timing: dict[str, Any]
    strip: bytes


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """How predictions are made."""

    control: Control = 'conditioned'
    profile: str = 'fast'
    seed: int = 0


class Judge:
    """Predicts and scores, one start after the other."""

    def __init__(self, world_model: WorldModel, config: JudgeConfig) -> None:
        self.world_model, self._config = world_model, config

    def judge(self, task: Task) -> Judged:
        """Judge one start; the same task gives the same case."""
        window = task.window
        box = window.letterbox
        newest = box.crop(window.past[-1])
        future = [None if picture is None else box.crop(picture) for picture in window.future]
        command = task.command or self._observed(window, newest, future)
        predictions, drifts, timing = self._predict(window, command)
        frames = {name: box.crop(pictures) for name, pictures in predictions.items()}
        before = box.crop(window.past[-2]) if len(window.past) > 1 else newest
        frames['copy_last'] = copy_last(newest, len(future))
        frames['constant_flow'] = constant_flow(before, newest, len(future))
        frames['autoencoder'] = self._through_autoencoder(window)

        ways_px = self._ways_px(window, command)
        scorer = Scorer(newest, future, ways_px)
        scores = {name: scorer.score(pictures) for name, pictures in frames.items()}
        for name, drift in drifts.items():
            scores[name]['drift'] = drift
        shown = 'undragged' if command is None else 'dragged'
        case = {
            'key': task.key,
            'footage': task.footage,
            'number': window.number,
            'start_secs': round(window.start_secs, DIGITS),
            'stamp_ns': window.past_ns[-1],
            'shown': shown,
            'psnr_db': _rounded(float(np.nanmean(scores[shown]['psnr_db']))),
            'picture_size': list(box.content_size),
            'handles': [{'asked_px': np.round(way, 2).tolist()} for way in ways_px],
            'scores': {name: _rounded_scores(found) for name, found in scores.items()},
        }
        timing['peak_memory_mb'] = round(peak_resident_bytes() / 1e6)
        return Judged(key=task.key, case=case, timing=timing,
                      strip=draw_strip([future, frames.get('dragged'), frames['undragged']]))

    def _observed(self, window: Window, newest: np.ndarray,
                  future: Sequence[np.ndarray | None]) -> DragCommand | None:
        """A drag of what moves, None where nothing does."""
        period_secs = self.world_model.frame_period_secs
        handles = observe_drags(newest, future, period_secs=period_secs)
        if not handles:
            return None
        corner = _corner_px(window)
        return DragCommand(
            drag_id='observed', operator_id='', mode=DragMode.ANIMATE,
            handles=tuple(replace(x, path_px=x.path_px + corner) for x in handles),
            image_size=window.letterbox.target_size, stamp_ns=window.past_ns[-1],
            duration_secs=len(future) * period_secs)

    def _ways_px(self, window: Window, command: DragCommand | None) -> np.ndarray:
        """(handles, 1 + T, 2): where each handle is, and shall be, in pixels of the content."""
        if command is None:
            return np.zeros((0, len(window.future) + 1, 2))
        times_secs = self.world_model.frame_period_secs * np.arange(len(window.future) + 1)
        return np.array([
            [position_at(handle, secs, command.duration_secs) for secs in times_secs]
            for handle in command.handles]) - _corner_px(window)

    def _predict(self, window: Window, command: DragCommand | None) -> tuple[
            dict[str, np.ndarray], dict[str, list[float]], dict[str, Any]]:
        """Frames and drift a frame, by system, and how long it took."""
        count = len(window.future)
        config = self._config
        stream = DragStream(
            self.world_model, self.world_model.profiles[config.profile],
            StreamConfig(control=config.control, seed=config.seed,
                         horizon_secs=count * self.world_model.frame_period_secs),
            grow=touched_region)
        started = time.perf_counter()
        # As many as end with the newest one, or the model would start from one before it.
        known = whole_length(len(window.past), self.world_model.frames_per_latent)
        stream.reset(window.past[-known:], window.past_ns[-known:])
        timing: dict[str, Any] = {'observe_ms': _ms_since(started) / known}
        frames, drifts = {}, {}
        systems = {'undragged': None} if command is None else {
            'dragged': command, 'undragged': None}
        for name, drag in systems.items():
            twin = stream.branch()
            if drag is not None:
                twin.push_drag(drag)
            started = time.perf_counter()
            chunks, ready_ms = [], []
            while (chunk := twin.step()) is not None:
                chunks.append(chunk)
                ready_ms.append(_ms_since(started))
            frames[name] = np.concatenate([chunk.frames for chunk in chunks])[:count]
            drifts[name] = [chunk.drift for chunk in chunks for _ in chunk.frames][:count]
            timing[name] = {'first_chunk_ms': ready_ms[0], 'horizon_ms': ready_ms[-1]}
        return frames, drifts, timing

    def _through_autoencoder(self, window: Window) -> np.ndarray:
        """What came, as well as the model can show it; a missing picture as the one before."""
        pictures, last = [], window.past[-1]
        for picture in window.future:
            last = last if picture is None else picture
            pictures.append(last)
        return window.letterbox.crop(through_autoencoder(self.world_model, np.stack(pictures)))


def _corner_px(window: Window) -> np.ndarray:
    """Where the content begins in the model's picture."""
    return np.array(window.letterbox.content_box[:2], np.float64)


def _rounded_scores(scores: Scores) -> dict[str, list[float | None]]:
    return {name: [_rounded(value) for value in values] for name, values in scores.items()}


def _rounded(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3
