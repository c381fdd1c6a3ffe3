"""What the node and its worker say to each other over the pipe; plain data, pickled.

Camera frames do not come this way (see mailbox.py). Predicted frames do: they are small, a socket
takes a 128x128 chunk in 0.1 ms, waits when the node is behind, and a half-written one ends with
the process that wrote it.

A generation is the node's count of fresh starts (activation, reset, clock jump); what belongs to an
older one is thrown away by whoever sees it. An epoch is the worker's count of fresh starts of the
stream, which a changed image size adds to; it is what users see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.errors import ErrorCode
from dragstream_ros.planning.score import Score

ANY_SIZE = (0, 0)  # of a query that is on the newest frame, whatever its size
EXIT_AFTER_REPORT = 3  # exit status of a worker that ended for what a Problem has already told


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How to predict: core.stream.StreamConfig and the name of a core.drag_guidance profile."""

    mode: Literal['anchored', 'free_running'] = 'anchored'
    control: Literal['conditioned', 'guidance'] = 'conditioned'
    replay: Literal['preview', 'follow'] = 'preview'
    profile: Literal['fast', 'code', 'paper'] = 'fast'
    anchor_rate_hz: float = 2.0
    horizon_secs: float = 1.0
    seed: int = 0


# Node to worker.


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The first message: which world model to load, where epochs go on after a restart.

    planning_share: of its chunks that the live stream may lose to goals while it has work.
    keep_up, min_speed: see pace.PaceConfig.
    """

    world_model: str
    weights_folder: str
    settings: StreamSettings
    memory_budget_gb: float = 0.0
    first_epoch: int = 0
    planning_share: float = 0.5
    keep_up: bool = True
    min_speed: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Retune:
    """Predict with other settings from now on; starts the stream over."""

    settings: StreamSettings


@dataclass(frozen=True, kw_only=True)
class Reset:
    """Forget all frames and the drag. Frames of this generation do the same, whichever is first."""

    generation: int


@dataclass(frozen=True, kw_only=True)
class PushDrag:
    """A new drag or a new path of the same one, in camera pixels."""

    command: DragCommand
    generation: int


@dataclass(frozen=True, kw_only=True)
class EndDrag:
    """The operator let go: show this drag to its end once more, then go on undragged."""

    drag_id: str


@dataclass(frozen=True, kw_only=True)
class CancelDrag:
    """Go on undragged at once, if this is the drag in force."""

    drag_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class StartGoal:
    """Predict futures from the newest frame, beside the live stream; see action/Predict.action.

    candidates: in camera pixels; None: undragged. query: its handles are the points to follow;
    on the newest frame where its image_size is ANY_SIZE. goal_px: (q, 2), where these should be, in
    the same pixels. goal_image: (H, W, 3) uint8 RGB of the camera's size. deadline: the
    time.monotonic() at which to answer.
    """

    goal_id: int
    candidates: tuple[DragCommand | None, ...]
    horizon_secs: float
    generation: int
    query: DragCommand | None = None
    goal_px: np.ndarray | None = None
    goal_image: np.ndarray | None = None
    deadline: float | None = None


@dataclass(frozen=True, kw_only=True)
class CancelGoal:
    """Stop after the chunks that are being computed."""

    goal_id: int


ToWorker = Setup | Retune | Reset | PushDrag | EndDrag | CancelDrag | StartGoal | CancelGoal


# Worker to node.


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The world model is loaded. image_size is the model's (width, height)."""

    image_size: tuple[int, int]
    frame_period_secs: float
    frames_per_chunk: int
    load_secs: float


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds of video that a second of computing makes, the camera taken in meanwhile."""

    undragged: float
    dragged: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """A core.stream.PredictedChunk cropped to the picture's content, with where it came from.

    frames: (F, H, W, 3) uint8 RGB without letterbox bars. tracks_px: (n_handles, F, 2) float32 in
    these frames' pixels. outlines_px: per frame and handle (P, 2) float32, what is held; empty if
    that is not known. confidence: (F,) float32, 0 to 1. offsets_secs: (F,) after the source.
    camera_size: (width, height) of the camera frame it was predicted from.
    source_arrival_ns, sent_ns: time.monotonic_ns() of the source frame's arrival in the node, and
    when the worker was done.
    """

    frames: np.ndarray
    offsets_secs: np.ndarray
    confidence: np.ndarray
    tracks_px: np.ndarray
    drift: float
    generation: int
    epoch: int
    anchor: int
    chunk_index: int
    last: bool
    drag_id: str
    camera_size: tuple[int, int]
    source_stamp_ns: int
    source_arrival_ns: int
    sent_ns: int
    outlines_px: Sequence[Sequence[np.ndarray]] = ()
    timings_secs: dict[str, float] = field(default_factory=dict)
    is_strange: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateFuture:
    """A candidate's whole prediction as one chunk, and a planning.future.Future's findings.

    followed_px: (n_handles + q, F, 2) in the chunk's frames' pixels, found: (n_handles + q, F)
    bool, moved: (H, W) bool.
    """

    candidate: int
    chunk: Chunk
    followed_px: np.ndarray
    found: np.ndarray
    moved: np.ndarray
    score: Score


@dataclass(frozen=True, kw_only=True)
class GoalProgress:
    """A goal is further; progress is 0 to 1, futures are those that are new."""

    goal_id: int
    progress: float
    futures: tuple[CandidateFuture, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GoalDone:
    """The last word on a goal."""

    goal_id: int
    code: ErrorCode = ErrorCode.OK
    sentence: str = ''


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something was wrong with an input, or is with the worker; the work goes on.

    stamp_ns: of the image or drag it is about, 0: neither.
    """

    code: ErrorCode
    sentence: str
    stamp_ns: int = 0
    drag_id: str = ''


@dataclass(frozen=True, kw_only=True)
class Gone:
    """The worker has ended, and with it all that it was asked for; a Problem has told the same.

    From its supervisor, who says so of every worker that was not stopped.
    """

    code: ErrorCode
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Sign of life, at least once a second while nothing long is computed. Counts since start.

    n_taken, n_replaced: frames that were used, and that a newer one replaced before they could be.
    context_bytes: what the stream remembers, 0: unknown.
    """

    n_taken: int
    n_replaced: int
    context_bytes: int


FromWorker = Ready | Speed | Chunk | GoalProgress | GoalDone | Problem | Gone | Stats
