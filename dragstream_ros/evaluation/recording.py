"""What was seen and predicted in a run, kept for pictures; filled from topics or from a bag."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dragstream_ros.adapters.drag import DragPhase, command_from_drag
from dragstream_ros.adapters.image import (
    array_from_image,
    decode_compressed,
    encode_jpeg,
)
from dragstream_ros.adapters.stamp import ns_from_stamp
from dragstream_ros.core.drag import DragCommand
from dragstream_ros.errors import DragStreamError, ErrorCode

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image

    from dragstream_ros.msg import Drag, PredictedClip, PredictionInfo

LONGEST_SIDE_PX = 640  # kept of a camera frame: pictures for people are no larger
JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraFrame:
    """One camera image, kept small. arrival_ns is on the clock of whoever fills the recording."""

    stamp_ns: int
    arrival_ns: int
    compressed: bytes

    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        return decode_compressed(self.compressed)


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenDrag:
    """A drag as its operator sent it, in camera pixels; command None: released or cancelled."""

    drag_id: str
    arrival_ns: int
    command: DragCommand | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """All frames predicted from one anchor so far.

    section: what the run was doing then, see Recording.begin_section. frames: (N, h, w, 3) uint8
    RGB. offsets_secs: (N,) after source_stamp_ns. arrivals_ns: (N,) int64. tracks_px: (handles, N,
    2) in pixels of the frames, where the drag wanted its handles. is_complete: the horizon was
    reached and no chunk is missing.
    """

    section: str
    epoch: int
    anchor: int
    source_stamp_ns: int
    drag_id: str
    frames: np.ndarray
    offsets_secs: np.ndarray
    arrivals_ns: np.ndarray
    tracks_px: np.ndarray
    n_chunks: int
    is_complete: bool

    def index_at(self, offset_secs: float) -> int:
        """The frame whose moment is nearest."""
        return int(np.argmin(np.abs(self.offsets_secs - offset_secs)))


@dataclass(frozen=True, kw_only=True)
class Latency:
    """From a camera image's arrival at the predictor to the first frame predicted from it."""

    arrival_ns: int
    secs: float


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the predictor complained about, or what is wrong with an image."""

    code: ErrorCode
    sentence: str

    @property
    def is_final(self) -> bool:
        """Nothing will be predicted while this is so."""
        return self.code in (
            ErrorCode.WEIGHTS_MISSING, ErrorCode.WEIGHTS_UNREADABLE, ErrorCode.WEIGHTS_MISMATCH)


@dataclass
class Recording:
    """Messages go in through add_*, in the order in which they arrive."""

    camera: list[CameraFrame] = field(default_factory=list)
    drags: list[SeenDrag] = field(default_factory=list)
    predictions: dict[tuple[int, int], Prediction] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _sections: list[tuple[int, str]] = field(default_factory=lambda: [(0, '')])

    @property
    def section(self) -> str:
        """What the run is doing now."""
        return self._sections[-1][1]

    def begin_section(self, name: str) -> None:
        """Name what is predicted from the next epoch on."""
        newest = max((epoch for epoch, _ in self.predictions), default=-1)
        self._sections.append((newest + 1, name))

    def add_image(self, message: Image, arrival_ns: int) -> None:
        """Keep a camera image; one that cannot be read becomes a problem."""
        try:
            frame = array_from_image(message)
        except DragStreamError as error:
            self.problems.append(Problem(code=error.code, sentence=error.sentence))
            return
        self._add_frame(frame, ns_from_stamp(message.header.stamp), arrival_ns)

    def add_compressed(self, message: CompressedImage, arrival_ns: int) -> None:
        """Keep a compressed camera image."""
        try:
            frame = decode_compressed(memoryview(message.data))
        except DragStreamError as error:
            self.problems.append(Problem(code=error.code, sentence=error.sentence))
            return
        self._add_frame(frame, ns_from_stamp(message.header.stamp), arrival_ns)

    def add_drag(self, message: Drag, arrival_ns: int) -> None:
        """Keep a drag; one that makes no sense is left to the predictor to complain about."""
        command = None
        if message.phase in (DragPhase.BEGIN, DragPhase.UPDATE):
            try:
                command = command_from_drag(message)
            except DragStreamError:
                return
        self.drags.append(SeenDrag(
            drag_id=message.drag_id, arrival_ns=arrival_ns, command=command))

    def add_clip(self, message: PredictedClip, arrival_ns: int) -> None:
        """Keep a chunk of a prediction."""
        key = (message.epoch, message.anchor)
        before = self.predictions.get(key)
        n_chunks = before.n_chunks if before is not None else 0
        if message.chunk != n_chunks:
            return  # a chunk was lost on the way, or redone: this prediction stays incomplete
        frames = np.stack([array_from_image(frame) for frame in message.frames])
        offsets_secs = np.array(message.offsets_secs)
        arrivals_ns = np.full(len(frames), arrival_ns)
        tracks_px = np.array([
            [(point.x, point.y) for point in track.positions] for track in message.tracks
        ]).reshape(-1, len(frames), 2)
        if before is not None:
            frames = np.concatenate([before.frames, frames])
            offsets_secs = np.concatenate([before.offsets_secs, offsets_secs])
            arrivals_ns = np.concatenate([before.arrivals_ns, arrivals_ns])
            tracks_px = _joined(before.tracks_px, tracks_px)
        self.predictions[key] = Prediction(
            section=self._section_of(message.epoch),
            epoch=message.epoch,
            anchor=message.anchor,
            source_stamp_ns=ns_from_stamp(message.header.stamp),
            drag_id=message.drag_id or (before.drag_id if before is not None else ''),
            frames=frames,
            offsets_secs=offsets_secs,
            arrivals_ns=arrivals_ns,
            tracks_px=tracks_px,
            n_chunks=n_chunks + 1,
            is_complete=bool(message.last),
        )

    def add_info(self, message: PredictionInfo, arrival_ns: int) -> None:
        """Keep the latency of what is played, or what is wrong."""
        if message.code:
            self.problems.append(Problem(code=ErrorCode(message.code), sentence=message.message))
            return
        if message.index == 0:  # later frames of a prediction wait for their moment
            self.latencies.append(Latency(arrival_ns=arrival_ns, secs=message.latency_secs))

    def frame_at(self, stamp_ns: int, *, within_secs: float) -> CameraFrame | None:
        """The camera frame nearest to a moment; None if there is none so near."""
        best = min(
            self.camera, key=lambda frame: abs(frame.stamp_ns - stamp_ns), default=None)
        if best is None or abs(best.stamp_ns - stamp_ns) > within_secs * 1e9:
            return None
        return best

    def drag_of(self, prediction: Prediction) -> DragCommand | None:
        """The drag that a prediction follows, as it stood when it was made.

        On a busy computer newer paths arrive while it is being made, drawn on newer images.
        """
        known = [
            drag.command for drag in self.drags
            if drag.drag_id == prediction.drag_id and drag.command is not None
            and drag.arrival_ns <= prediction.arrivals_ns[0]]
        if not known or not prediction.drag_id:
            return None
        seen = [drag for drag in known if drag.stamp_ns <= prediction.source_stamp_ns]
        return (seen or known[:1])[-1]

    def _add_frame(self, frame: np.ndarray, stamp_ns: int, arrival_ns: int) -> None:
        ratio = LONGEST_SIDE_PX / max(frame.shape[:2])
        if ratio < 1.0:
            frame = cv2.resize(frame, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        self.camera.append(CameraFrame(
            stamp_ns=stamp_ns, arrival_ns=arrival_ns,
            compressed=encode_jpeg(frame, quality=JPEG_QUALITY)))

    def _section_of(self, epoch: int) -> str:
        place = bisect_right([first for first, _ in self._sections], epoch)
        return self._sections[max(place - 1, 0)][1]


def _joined(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Tracks of two chunks; where the drag ended between them, the handles stay where they were."""
    if len(before) != len(after):
        after = np.repeat(before[:, -1:], after.shape[1] or 1, axis=1)
    return np.concatenate([before, after], axis=1)
