"""The moments from which predictions are made: a little past, and the future that really came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.evaluation.footage.shots import ModelShot

LEAST_PAST_SHARE = 0.4      # of the past's ticks that must have a picture
BLANK_BELOW_LEVELS = 4.0    # standard deviation of a picture that shows nothing


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """When predictions start and how much of the recording belongs to one.

    every_secs: from one start to the next. past_secs: shown to the model before it predicts.
    at_secs: the starts since the footage's first picture, rising, instead of every_secs.
    """

    every_secs: float = 1.0
    past_secs: float = 1.0
    horizon_secs: float = 2.0
    at_secs: tuple[float, ...] = ()

    @property
    def needed_secs(self) -> float:
        """Of pictures in a row, for one start."""
        return self.past_secs + self.horizon_secs


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """One start.

    number: counts the starts of the footage. start_secs: since the footage's first picture.
    due_secs: when it should have been; a start waits for a good picture.
    past: (P, H, W, 3) uint8 RGB with letterbox bars, the newest last, and its times past_ns.
    future: one picture per tick of the horizon, None where none was recorded.
    """

    number: int
    start_secs: float
    due_secs: float
    past: np.ndarray
    past_ns: tuple[int, ...]
    future: tuple[np.ndarray | None, ...]
    letterbox: Letterbox


class Windows:
    """Cuts windows out of a stream of pictures; holds one window's pictures at a time.

    A start that falls on a missing or a blank picture waits for the next good one.
    """

    def __init__(self, config: WindowConfig, *, period_secs: float) -> None:
        self._config, self._period_secs = config, period_secs
        self._n_past = max(1, round(config.past_secs / period_secs))
        self._n_future = max(1, round(config.horizon_secs / period_secs))

    def cut(self, shots: Iterable[ModelShot]) -> Iterator[Window]:
        """Give the windows of pictures that come tick by tick."""
        kept: deque[ModelShot] = deque(maxlen=self._n_past + self._n_future)
        planned = iter(self._config.at_secs)
        number, due_secs = 0, next(planned, 0.0)
        for shot in shots:
            if not kept or kept[-1].run != shot.run:
                kept.clear()
                due_secs = due_secs if self._config.at_secs else shot.secs + self._config.past_secs
            kept.append(shot)
            start = len(kept) - self._n_future - 1
            if start < 0 or kept[start].secs < due_secs - self._period_secs / 2:
                continue
            window = self._window(list(kept), start, number, due_secs)
            if window is None:
                continue
            yield window
            number += 1
            due_secs = (next(planned, float('inf')) if self._config.at_secs
                        else window.start_secs + self._config.every_secs)

    def _window(
        self, shots: list[ModelShot], start: int, number: int, due_secs: float
    ) -> Window | None:
        newest = shots[start]
        if newest.pixels is None or newest.letterbox is None:
            return None
        if newest.letterbox.crop(newest.pixels).std() < BLANK_BELOW_LEVELS:
            return None
        alike = [
            shot.pixels if shot.letterbox == newest.letterbox else None for shot in shots]
        past = [(pixels, shot.at_ns) for pixels, shot in zip(alike[:start + 1], shots)
                if pixels is not None]
        if len(past) < LEAST_PAST_SHARE * self._n_past:
            return None
        return Window(
            number=number, start_secs=newest.secs, due_secs=due_secs,
            past=np.stack([pixels for pixels, _ in past]),
            past_ns=tuple(at_ns for _, at_ns in past), future=tuple(alike[start + 1:]),
            letterbox=newest.letterbox)
