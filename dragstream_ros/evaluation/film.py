"""The film of a run: the camera, what was predicted for a moment ahead, and what came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.evaluation.drawing import (
    ACCENTS,
    INK,
    LINE,
    MUTED,
    Box,
    blank,
    draw_path,
    draw_target,
    draw_text,
    in_box,
    paste,
    shares,
)
from dragstream_ros.evaluation.recording import Prediction, Recording

LEAD_SECS = 0.5
HELD_SECS = 1.0  # how long an old prediction is shown after its last moment, before "none"


@dataclass(frozen=True, kw_only=True)
class FilmLayout:
    """Where everything is, px: three panels side by side. Codecs want an even width and height."""

    panel_width: int = 320
    panel_height: int = 320
    margin: int = 20
    gap: int = 10
    header_height: int = 48
    footer_height: int = 52

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        last = self.panel(2)
        width, height = last.right + self.margin, last.bottom + self.footer_height
        return width + width % 2, height + height % 2

    def panel(self, column: int) -> Box:
        """0: camera, 1: prediction, 2: camera, later."""
        x = self.margin + column * (self.panel_width + self.gap)
        return Box(x, self.header_height, self.panel_width, self.panel_height)


class Film:
    """Draws the pictures of a recording's film, on the clock of the recording's arrivals."""

    def __init__(self, recording: Recording, *, lead_secs: float = LEAD_SECS) -> None:
        """Look at a finished recording, which must hold camera frames.

        :param lead_secs: how far ahead of the camera the prediction is shown
        """
        self._recording = recording
        self._lead_ns = round(lead_secs * 1e9)
        self._arrivals_ns = [frame.arrival_ns for frame in recording.camera]
        self._predictions = sorted(
            recording.predictions.values(), key=lambda found: int(found.arrivals_ns[0]))
        height, width = recording.camera[0].rgb().shape[:2]
        self.layout = FilmLayout(panel_height=round(FilmLayout.panel_width * height / width))
        lead = f'{lead_secs:g} s'
        # From the first prediction on, for as long as there is a camera frame to compare with.
        first = self._predictions[0].arrivals_ns[0] if self._predictions else self._arrivals_ns[0]
        self._first_ns = max(int(first), self._arrivals_ns[0])
        self._last_ns = max(self._arrivals_ns[-1] - self._lead_ns, self._first_ns)
        self._titles = ('camera', f'predicted, {lead} ahead', f'camera, {lead} later')

    def n_pictures(self, *, rate_hz: float) -> int:
        """How many pictures there will be at so many per second of the run."""
        return int((self._last_ns - self._first_ns) / 1e9 * rate_hz)

    def pictures(self, *, rate_hz: float) -> Iterator[np.ndarray]:
        """Give (H, W, 3) uint8 RGB pictures, so many per second, from the first prediction on."""
        for number in range(self.n_pictures(rate_hz=rate_hz)):
            yield self.picture(self._first_ns + round(number * 1e9 / rate_hz))

    def picture(self, now_ns: int) -> np.ndarray:
        """Draw the moment now_ns of the recording's arrivals."""
        sheet = blank(*self.layout.size)
        camera = self._recording.camera[max(bisect_right(self._arrivals_ns, now_ns) - 1, 0)]
        later_ns = camera.stamp_ns + self._lead_ns
        boxes = [self.layout.panel(column) for column in range(3)]
        for box, title in zip(boxes, self._titles):
            draw_text(sheet, title, box.x, box.y - 14, height_px=11, bold=True)
        paste(sheet, camera.rgb(), boxes[0])
        prediction, index = self._shown(now_ns, later_ns)
        if prediction is not None:
            paste(sheet, prediction.frames[index], boxes[1])
        else:
            _draw_waiting(sheet, boxes[1])
        later = self._recording.frame_at(later_ns, within_secs=0.1)
        if later is not None:
            paste(sheet, later.rgb(), boxes[2])
        else:
            _draw_waiting(sheet, boxes[2])
        command = self._drag_at(now_ns)
        if command is not None:
            for handle in command.handles:
                draw_path(sheet, in_box(shares(handle.path_px, command.image_size), boxes[0]))
        if prediction is not None:
            size = prediction.frames.shape[2], prediction.frames.shape[1]
            for target in shares(prediction.tracks_px[:, index], size):
                draw_target(sheet, in_box(target, boxes[1]))
        self._draw_footer(sheet, prediction, command)
        return sheet

    def _shown(self, now_ns: int, moment_ns: int) -> tuple[Prediction | None, int]:
        """The newest prediction that had reached the moment by now, and its frame of then.

        If none had, the newest goes as far as it got.
        """
        started = [
            found for found in self._predictions if found.arrivals_ns[0] <= now_ns][-4:]
        for prediction in reversed(started):
            arrived = int(np.sum(prediction.arrivals_ns <= now_ns))
            offset_secs = (moment_ns - prediction.source_stamp_ns) / 1e9
            if prediction.offsets_secs[arrived - 1] >= offset_secs - 0.05:
                return prediction, prediction.index_at(offset_secs)
        if not started:
            return None, 0
        newest = started[-1]
        last = int(np.sum(newest.arrivals_ns <= now_ns)) - 1
        until_ns = newest.source_stamp_ns + round((newest.offsets_secs[last] + HELD_SECS) * 1e9)
        return (newest, last) if moment_ns <= until_ns else (None, 0)

    def _drag_at(self, now_ns: int) -> DragCommand | None:
        before = [drag for drag in self._recording.drags if drag.arrival_ns <= now_ns]
        return before[-1].command if before else None

    def _draw_footer(
        self, sheet: np.ndarray, prediction: Prediction | None, command: DragCommand | None
    ) -> None:
        baseline = self.layout.size[1] - self.layout.footer_height / 2 + 8
        section = prediction.section if prediction is not None else ''
        state = 'no drag' if command is None else f'dragging: {section}'
        colour = MUTED if command is None else ACCENTS.get(section, INK)
        draw_text(sheet, state, self.layout.margin, baseline, height_px=12, colour=colour,
                  bold=True)
        if prediction is not None:
            latency_secs = (prediction.arrivals_ns[0] - self._arrival_of(prediction)) / 1e9
            draw_text(sheet, f'first frame {1000 * latency_secs:.0f} ms after its image',
                      self.layout.size[0] - self.layout.margin, baseline, height_px=10,
                      colour=MUTED, align='right')

    def _arrival_of(self, prediction: Prediction) -> int:
        source = self._recording.frame_at(prediction.source_stamp_ns, within_secs=1.0)
        return source.arrival_ns if source is not None else int(prediction.arrivals_ns[0])


def _draw_waiting(sheet: np.ndarray, box: Box) -> None:
    sheet[box.y:box.bottom, box.x:box.right] = LINE
    draw_text(sheet, 'none yet', box.x + box.width / 2, box.y + box.height / 2, height_px=11,
              colour=MUTED, align='centre')
