"""A world model and a stream without torch: 'predicts' by shifting the newest frame along the drag.

Chosen with the world model name 'stub_world_model:load'. It does what its drag's id tells it to do,
so that tests can ask for trouble: 'crash' kills the worker, 'hang' never returns, 'lost' is lost,
'slow' takes half a second per chunk, 'brisk' a fiftieth.
"""

from __future__ import annotations

import os
import pathlib
import signal
import time
from dataclasses import dataclass, field

import numpy as np

from dragstream_ros.core.drag import DragCommand, poses_at, position_at
from dragstream_ros.core.pose import Pose
from dragstream_ros.errors import DragStreamError, ErrorCode

IMAGE_SIZE = (64, 64)
FRAME_PERIOD_SECS = 0.1
FRAMES_PER_CHUNK = 4


class StubWorldModel:
    image_size = IMAGE_SIZE
    frame_period_secs = FRAME_PERIOD_SECS
    frames_per_chunk = FRAMES_PER_CHUNK

    def make_stream(self, settings, locate) -> StubStream:
        return StubStream(settings.anchor_rate_hz, settings.horizon_secs, locate)


def load(folder: pathlib.Path | None) -> StubWorldModel:
    """Load; a folder that is named must hold a file 'weights' that says 'good'."""
    if folder is not None:
        file = folder / 'weights'
        if not file.is_file():
            raise DragStreamError(ErrorCode.WEIGHTS_MISSING, f'There is no {file}.')
        if file.read_text() != 'good':
            raise DragStreamError(ErrorCode.WEIGHTS_UNREADABLE, f'{file} is not good.')
    return StubWorldModel()


@dataclass
class StubChunk:
    frames: np.ndarray
    offsets_secs: np.ndarray
    tracks_px: np.ndarray
    confidence: np.ndarray
    source_stamp_ns: int
    epoch: int
    anchor: int
    chunk_index: int
    last: bool
    drag_id: str
    drift: float = 0.0
    is_strange: bool = False
    timings_secs: dict[str, float] = field(default_factory=dict)
    regions: tuple[np.ndarray | None, ...] = ()
    poses: list[list[Pose]] = field(default_factory=list)


class StubStream:
    context_bytes = 1000

    def __init__(self, anchor_rate_hz: float, horizon_secs: float, locate) -> None:
        self._anchor_period_ns = 1e9 / anchor_rate_hz
        self._horizon_secs = horizon_secs
        self._locate = locate
        self._epoch = 0
        self._anchor = -1
        self._newest: tuple[np.ndarray, int] | None = None
        self._source: tuple[np.ndarray, int] | None = None
        self._chunk_index = 0
        self._command: DragCommand | None = None
        self._located: DragCommand | None = None
        self._is_fresh = False

    @property
    def stamp_ns(self) -> int | None:
        return self._newest[1] if self._newest else None

    def observe(self, frame: np.ndarray, stamp_ns: int) -> bool:
        if self._newest and not 0 <= stamp_ns - self._newest[1] <= 0.5e9:
            self._epoch += 1
            self._command = self._source = None
        self._newest = (frame, stamp_ns)
        return True

    def push_drag(self, command: DragCommand) -> None:
        self._command, self._is_fresh = command, True

    def release(self) -> None:
        self._command, self._is_fresh = None, True

    def branch(self, horizon_secs: float | None = None) -> StubStream:
        twin = StubStream(1.0, horizon_secs or self._horizon_secs, self._locate)
        twin._newest, twin._epoch, twin._anchor = self._newest, self._epoch, self._anchor
        return twin

    def step(self) -> StubChunk | None:
        if self._newest is None:
            return None
        is_done = self._chunk_index * FRAMES_PER_CHUNK * FRAME_PERIOD_SECS >= self._horizon_secs
        is_due = self._source and self._newest[1] - self._source[1] >= self._anchor_period_ns
        if self._source is None or self._is_fresh or (is_due and is_done):
            self._start_anchor(self._newest)
        elif is_done:
            return None
        return self._predict()

    def _start_anchor(self, source: tuple[np.ndarray, int]) -> None:
        self._source, self._is_fresh = source, False
        self._anchor, self._chunk_index = self._anchor + 1, 0
        self._located = None
        if self._command is not None:
            misbehave(self._command.drag_id)
            if self._command.drag_id == 'lost':
                self._command = None
                raise DragStreamError(ErrorCode.DRAG_LOST, 'Asked to lose it.')
            self._located = self._locate(self._command, source[1])

    def _predict(self) -> StubChunk:
        assert self._source is not None
        pixels, stamp_ns = self._source
        number = self._chunk_index * FRAMES_PER_CHUNK + 1 + np.arange(FRAMES_PER_CHUNK)
        offsets_secs = number * FRAME_PERIOD_SECS
        command, tracks_px = self._located, np.zeros((0, FRAMES_PER_CHUNK, 2))
        frames = [pixels] * FRAMES_PER_CHUNK
        if command is not None:
            time.sleep({'slow': 0.5, 'brisk': 0.02}.get(command.drag_id, 0.0))
            tracks_px = np.array([
                [position_at(handle, float(t), command.duration_secs) for t in offsets_secs]
                for handle in command.handles
            ])
            moves = np.rint(tracks_px[0] - command.handles[0].path_px[0]).astype(int)
            frames = [np.roll(pixels, (dy, dx), axis=(0, 1)) for dx, dy in moves]
        self._chunk_index += 1
        return StubChunk(
            frames=np.array(frames), offsets_secs=offsets_secs, tracks_px=tracks_px,
            confidence=np.linspace(1.0, 0.5, FRAMES_PER_CHUNK), source_stamp_ns=stamp_ns,
            epoch=self._epoch, anchor=self._anchor, chunk_index=self._chunk_index - 1,
            last=bool(offsets_secs[-1] >= self._horizon_secs - 1e-6),
            drag_id=command.drag_id if command is not None else '',
            regions=tuple(handle.mask for handle in command.handles) if command else (),
            poses=poses_at(command, offsets_secs) if command else [],
        )


def misbehave(drag_id: str) -> None:
    if drag_id == 'crash':
        os.kill(os.getpid(), signal.SIGKILL)
    if drag_id == 'hang':
        time.sleep(3600)
