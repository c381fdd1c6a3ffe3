"""Recorded pictures with their times, and those of them that fall on a model's clock."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.core.stream import LONGEST_GAP_SECS
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.given_drags import GivenDrags

NS = 1_000_000_000
SMALLEST_PX = 16
MANY_MISSING = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Shot:
    """One recorded picture; decode gives it as (H, W, 3) uint8 RGB, or raises DragStreamError."""

    stamp_ns: int
    decode: Callable[[], np.ndarray]


class Footage(Protocol):
    """One camera of one recording, read from the beginning to the end, never kept.

    notes: what a reader of the results should know of it. problems: what could not be read of it.
    Both are whole sentences, and complete when all shots have been given.
    duration_secs: nearly; it is for telling how long the work will take.
    """

    path: pathlib.Path
    name: str
    notes: list[str]
    problems: list[str]
    duration_secs: float

    def shots(self) -> Iterator[Shot]:
        """Give the pictures in the order they were recorded; raises FootageError."""
        ...

    def recorded_drags(self) -> GivenDrags:
        """What operators dragged in the meantime; raises FootageError where nobody did."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelShot:
    """A picture at a tick of the model's clock, fitted into the model's frame.

    run: grows by one wherever the recording has a hole or its clock jumps back.
    at_ns: the tick's time, by the recording's stamps. secs: since the first picture; the time goes
    on where the stamps jump back.
    pixels: (H, W, 3) uint8 RGB with letterbox bars; None where no picture was recorded in time.
    """

    run: int
    at_ns: int
    secs: float
    pixels: np.ndarray | None
    letterbox: Letterbox | None


class ModelClock:
    """Picks, for each tick of a model's clock, the shot that is nearest to it.

    Only what is picked is decoded. Two shots are held at a time.
    """

    def __init__(
        self, footage: Footage, *, period_secs: float, model_size: tuple[int, int]
    ) -> None:
        self._footage = footage
        self._period_ns = round(period_secs * NS)
        self._model_size = model_size
        self._n_undecodable = 0
        self._first_complaint = ''

    def ticks(self) -> Iterator[ModelShot]:
        """Give every tick of every run, in order; raises FootageError."""
        last: ModelShot | None = None
        n_ticks = n_missing = 0
        for run, shots in enumerate(_runs(self._footage.shots())):
            for shot in self._ticks_of_run(run, shots, last):
                last = shot
                n_ticks, n_missing = n_ticks + 1, n_missing + (shot.pixels is None)
                yield shot
        if n_missing > MANY_MISSING * n_ticks:
            self._footage.notes.append(
                f'Of the pictures that the model wants, one every {self._period_ns / NS:g} s, '
                f'{100 * n_missing / n_ticks:.0f} % were not recorded in time.')
        if self._n_undecodable:
            self._footage.problems.append(
                f'{self._n_undecodable} pictures could not be decoded and were left out; the first '
                f'said: {self._first_complaint}')

    def _ticks_of_run(
        self, run: int, shots: Iterator[Shot], last: ModelShot | None
    ) -> Iterator[ModelShot]:
        before = next(shots)
        start_ns = at_ns = before.stamp_ns
        start_secs = 0.0
        if last is not None:
            start_secs = last.secs + max(start_ns - last.at_ns, self._period_ns) / NS
        for shot in itertools.chain([before], shots):
            while at_ns <= shot.stamp_ns:
                nearest = min(before, shot, key=lambda found: abs(found.stamp_ns - at_ns))
                is_near = abs(nearest.stamp_ns - at_ns) <= self._period_ns / 2
                pixels, letterbox = self._fit(nearest) if is_near else (None, None)
                yield ModelShot(
                    run=run, at_ns=at_ns, secs=start_secs + (at_ns - start_ns) / NS,
                    pixels=pixels, letterbox=letterbox)
                at_ns += self._period_ns
            before = shot

    def _fit(self, shot: Shot) -> tuple[np.ndarray | None, Letterbox | None]:
        try:
            picture = shot.decode()
        except DragStreamError as error:
            self._n_undecodable += 1
            self._first_complaint = self._first_complaint or error.sentence
            return None, None
        size = picture.shape[1], picture.shape[0]
        if min(size) < SMALLEST_PX:
            raise FootageError(
                f'{self._footage.name} has pictures of {size[0]}x{size[1]} pixels, on which '
                f'nothing can be judged; they must have {SMALLEST_PX} or more each way.')
        letterbox = Letterbox(size, self._model_size)
        return letterbox.apply(picture), letterbox


def _runs(shots: Iterator[Shot]) -> Iterator[Iterator[Shot]]:
    """Split at holes and where the clock jumps back; what repeats a stamp is left out."""
    waiting = next(shots, None)

    def run() -> Iterator[Shot]:
        nonlocal waiting
        before = waiting
        assert before is not None
        yield before
        while (waiting := next(shots, None)) is not None:
            elapsed_secs = (waiting.stamp_ns - before.stamp_ns) / NS
            if elapsed_secs == 0:
                continue
            if not 0 < elapsed_secs <= LONGEST_GAP_SECS:
                return
            before = waiting
            yield before

    while waiting is not None:
        yield run()
