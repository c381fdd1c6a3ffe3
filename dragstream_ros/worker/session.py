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
from dragstream_ros.lanes import Lanes
from dragstream_ros.planning.goal_distance import Encode, PlanningGoal
from dragstream_ros.planning.rollouts import Rollouts
from dragstream_ros.worker.drag_follower import DragFollower, Follow, follow, follow_once
from dragstream_ros.worker.frame_intake import ModelFrame
from dragstream_ros.worker.goal import Goal, Packing
from dragstream_ros.worker.goal_queue import GoalQueue
from dragstream_ros.worker.held_outlines import held_outlines
from dragstream_ros.worker.live_drag import LiveDrag
from dragstream_ros.worker.protocol import (
    ANY_SIZE,
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
from dragstream_ros.worker.turns import Turns

if TYPE_CHECKING:
    from dragstream_ros.core.stream import PredictedChunk

NS = 1_000_000_000
CONTEXT_SECS = 1.0  # of kept frames, for a stream that starts anew
HOLE_SECS = 0.5  # after a longer one the stream starts over and has dropped its drag
STARTED_OVER = 'The prediction started over; please send the goal again.'
_N_ARRIVALS = 64  # far more than one prediction can be behind


class PredictionSession:
    """A stream with its drag, and Predict goals beside it, fed by messages and frames.

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
        planning_share: float = 0.5,
        most_goals: int | None = None,
        lanes: Lanes | None = None,
        encode: Encode | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with an empty stream; model_size is (width, height).

        planning_share: see turns.Turns. most_goals: see goal_queue.GoalQueue. lanes: for the
        candidates of goals. encode: the world model's, to compare pictures by.
        """
        self._model_size = model_size
        self._frame_period_secs = frame_period_secs
        self._settings = settings
        self._make_stream = make_stream
        self._clock = clock
        self._next_epoch = first_epoch
        self._generation = 0
        self._frames: Sequence[ModelFrame] = ()
        self._goals = GoalQueue(most_goals)
        self._turns = Turns(planning_share)
        self._lanes, self._encode = lanes, encode
        self._start_stream()

    def _start_stream(self) -> None:
        """Begin with an empty stream, which is then shown the newest of the frames kept."""
        settings = self._settings
        self._stream = self._make_stream(
            settings,
            lambda command, anchor_ns: self._drag.located(command, self._frames, anchor_ns))
        self._drag = LiveDrag(self._stream, is_preview=(
            settings.mode == 'anchored' and settings.replay == 'preview'))
        self._epoch_base = self._next_epoch
        self._camera_size: tuple[int, int] | None = None
        self._seen_ns: int | None = None
        self._arrivals_ns: dict[int, int] = {}
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
        started = self._clock()
        events = self._adopt(frames[-1])
        self._frames = frames
        seen_ns = self._seen_ns or frames[-1].stamp_ns - round(CONTEXT_SECS * NS) - 1
        for frame in frames:
            if frame.stamp_ns <= seen_ns:
                continue
            was_dropped = (
                self._seen_ns is not None and frame.stamp_ns - self._seen_ns > HOLE_SECS * NS)
            self._seen_ns = frame.stamp_ns
            try:
                if self._stream.observe(frame.pixels, frame.stamp_ns):
                    self._arrivals_ns[frame.stamp_ns] = frame.arrival_ns
            except DragStreamError as error:
                events.append(self._undragged(error))
            if was_dropped:
                self._drag.push_again()
        for stamp_ns in list(self._arrivals_ns)[:-_N_ARRIVALS]:
            del self._arrivals_ns[stamp_ns]
        self._turns.saw(self._clock() - started)
        return events

    def handle(self, message: ToWorker) -> list[FromWorker]:
        """Do what the node asks for."""
        if isinstance(message, PushDrag):
            return self._push_drag(message)
        if isinstance(message, StartGoal):
            return self._start_goal(message)
        if isinstance(message, Reset):
            return self._advance_generation(message.generation)
        if isinstance(message, Retune):
            self._settings = message.settings
            # The frames that are kept at once: a drag may be next, before another image.
            return [*self._start_over(), *self.feed(self._frames)]
        if isinstance(message, EndDrag):
            self._drag.end(message.drag_id)
        elif isinstance(message, CancelDrag):
            self._drag.cancel(message.drag_id)
        elif isinstance(message, CancelGoal):
            return self._goals.cancel(message.goal_id)
        return []

    # What goes out.

    def step(self) -> list[FromWorker]:
        """Compute one chunk, live or of a goal's candidates; empty: there is nothing to do now."""
        if late := self._goals.end_late():
            return late
        started = self._clock()
        if not self._goals:
            if events := self._step_live():
                self._turns.lived_alone(self._clock() - started)
            return events
        if self._turns.is_planning:
            events = self._goals.step(self._packing())
            self._turns.planned(self._clock() - started)
            return events
        if events := self._step_live():
            self._turns.lived(self._clock() - started)
            return events
        self._turns.rested()
        return self._goals.step(self._packing())

    def _undragged(self, error: DragStreamError) -> Problem:
        """Say what went wrong, and go on without the drag."""
        problem = _problem(error, self._drag.command)
        self._drag.release()
        return problem

    def _step_live(self) -> list[FromWorker]:
        now = self._clock()
        if now < self._not_before:
            return []
        try:
            predicted = self._stream.step() if self._drag.may_predict(now) else None
        except DragStreamError as error:
            return [self._undragged(error)]
        if predicted is None:
            return []
        self._drag.predicted(
            now, is_first=predicted.chunk_index == 0, is_last=predicted.last,
            secs=float(predicted.offsets_secs[-1]))
        if self._settings.mode == 'free_running':
            # Nobody can watch faster than time goes by: stay one chunk ahead.
            chunk_secs = len(predicted.frames) * self._frame_period_secs
            self._not_before = max(self._not_before, now - chunk_secs) + chunk_secs
        return [self._chunk(predicted)]

    def _packing(self) -> Packing:
        assert self._camera_size is not None
        letterbox = Letterbox(self._camera_size, self._model_size)
        return Packing(
            chunk=self._chunk, points_px=letterbox.target_to_content,
            crop=lambda picture: np.ascontiguousarray(letterbox.crop(picture)))

    def _chunk(self, predicted: PredictedChunk) -> Chunk:
        assert self._camera_size is not None
        letterbox = Letterbox(self._camera_size, self._model_size)
        self._next_epoch = max(self._next_epoch, self._epoch_base + predicted.epoch + 1)
        return Chunk(
            frames=np.ascontiguousarray(letterbox.crop(predicted.frames)),
            offsets_secs=predicted.offsets_secs,
            confidence=predicted.confidence,
            tracks_px=letterbox.target_to_content(predicted.tracks_px).astype(np.float32),
            outlines_px=held_outlines(predicted, letterbox),
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
            is_strange=predicted.is_strange,
        )

    # Fresh starts.

    def _start_over(self) -> list[FromWorker]:
        """Forget stream, drag and goals."""
        self._start_stream()
        return self._goals.drop_all(ErrorCode.CANCELLED, STARTED_OVER)

    def _advance_generation(self, generation: int) -> list[FromWorker]:
        if generation <= self._generation:
            return []
        self._generation = generation
        self._frames = ()
        return self._start_over()

    def _adopt(self, newest: ModelFrame) -> list[FromWorker]:
        """Start over if the frames are not what they were."""
        events = self._advance_generation(newest.generation)
        before = self._camera_size
        if before is not None and before != newest.camera_size:
            events += self._start_over()
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
            self._drag.push(self._grab(message.command, self._drag))
        except DragStreamError as error:
            return [_problem(error, message.command)]
        return _warnings(message.command)

    def _start_goal(self, message: StartGoal) -> list[FromWorker]:
        started = self._clock()
        try:
            if message.generation < self._generation:
                raise DragStreamError(ErrorCode.CANCELLED, STARTED_OVER)
            self._goals.add(lambda: self._begin(message))
        except DragStreamError as error:
            return [GoalDone(goal_id=message.goal_id, code=error.code, sentence=error.sentence)]
        finally:    # also where it was in vain: the live stream waited
            self._turns.planned(self._clock() - started)
        return [warning for command in message.candidates if command is not None
                for warning in _warnings(command)]

    def _begin(self, message: StartGoal) -> Goal:
        """Take the newest frame for the anchor, and find there what the goal speaks of."""
        source_ns = self._stream.stamp_ns
        if source_ns is None:
            raise DragStreamError(
                ErrorCode.DRAG_BEFORE_FIRST_IMAGE, 'No camera image has come yet; wait for one.')
        assert self._camera_size is not None
        commands, once = [], follow_once()
        for command in message.candidates:
            if command is not None and command.mode is DragMode.EDIT:
                raise DragStreamError(
                    ErrorCode.DRAG_INVALID,
                    'An edit redoes the live prediction; a goal needs drags of mode ANIMATE.')
            commands.append(None if command is None else self._grab(
                command, follow=once).located(self._frames, source_ns))
        query_px, goal_px = self._points(message, source_ns)
        goal_image = message.goal_image
        if goal_image is not None and goal_image.shape[1::-1] != self._camera_size:
            raise DragStreamError(
                ErrorCode.GOAL_INVALID,
                'The goal image has {}x{} pixels and the camera {}x{}; they must be alike.'.format(
                    *goal_image.shape[1::-1], *self._camera_size))
        anchor = next(f.pixels for f in reversed(self._frames) if f.stamp_ns == source_ns)
        horizon_secs = message.horizon_secs or self._settings.horizon_secs
        return Goal(
            message.goal_id,
            Rollouts(self._stream.branch(horizon_secs), commands, horizon_secs=horizon_secs,
                     lanes=self._lanes),
            commands,
            anchor=anchor,
            query_px=query_px,
            wanted=PlanningGoal(
                image=None if goal_image is None else Letterbox(
                    self._camera_size, self._model_size).apply(goal_image),
                start=anchor, points_px=goal_px, encode=self._encode),
            deadline=message.deadline, clock=self._clock)

    def _points(
        self, message: StartGoal, source_ns: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """(q, 2), the query points where they are in the newest frame, and their goals."""
        query, goal_px = message.query, message.goal_px
        if query is None:
            return np.zeros((0, 2)), None
        assert self._camera_size is not None
        if query.image_size == ANY_SIZE:
            query = replace(query, image_size=self._camera_size, stamp_ns=source_ns)
        given_px = np.array([handle.path_px[0] for handle in query.handles])
        if (given_px < -0.5).any() or (given_px > np.array(query.image_size) - 0.5).any():
            raise DragStreamError(
                ErrorCode.GOAL_INVALID, 'Query points must lie in the image of {}x{} pixels that '
                'they are on.'.format(*query.image_size))
        if goal_px is not None:
            goal_px = self._letterbox(query).to_target(goal_px)
        query = self._grab(query).located(self._frames, source_ns)
        return np.array([handle.path_px[0] for handle in query.handles]), goal_px

    def _grab(self, command: DragCommand, live: LiveDrag | None = None,
              follow: Follow = follow) -> DragFollower:
        """Bring a command to model pixels and bind it to the frame it was given on.

        :param live: what it may be a newer path of
        :raises DragStreamError: DRAG_BEFORE_FIRST_IMAGE, DRAG_WRONG_SIZE, DRAG_STALE
        """
        if self._camera_size is None:
            raise DragStreamError(
                ErrorCode.DRAG_BEFORE_FIRST_IMAGE,
                'The drag came before the first camera image; drag on an image that was shown.')
        is_on_prediction = self._is_on_prediction(command)
        command = transform_command(command, self._letterbox(command))
        if is_on_prediction:  # where things are as the operator saw them
            return DragFollower(command, ())
        followed = None if live is None else live.with_path(command)
        return followed or DragFollower(command, self._frames, follow)

    def _is_on_prediction(self, command: DragCommand) -> bool:
        """Given on a predicted image; in anchored mode these are redone by edits alone."""
        assert self._camera_size is not None
        is_possible = command.mode is DragMode.EDIT or self._settings.mode == 'free_running'
        return is_possible and command.image_size == Letterbox(
            self._camera_size, self._model_size).content_size

    def _letterbox(self, command: DragCommand) -> Letterbox:
        """From the picture that a command was given on to the model's."""
        assert self._camera_size is not None
        size = command.image_size if self._is_on_prediction(command) else self._camera_size
        return Letterbox(size, self._model_size)


def _problem(error: DragStreamError, command: DragCommand | None) -> Problem:
    return Problem(
        code=error.code, sentence=error.sentence,
        stamp_ns=command.stamp_ns if command is not None else 0,
        drag_id=command.drag_id if command is not None else '',
    )


def _warnings(command: DragCommand) -> list[FromWorker]:
    if not path_leaves_image(command):
        return []
    return [Problem(
        code=ErrorCode.DRAG_PATH_LEAVES_IMAGE,
        sentence='The path leaves the image; what is outside cannot be shown.',
        stamp_ns=command.stamp_ns, drag_id=command.drag_id,
    )]
