"""One run over all footage: windows out, verdicts in, and the files at the end."""

from __future__ import annotations

import pathlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TextIO

import numpy as np

import dragstream_ros
from dragstream_ros.core.drag import DragCommand
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.footage.case import JudgeConfig, Task
from dragstream_ros.evaluation.footage.crew import Crew, ModelFace
from dragstream_ros.evaluation.footage.drag_files import read_drags
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.given_drags import GivenDrags
from dragstream_ros.evaluation.footage.open_footage import sha256_of
from dragstream_ros.evaluation.footage.parquet_table import parquet_table
from dragstream_ros.evaluation.footage.ray_crew import RayCrew
from dragstream_ros.evaluation.footage.report.render import render_report
from dragstream_ros.evaluation.footage.result_folder import ResultFolder
from dragstream_ros.evaluation.footage.shots import Footage, ModelClock
from dragstream_ros.evaluation.footage.summary import summarise
from dragstream_ros.evaluation.footage.windows import Window, WindowConfig, Windows
from dragstream_ros.evaluation.machine import (
    describe_code,
    describe_machine,
    peak_resident_bytes,
)
from dragstream_ros.evaluation.metrics import percentiles
from dragstream_ros.evaluation.progress import Progress, bar
from dragstream_ros.world_models.tabletop.model import NAME, WEIGHTS

OBSERVED, RECORDED = 'observed', 'recorded'     # where drags come from, if not from a file


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """All that the numbers depend on, apart from footage and weights.

    drags: OBSERVED, RECORDED, or a file.
    """

    world_model: str = NAME
    drags: str = OBSERVED
    image_topic: str = ''
    video_rate_hz: float | None = None
    window: WindowConfig = field(default_factory=WindowConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)


class Evaluation:
    """Judges all footage with a crew, and writes results.json, timing.json and report.html."""

    def __init__(
        self, config: EvaluationConfig, footage: Sequence[Footage], *, weights: str,
        output: pathlib.Path, resume: bool, out: TextIO,
    ) -> None:
        """Look at the footage and make or open the folder; raises EvaluationError."""
        self._config, self._out = config, out
        self._footage = dict(zip(_unlike(found.name for found in footage), footage))
        self._drags = self._given_drags()
        self._say('Reading the footage once, for its hash ...')
        self._question: dict[str, Any] = {
            'version': dragstream_ros.__version__,
            'config': asdict(config),
            'drags': {name: drags.described() for name, drags in self._drags.items()},
            'weights_sha256': _weights_sha256(config.world_model, weights),
            'weights_are_bundled': not weights and config.world_model == NAME,
            'footage': {name: sha256_of(found.path) for name, found in self._footage.items()}}
        self._folder = ResultFolder(output, question=self._question, resume=resume)
        self._progress = Progress(out)

    def run(self, crew: Crew | RayCrew) -> tuple[dict[str, Any], list[str]]:
        """Judge what is not done yet, and write the files.

        :returns: the summary over all footage, and what could not be read, in whole sentences
        """
        machine = describe_machine()        # before the work: later, the load is our own
        model = crew.model_face()
        n_expected = sum(self._n_starts(*named) for named in self._footage.items())
        n_before, started = len(self._folder.keys()), time.monotonic()
        for n_new, judged in enumerate(crew.judged(self._tasks(model)), 1):
            self._folder.add(judged)
            self._show(n_before, n_new, max(n_expected, n_before + n_new), started)
        self._progress.finish()
        return self._write_files(machine, model)

    def _given_drags(self) -> dict[str, GivenDrags]:
        """By footage; none where they are to be observed. Footage without drags is left out."""
        source = self._config.drags
        if source == OBSERVED:
            return {}
        if source != RECORDED:
            return dict.fromkeys(self._footage, read_drags(source))
        found = {}
        for name, footage in self._footage.items():
            try:
                found[name] = footage.recorded_drags()
            except FootageError as error:
                footage.problems.append(str(error))
        return found

    def _tasks(self, model: ModelFace) -> Iterator[Task]:
        done = set(self._folder.keys())
        for name, footage in self._footage.items():
            if self._config.drags != OBSERVED and name not in self._drags:
                continue
            try:
                for window in self._windows(name, footage, model):
                    key = f'{name}.{window.number:05d}'
                    if key in done:
                        continue
                    try:
                        command = self._command(name, window)
                    except DragStreamError as error:
                        footage.problems.append(f'A drag was left out: {error}')
                    else:
                        yield Task(key=key, footage=name, window=window, command=command)
            except FootageError as error:
                footage.problems.append(str(error))

    def _windows(self, name: str, footage: Footage, model: ModelFace) -> Iterator[Window]:
        config = self._config.window
        if name in self._drags:
            config = replace(config, at_secs=self._drags[name].at_secs)
        clock = ModelClock(
            footage, period_secs=model.frame_period_secs, model_size=model.image_size)
        n_windows = 0
        for window in Windows(config, period_secs=model.frame_period_secs).cut(clock.ticks()):
            yield window
            n_windows += 1
        n_missed = len(config.at_secs) - n_windows
        if n_missed > 0:
            footage.notes.append(f'Without {config.needed_secs:g} s of pictures around them, '
                                 f'{n_missed} of {len(config.at_secs)} drags were left out.')
        if not n_windows:
            raise FootageError(f'{name} has no {config.needed_secs:g} s of pictures in a row, '
                               'which one start needs' + (' around a drag.' if n_missed else '.'))

    def _command(self, name: str, window: Window) -> DragCommand | None:
        if name not in self._drags:
            return None
        return self._drags[name].command(
            window.due_secs, window.letterbox, stamp_ns=window.past_ns[-1],
            duration_secs=self._config.window.horizon_secs)

    def _write_files(
        self, machine: dict[str, Any], model: ModelFace
    ) -> tuple[dict[str, Any], list[str]]:
        cases = [self._folder.case(key) for key in self._folder.keys()]
        problems = [text for found in self._footage.values() for text in found.problems]
        results: dict[str, Any] = {
            **self._question,
            'frame_period_secs': model.frame_period_secs,
            'summary': summarise(cases),
            'footage': {
                name: {'sha256': self._question['footage'][name], 'notes': found.notes,
                       'problems': found.problems,
                       'summary': summarise([x for x in cases if x['footage'] == name])}
                for name, found in self._footage.items()},
            'starts': cases}
        timings = list(self._folder.timings())
        timing = {
            'machine': machine,
            **describe_code(),
            'latency_ms': _latencies(timings),
            'peak_memory_mb': {
                'reading': round(peak_resident_bytes() / 1e6),
                'judging': max((found['peak_memory_mb'] for found in timings), default=0)},
            'starts': timings}
        if not cases:
            raise FootageError(' '.join(problems))
        for problem in problems:
            self._say(problem)
        paths = [
            self._folder.write('results.json', results),
            self._folder.write('timing.json', timing),
            self._folder.write('report.html', render_report(
                results, timing, self._folder.strips()))]
        table = parquet_table(cases, period_secs=model.frame_period_secs)
        if table is not None:
            paths.append(self._folder.write('starts.parquet', table))
        self._say(f'{len(cases)} starts judged: ' + ', '.join(map(str, paths)))
        return results['summary'], problems

    def _n_starts(self, name: str, footage: Footage) -> int:
        window = self._config.window
        if self._config.drags != OBSERVED:
            return len(self._drags[name].at_secs) if name in self._drags else 0
        return max(0, int((footage.duration_secs - window.needed_secs) / window.every_secs) + 1)

    def _show(self, n_before: int, n_new: int, n_all: int, started: float) -> None:
        done = n_before + n_new
        left_secs = (time.monotonic() - started) / n_new * (n_all - done)
        text = f'{done} of {n_all} starts, {_duration(left_secs)} left'
        self._progress.show([f'{bar(done / n_all)} {text}'], plain=text)

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def _unlike(names: Iterator[str]) -> Iterator[str]:
    """The names, numbered where they repeat."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f'{name}-{seen[name]}'


def _weights_sha256(world_model: str, weights: str) -> str | None:
    """Of the folder's files; None for a model that was given no folder and is not the bundled."""
    if weights:
        return sha256_of(pathlib.Path(weights))
    return sha256_of(WEIGHTS / f'{NAME}.safetensors') if world_model == NAME else None


def _latencies(timings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Percentiles by what was waited for."""
    found: dict[str, list[float]] = {}
    for timing in timings:
        for system in ('dragged', 'undragged'):
            for name, value in timing.get(system, {}).items():
                found.setdefault(f'{system}_{name}', []).append(value)
        found.setdefault('observe_ms', []).append(timing['observe_ms'])
    return {name: {**percentiles(values), 'p99': float(np.percentile(values, 99))}
            for name, values in found.items()}


def _duration(secs: float) -> str:
    minutes, secs = divmod(round(secs), 60)
    return f'{minutes} min {secs:02d} s' if minutes else f'{secs} s'
