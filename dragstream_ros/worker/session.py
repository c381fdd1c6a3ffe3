"""What the worker does: camera frames and drags in, predicted chunks out; no process, no pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dragstream_ros.adapters.drag import transform_command
from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.core.drag import DragCommand, DragMode, path_leaves_image
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.drag_follower import DragFollower
from dragstream_ros.worker.frame_intake import ModelFrame
from dragstream_ros.worker.goal import Goal
from dragstream_ros.worker.protocol import (
    CancelDrag,
    CancelGoal,
    Chunk,
    EndDrag,
    FromWorker,
    GoalDone,
    Problem,
    PushDrag,
    Reset,
    Retune,
    StartGoal,
    StreamSettings,
    ToWorker,
)
from dragstream_ros.worker.stream_face import MakeStream

if TYPE_CHECKING:
    from dragstream_ros.core.stream import PredictedChunk

NS = 1_000_000_000
CONTEXT_SECS = 1.0  # of kept frames, for a stream that starts anew
HOLE_SECS = 0.5  # after a longer one the stream starts over and has dropped its drag
_N_ARRIVALS = 64  # far more than one prediction can be behind


class PredictionSession:
    """A stream with its drag and at most one Predict goal, fed by messages and frames.

    handle() takes the node's messages, feed() the frames that are kept, step() does one piece of
    work. Each returns what to tell the node: a DragStreamError becomes a Problem here. Any other
    exception is a defect and ends the worker.
    """

    def __init__(
        self,
        *,
        model_size: tuple[int, int],
        frame_period_secs: float,
        settings: StreamSettings,
        make_stream: MakeStream,
        first_epoch: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with an empty stream; model_size is (width, height)."""
        self._model_size = model_size
        self._frame_period_secs = frame_period_secs
        self._settings = settings
        self._make_stream = make_stream
        self._clock = clock
        self._next_epoch = first_epoch
        self._generation = 0
        self._frames: Sequence[ModelFrame] = ()
        self._goal: Goal | None = None
        self._is_goals_turn = False
        self._start_stream()

    def _start_stream(self) -> None:
        """Begin with an empty stream that is shown all frames that are kept."""
        self._stream = self._make_stream(self._settings, self._locate)
        self._epoch_base = self._next_epoch
        self._camera_size: tuple[int, int] | None = None
        self._seen_ns: int | None = None
        self._arrivals_ns: dict[int, int] = {}
        self._drag: DragFollower | None = None
        self._newer_path: DragFollower | None = None
        self._is_ending = False
        self._is_predicting = False
        self._shown_from = self._shown_until = 0.0  # when a prediction is played, by our clock
        self._not_before = 0.0

    @property
    def context_bytes(self) -> int:
        """What the stream remembers; 0: unknown."""
        return self._stream.context_bytes

    # What comes in.

    def feed(self, frames: Sequence[ModelFrame]) -> list[FromWorker]:
        """Show the stream what is new among the frames that are kept, oldest first."""
        if not frames or frames[-1].generation < self._generation:
            return []
        events = self._adopt(frames[-1])
        self._frames = frames
        seen_ns = self._seen_ns or frames[-1].stamp_ns - round(CONTEXT_SECS * NS) - 1
        for frame in frames:
            if frame.stamp_ns <= seen_ns:
                continue
            was_dropped = (
                self._seen_ns is not None and frame.stamp_ns - self._seen_ns > HOLE_SECS * NS)
            self._seen_ns = frame.stamp_ns
            if self._stream.observe(frame.pixels, frame.stamp_ns):
                self._arrivals_ns[frame.stamp_ns] = frame.arrival_ns
            if was_dropped and self._drag is not None:
                self._stream.push_drag(self._drag.command)
        for stamp_ns in list(self._arrivals_ns)[:-_N_ARRIVALS]:
            del self._arrivals_ns[stamp_ns]
        return events

    def handle(self, message: ToWorker) -> list[FromWorker]:
        """Do what the node asks for."""
        if isinstance(message, PushDrag):
            return self._push_drag(message)
        if isinstance(message, EndDrag):
            if self._is_preview and self._is_in_force(message.drag_id):
                self._is_ending = True  # in all other modes a drag ends by itself, with its path
        elif isinstance(message, CancelDrag):
            if self._is_in_force(message.drag_id):
                self._release()
        elif isinstance(message, Reset):
            return self._advance_generation(message.generation)
        elif isinstance(message, Retune):
            self._settings = message.settings
            self._start_stream()
        elif isinstance(message, StartGoal):
            return self._start_goal(message)
        elif isinstance(message, CancelGoal):
            if self._goal is not None and self._goal.goal_id == message.goal_id:
                self._goal.is_cancelled = True
        return []

    # What goes out.

    def step(self) -> list[FromWorker]:
        """Compute one chunk, live or of the goal in turn; empty: there is nothing to do now."""
        self._is_goals_turn = not self._is_goals_turn
        if self._goal is not None and self._is_goals_turn:
            return self._step_goal(self._goal)
        events = self._step_live()
        if not events and self._goal is not None:
            return self._step_goal(self._goal)
        return events

    def _step_live(self) -> list[FromWorker]:
        now = self._clock()
        if now < self._not_before:
            return []
        try:
            if not self._is_predicting and not self._begin_prediction(now):
                return []
            predicted = self._stream.step()
        except DragStreamError as error:
            problem = self._problem(error, self._drag.command if self._drag else None)
            self._release()
            return [problem]
        self._is_predicting = predicted is not None and not predicted.last
        if predicted is None:
            return []
        if predicted.chunk_index == 0:
            self._shown_from = now
        self._shown_until = self._shown_from + float(predicted.offsets_secs[-1])
        if self._settings.mode == 'free_running':
            # Nobody can watch faster than time goes by: stay one chunk ahead.
            chunk_secs = len(predicted.frames) * self._frame_period_secs
            self._not_before = max(self._not_before, now - chunk_secs) + chunk_secs
        return [self._chunk(predicted)]

    def _begin_prediction(self, now: float) -> bool:
        """Take over the newest path, or release the drag once it was shown; False: not yet."""
        if self._newer_path is not None:
            self._put_in_force(self._newer_path)
        elif self._is_ending:
            if now < self._shown_until:
                return False
            self._release()
        return True

    def _step_goal(self, goal: Goal) -> list[FromWorker]:
        events = goal.step(self._chunk)
        if goal.is_done:
            self._goal = None
        return events

    def _chunk(self, predicted: PredictedChunk) -> Chunk:
        assert self._camera_size is not None
        letterbox = Letterbox(self._camera_size, self._model_size)
        self._next_epoch = max(self._next_epoch, self._epoch_base + predicted.epoch + 1)
        return Chunk(
            frames=np.ascontiguousarray(letterbox.crop(predicted.frames)),
            offsets_secs=predicted.offsets_secs,
            confidence=predicted.confidence,
            tracks_px=letterbox.target_to_content(predicted.tracks_px).astype(np.float32),
            drift=predicted.drift,
            generation=self._generation,
            epoch=self._epoch_base + predicted.epoch,
            anchor=predicted.anchor,
            chunk_index=predicted.chunk_index,
            last=predicted.last,
            drag_id=predicted.drag_id,
            camera_size=self._camera_size,
            source_stamp_ns=predicted.source_stamp_ns,
            source_arrival_ns=self._arrivals_ns.get(predicted.source_stamp_ns, 0),
            sent_ns=time.monotonic_ns(),
            timings_secs=predicted.timings_secs,
        )

    # Fresh starts.

    def _advance_generation(self, generation: int) -> list[FromWorker]:
        if generation <= self._generation:
            return []
        self._generation = generation
        self._frames = ()
        self._start_stream()
        if self._goal is None:
            return []
        goal, self._goal = self._goal, None
        return [GoalDone(
            goal_id=goal.goal_id, code=ErrorCode.CANCELLED,
            sentence='The predictor was reset; please send the goal again.')]

    def _adopt(self, newest: ModelFrame) -> list[FromWorker]:
        """Start over if the frames are not what they were."""
        events = self._advance_generation(newest.generation)
        before = self._camera_size
        if before is not None and before != newest.camera_size:
            self._start_stream()
            events.append(Problem(
                code=ErrorCode.IMAGE_SIZE_CHANGED,
                sentence='The camera image changed from {}x{} to {}x{} pixels; the prediction '
                'starts over.'.format(*before, *newest.camera_size),
                stamp_ns=newest.stamp_ns,
            ))
        self._camera_size = newest.camera_size
        return events

    # Drags and goals.

    def _push_drag(self, message: PushDrag) -> list[FromWorker]:
        if message.generation < self._generation:
            return []
        try:
            drag = self._grab(message.command)
            if self._is_preview and self._is_predicting and self._is_in_force(drag.command.drag_id):
                # Or an operator who keeps moving would see only first chunks, again and again.
                self._newer_path = drag
            else:
                self._put_in_force(drag)
        except DragStreamError as error:
            return [self._problem(error, message.command)]
        return self._warnings(message.command)

    @property
    def _is_preview(self) -> bool:
        return self._settings.mode == 'anchored' and self._settings.replay == 'preview'

    def _is_in_force(self, drag_id: str) -> bool:
        return self._drag is not None and self._drag.command.drag_id == drag_id

    def _put_in_force(self, drag: DragFollower) -> None:
        self._newer_path = None
        self._stream.push_drag(drag.command)
        self._drag, self._is_ending = drag, False

    def _release(self) -> None:
        self._drag, self._newer_path, self._is_ending = None, None, False
        self._stream.release()

    def _start_goal(self, message: StartGoal) -> list[FromWorker]:
        try:
            if self._goal is not None:
                raise DragStreamError(
                    ErrorCode.BUSY, 'Another goal is being predicted; try again when it is done.')
            self._goal = self._branch(message)
        except DragStreamError as error:
            return [GoalDone(goal_id=message.goal_id, code=error.code, sentence=error.sentence)]
        return [] if message.command is None else self._warnings(message.command)

    def _branch(self, message: StartGoal) -> Goal:
        source_ns = self._stream.stamp_ns
        if source_ns is None:
            raise DragStreamError(
                ErrorCode.DRAG_BEFORE_FIRST_IMAGE, 'No camera image has come yet; wait for one.')
        horizon_secs = message.horizon_secs or self._settings.horizon_secs
        stream = self._stream.branch(horizon_secs)
        if message.command is not None:
            if message.command.mode is DragMode.EDIT:
                raise DragStreamError(
                    ErrorCode.DRAG_INVALID,
                    'An edit redoes the live prediction; a goal needs a drag of mode ANIMATE.')
            located = self._grab(message.command).located(self._frames, source_ns)
            stream.push_drag(replace(located, stamp_ns=source_ns))
        return Goal(message.goal_id, stream, horizon_secs=horizon_secs)

    def _grab(self, command: DragCommand) -> DragFollower:
        """Bind a command in camera pixels to the frame it was given on."""
        if self._camera_size is None:
            raise DragStreamError(
                ErrorCode.DRAG_BEFORE_FIRST_IMAGE,
                'The drag came before the first camera image; drag on an image that was shown.')
        letterbox = Letterbox(self._camera_size, self._model_size)
        if command.mode is DragMode.EDIT and command.image_size == letterbox.content_size:
            letterbox = Letterbox(letterbox.content_size, self._model_size)  # on a predicted image
        return DragFollower(transform_command(command, letterbox), self._frames)

    def _locate(self, command: DragCommand, anchor_ns: int) -> DragCommand:
        """Answer the stream, which starts from a new anchor: where are the handles there?"""
        if self._drag is None or command is not self._drag.command:
            return command  # a goal's, located when it was accepted
        return self._drag.located(self._frames, anchor_ns)

    def _problem(self, error: DragStreamError, command: DragCommand | None) -> Problem:
        return Problem(
            code=error.code, sentence=error.sentence,
            stamp_ns=command.stamp_ns if command is not None else 0,
            drag_id=command.drag_id if command is not None else '',
        )

    def _warnings(self, command: DragCommand) -> list[FromWorker]:
        if not path_leaves_image(command):
            return []
        return [Problem(
            code=ErrorCode.DRAG_PATH_LEAVES_IMAGE,
            sentence='The path leaves the image; what is outside cannot be shown.',
            stamp_ns=command.stamp_ns, drag_id=command.drag_id,
        )]
