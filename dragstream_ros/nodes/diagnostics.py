"""What /diagnostics says about the predictor: counted and timed here, published once a second."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import TypeVar

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from dragstream_ros.errors import ErrorCode
from dragstream_ros.nodes.playback import Shown
from dragstream_ros.worker.mailbox import RawFrame
from dragstream_ros.worker.protocol import Chunk, Speed, Stats

WINDOW_SECS = 10.0
SILENT_SECS = 2.0  # without an image until the status is WARN
Callback = TypeVar('Callback', bound=Callable[..., object])


class Rate:
    """How often something happened per second, over the last WINDOW_SECS."""

    def __init__(self) -> None:
        self._times_secs: deque[float] = deque()
        self._since_secs: float | None = None

    def tick(self, now_secs: float, count: int = 1) -> None:
        """It happened, count times."""
        if self._since_secs is None:
            self._since_secs = now_secs
        self._times_secs.extend([now_secs] * count)

    def per_second(self, now_secs: float) -> float:
        """Events per second; 0 before the first."""
        if self._since_secs is None:
            return 0.0
        while self._times_secs and self._times_secs[0] < now_secs - WINDOW_SECS:
            self._times_secs.popleft()
        return len(self._times_secs) / min(max(now_secs - self._since_secs, 1.0), WINDOW_SECS)


class Statistics:
    """Everything that is counted and timed, by time.monotonic()."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.worker_stats: Stats | None = None
        self.speed: Speed | None = None  # of the worker's timed pass
        self._errors: Counter[ErrorCode] = Counter()
        self._images = Rate()
        self._chunks = Rate()
        self._frames_shown = Rate()
        self._predicted_tenths = Rate()  # of a second: events are whole numbers
        self._put_secs = 0.0
        self._latencies_secs: deque[float] = deque(maxlen=500)
        self._ros_secs: deque[float] = deque(maxlen=500)
        self._longest_secs: dict[str, float] = {}  # callbacks, since the start
        self._recent_secs: dict[str, float] = {}  # callbacks, since the last report
        self._image_arrival_secs: float | None = None
        self._newest_chunk: Chunk | None = None

    def timed(self, name: str, callback: Callback) -> Callback:
        """The callback, with the time it takes measured."""
        def run(*arguments: object) -> object:
            started = time.perf_counter()
            try:
                return callback(*arguments)
            finally:
                took = time.perf_counter() - started
                for longest in (self._longest_secs, self._recent_secs):
                    longest[name] = max(longest.get(name, 0.0), took)

        return run  # type: ignore[return-value]

    def count_error(self, code: ErrorCode) -> None:
        """Something was wrong."""
        self._errors[code] += 1

    def got_image(self, frame: RawFrame) -> None:
        """A camera image was handed to the worker."""
        now = time.monotonic()
        self._image_arrival_secs = now
        self._put_secs = now - frame.arrival_ns / 1e9
        self._images.tick(now)

    def got_chunk(self, chunk: Chunk, frame_period_secs: float) -> None:
        """A predicted chunk was handed on."""
        now = time.monotonic()
        self._newest_chunk = chunk
        self._chunks.tick(now)
        self._predicted_tenths.tick(now, round(10.0 * len(chunk.frames) * frame_period_secs))
        self._ros_secs.append(self._put_secs + now - chunk.sent_ns / 1e9)

    def showed(self, shown: Shown, latency_secs: float) -> None:
        """A predicted frame was published."""
        self._frames_shown.tick(time.monotonic())
        if shown.index == shown.chunk.chunk_index == 0:
            self._latencies_secs.append(latency_secs)

    def report(self, name: str, values: Mapping[str, object]) -> DiagnosticStatus:
        """These values and all that was counted, with OK, WARN or ERROR and one sentence."""
        now = time.monotonic()
        chunk, worker = self._newest_chunk, self.worker_stats
        lines: dict[str, object] = {
            **values,
            'camera images per s': self._images.per_second(now),
            'age of newest image, s': _age(now, self._image_arrival_secs),
            'possible s per s, undragged': self.speed.undragged if self.speed else 'not measured',
            'possible s per s, dragged': self.speed.dragged if self.speed else 'not measured',
            'predicted s per s': self._predicted_tenths.per_second(now) / 10.0,
            'chunks per s': self._chunks.per_second(now),
            'frames shown per s': self._frames_shown.per_second(now),
            'age of newest prediction, s': _age(now, chunk.sent_ns / 1e9 if chunk else None),
            **_percentiles('latency from image to prediction', self._latencies_secs),
            **_percentiles("ROS's part of the latency", self._ros_secs),
            'drift': chunk.drift if chunk else 0.0,
            'scene is strange to the model': chunk.is_strange if chunk else False,
            'context, MB': worker.context_bytes / 1e6 if worker else 0.0,
            'dropped: image replaced by a newer one': worker.n_replaced if worker else 0,
            **{f'dropped: {cause}': count for cause, count in sorted(self.drops.items())},
            **{f'error {code.name}': count for code, count in sorted(self._errors.items())},
            'longest callback, ms': 1e3 * max(self._longest_secs.values(), default=0.0),
        }
        for step, secs in chunk.timings_secs.items() if chunk else ():
            lines[f'newest chunk: {step}, ms'] = 1e3 * secs
        for callback, secs in sorted(self._recent_secs.items()):
            lines[f'callback {callback}, ms'] = 1e3 * secs
        self._recent_secs.clear()
        level, sentence = self._level(now, values)
        return DiagnosticStatus(
            level=level, name=name, message=sentence,
            values=[KeyValue(key=key, value=_text(value)) for key, value in lines.items()])

    def _level(self, now: float, values: Mapping[str, object]) -> tuple[bytes, str]:
        if values['lifecycle'] != 'active':
            return DiagnosticStatus.OK, f'The predictor is {values["lifecycle"]}.'
        if values['worker'] != 'running':
            return DiagnosticStatus.ERROR, f'The worker is {values["worker"]}.'
        if self._image_arrival_secs is None:
            return DiagnosticStatus.WARN, 'No camera image has come yet.'
        if now - self._image_arrival_secs > SILENT_SECS:
            return DiagnosticStatus.WARN, 'Camera images have stopped coming.'
        if self._newest_chunk is None:
            return DiagnosticStatus.WARN, 'Nothing has been predicted yet.'
        if self.speed is not None and self.speed.undragged < 1.0:
            return DiagnosticStatus.WARN, 'Predicting, slower than real time.'
        if self._newest_chunk.is_strange:
            return DiagnosticStatus.OK, ('Predicting what is dragged alone: the world model does '
                                         'not know this scene.')
        return DiagnosticStatus.OK, 'Predicting.'


def _percentiles(name: str, secs: deque[float]) -> dict[str, float]:
    ranked = sorted(secs)
    return {
        f'{name} p{percent}, ms': 1e3 * ranked[(len(ranked) - 1) * percent // 100]
        for percent in (50, 95, 99) if ranked
    }


def _age(now: float, then: float | None) -> float | str:
    return 'never' if then is None else now - then


def _text(value: object) -> str:
    return f'{value:.3f}' if isinstance(value, float) else str(value)
