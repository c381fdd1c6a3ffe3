"""Shows how a run goes: a few lines that are redrawn on a terminal, one line at times elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from dragstream_ros.evaluation.recording import Recording

PLAIN_EVERY_SECS = 5.0
BAR_CELLS = 28


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """How a run went for a while.

    latencies_ms: median and 95th percentile, from a camera image's arrival at the predictor to the
    first frame that is predicted from it; None where there is none.
    """

    camera_hz: float
    predicted_secs_per_sec: float
    latencies_ms: tuple[float, float] | None

    @classmethod
    def of(cls, recording: Recording, since_ns: int, now_ns: int) -> Vitals:
        """Look at what arrived in a recording between two moments."""
        def is_inside(arrival_ns: int) -> bool:
            return since_ns < arrival_ns <= now_ns

        secs = (now_ns - since_ns) / 1e9
        predicted_secs = sum(
            _period_secs(found.offsets_secs)
            * int(np.sum((found.arrivals_ns > since_ns) & (found.arrivals_ns <= now_ns)))
            for found in recording.predictions.values())
        latencies = [
            latency.secs for latency in recording.latencies if is_inside(latency.arrival_ns)]
        p50, p95 = np.percentile(latencies, [50, 95]) * 1e3 if latencies else (0.0, 0.0)
        return cls(
            camera_hz=sum(is_inside(frame.arrival_ns) for frame in recording.camera) / secs,
            predicted_secs_per_sec=predicted_secs / secs,
            latencies_ms=(float(p50), float(p95)) if latencies else None,
        )

    @property
    def latency_text(self) -> str:
        if self.latencies_ms is None:
            return '-'
        return f'p50 {self.latencies_ms[0]:.0f} ms, p95 {self.latencies_ms[1]:.0f} ms'


class Progress:
    """Draws lines over the last ones on a terminal; elsewhere the first one, now and then."""

    def __init__(self, stream: TextIO) -> None:
        """Write to stream; what it is decides how."""
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._n_drawn = 0
        self._said_at = -PLAIN_EVERY_SECS

    def show(self, lines: Sequence[str], *, plain: str) -> None:
        """Draw lines on a terminal, or say plain if nothing was said for a while."""
        if self._is_terminal:
            up = f'\x1b[{self._n_drawn}A' if self._n_drawn else ''
            width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be redrawn
            self._stream.write(up + ''.join(f'\x1b[2K{line[:width]}\n' for line in lines))
            self._n_drawn = len(lines)
        elif time.monotonic() - self._said_at >= PLAIN_EVERY_SECS:
            self._said_at = time.monotonic()
            self._stream.write(plain + '\n')
        self._stream.flush()

    def finish(self) -> None:
        """Leave the lines where they are; the next ones come below."""
        self._n_drawn = 0
        self._said_at = -PLAIN_EVERY_SECS


def bar(share: float) -> str:
    """A bar for a share of 0 to 1."""
    n_full = round(BAR_CELLS * min(max(share, 0.0), 1.0))
    return '[' + '#' * n_full + '.' * (BAR_CELLS - n_full) + ']'


def _period_secs(offsets_secs: np.ndarray) -> float:
    return float(offsets_secs[1] - offsets_secs[0]) if len(offsets_secs) > 1 else 0.0
