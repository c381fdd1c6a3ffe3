"""The streaming predictor: reset, observe, push_drag, step, release.

Anchored, the context follows the camera: from an anchor, the newest real frame, the next
``horizon_secs`` are predicted; then from the next anchor again.  Free-running, the stream goes on
from its own frames.  Either way the work per chunk and the memory do not grow with the stream.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from dragstream_ros.core.drag import (
    DragCommand,
    DragMode,
    advance,
    is_noop,
    poses_at,
    validate_command,
)
from dragstream_ros.core.drag_guidance import DragGuidance, DragGuidanceConfig, Reference
from dragstream_ros.core.held import Grow, with_regions
from dragstream_ros.core.join_handles import join_handles
from dragstream_ros.core.memory import within_memory
from dragstream_ros.core.pose import Pose
from dragstream_ros.core.real_past import RealPast
from dragstream_ros.core.rollout import ChunkPredictor, Control, Rollout, Stopwatch, latent_drift
from dragstream_ros.core.table_view import seen_in
from dragstream_ros.core.world_model import Conditions, WorldModel

NS = 1_000_000_000
LONGEST_GAP_SECS = 0.5      # a longer hole in the camera's stream starts it anew
NO_MEMORY = ('The memory ran out while predicting; what was remembered is dropped, and the next '
             'image starts anew. Choose a smaller model, picture or window.')

Locate = Callable[[DragCommand, int], DragCommand]


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """How the stream runs.

    mode: 'anchored' to the camera or 'free_running' on its own frames.
    control: 'conditioned', the model follows drag maps, 'guidance', DragStream's optimisation, or
        'refined', both.
    replay: of an anchored drag: 'preview' shows the whole path again from every anchor, 'follow'
        goes on along it by the clock.
    """

    mode: Literal['anchored', 'free_running'] = 'anchored'
    control: Control = 'conditioned'
    replay: Literal['preview', 'follow'] = 'preview'
    anchor_rate_hz: float = 2.0
    horizon_secs: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class PredictedChunk:
    """F predicted frames.

    frames: (F, H, W, 3) uint8 RGB of the model's size; offsets_secs: (F,) after source_stamp_ns.
    epoch grows at every reset, anchor at every new anchor; chunk_index counts from the anchor.
    tracks_px: (n, F, 2) float32, where each handle was asked to be.
    drift: distance of the chunk's latent statistics from the anchor's; confidence: (F,) in 0..1,
        exp(-drift) faded over the horizon.  A hint, not a probability.
    regions: per handle (H, W) bool, what is held, where it was grabbed, of an arm whose hand turns
        that alone; None where that is not known.  poses: per frame and handle, how far that is
        asked to have moved.
    is_strange: the model does not know this scene: only what is dragged moves.
    """

    frames: np.ndarray
    offsets_secs: np.ndarray
    source_stamp_ns: int
    epoch: int
    anchor: int
    chunk_index: int
    last: bool
    drag_id: str
    tracks_px: np.ndarray
    confidence: np.ndarray
    drift: float
    timings_secs: dict[str, float]
    regions: tuple[np.ndarray | None, ...] = ()
    poses: Sequence[Sequence[Pose]] = ()
    is_strange: bool = False


class DragStream:
    """Predicts what the camera would see; the frames are of the model's size, RGB, uint8.

    locate: called with the pushed command and an anchor's stamp when a prediction starts there;
        returns the command with its handles where they are in that frame (the core tracks
        nothing).  What it raises drops the drag and leaves ``step``.
    grow: finds the region of a handle that came without one, such as masks.touched_region; without
        it, that is the one cell the handle points at.
    """

    def __init__(self, world_model: WorldModel, guidance: DragGuidanceConfig | None = None,
                 config: StreamConfig | None = None, locate: Locate | None = None,
                 grow: Grow | None = None) -> None:
        self.world_model = world_model
        self.config = config or StreamConfig()
        self._guidance = guidance or world_model.profiles['fast']
        self._predictor = ChunkPredictor(
            world_model, DragGuidance(world_model, self._guidance),
            control=self.config.control, seed=self.config.seed)
        self._locate, self._grow = locate, grow
        self._epoch = self._anchor = -1
        self._command: DragCommand | None
        self._rollout: Rollout | None
        self._forget()

    # --- the five verbs -------------------------------------------------------------------------

    def reset(self, frames: np.ndarray, stamps_ns: Sequence[int]) -> None:
        """Start anew from real frames (T, H, W, 3), oldest first, at least one; drops the drag."""
        self._forget()
        self._epoch += 1
        for frame, stamp_ns in zip(frames, stamps_ns, strict=True):
            self._take(frame, stamp_ns)

    def observe(self, frame: np.ndarray, stamp_ns: int) -> bool:
        """Take one more real frame if one is due, a frame period after the last; True if taken.

        It counts as soon as the frames that share its latent have come, too.  After a gap, or when
        the stamps go back, the context starts anew and the drag is dropped.  DragStreamError: as
        from ``step``.
        """
        if self._past.taken_ns is None:
            self.reset(frame[None], [stamp_ns])
            return True
        elapsed_secs = (stamp_ns - self._past.taken_ns) / NS
        if not 0 <= elapsed_secs <= LONGEST_GAP_SECS:
            self.reset(frame[None], [stamp_ns])
            return True
        # Half a camera period early is nearer to the grid than half a period late, whatever the
        # camera's rate; a tenth covers the jitter of stamps.
        if elapsed_secs < 0.9 * self.world_model.frame_period_secs:
            return False
        self._take(frame, stamp_ns)
        return True

    def push_drag(self, command: DragCommand) -> None:
        """Set the drag, in the model's pixels; raises DragStreamError if it makes no sense.

        ANIMATE acts from the next step on, EDIT redoes the newest chunk.  Below half a pixel
        nothing happens.
        """
        validate_command(command)
        if is_noop(command) and self._command is None:
            return
        self._command = command
        self._fresh_drag = True

    def step(self) -> PredictedChunk | None:
        """Predict one chunk, or return None where more input is needed first.

        DragStreamError: the memory ran out; all is forgotten, and the next frame starts anew.
        """
        return within_memory(self._step, NO_MEMORY, self._forget)

    def _step(self) -> PredictedChunk | None:
        if self._past.stamp_ns is None:
            return None
        started = time.perf_counter()
        stopwatch = Stopwatch(self._past.encode_secs)
        if self._wants_edit():
            return self._edit(stopwatch, started)
        if self._wants_anchor():
            self._rollout = self._new_rollout()
        elif self._fresh_drag and not self._is_edit():      # free-running, dragged on the way
            assert self._rollout is not None
            self._rollout = self._dragged(self._rollout, self._rollout.newest)
        if self._rollout is None or self._is_complete(self._rollout):
            return None
        return self._animate(self._rollout, stopwatch, started)

    def release(self) -> None:
        """Drop the drag; anchored, the next step predicts as if it had never been."""
        self._command = None
        self._fresh_drag = False
        if self._rollout is not None:
            self._rollout = (None if self.config.mode == 'anchored'
                             else replace(self._rollout, command=None, drag_id=''))

    def branch(self, horizon_secs: float | None = None) -> DragStream:
        """Return a stream with the same past, shared, that can be dragged on its own."""
        config = self.config if horizon_secs is None else replace(
            self.config, horizon_secs=horizon_secs)
        twin = DragStream(self.world_model, self._guidance, config, self._locate, self._grow)
        twin._epoch, twin._anchor = self._epoch, self._anchor
        twin._past = self._past.copy()
        return twin

    @property
    def context_bytes(self) -> int:
        """Size of the newest context, predicted frames included; 0 where the model is silent."""
        context = self._past.context if self._rollout is None else self._rollout.context
        return int(getattr(context, 'nbytes', 0))

    @property
    def stamp_ns(self) -> int | None:
        """Stamp of the newest real frame in the context, which a prediction starts from."""
        return self._past.stamp_ns

    def _forget(self) -> None:
        """As if no frame and no drag had ever come."""
        self._command = None
        self._past = RealPast(self.world_model)
        self._rollout = None
        self._fresh_drag = False

    def _take(self, frame: np.ndarray, stamp_ns: int) -> None:
        within_memory(lambda: self._past.take(frame, stamp_ns), NO_MEMORY, self._forget)

    # --- predictions ----------------------------------------------------------------------------

    def _wants_anchor(self) -> bool:
        rollout = self._rollout
        if rollout is None:
            return True
        if self.config.mode == 'free_running':
            return False
        assert self._past.stamp_ns is not None
        waited_secs = (self._past.stamp_ns - rollout.source_stamp_ns) / NS
        # A hair less than the period: stamps jitter, and a frame later is a period late.
        due = waited_secs >= 1 / self.config.anchor_rate_hz - 0.5 * self._period_secs
        animate = self._fresh_drag and not self._is_edit()
        return animate or (due and self._is_complete(rollout))

    def _new_rollout(self) -> Rollout:
        past, latents = self._past, self._past.latents()
        assert past.stamp_ns is not None and past.frame is not None
        self._anchor += 1
        return self._dragged(
            Rollout(past.context, past.frame, latents, past.stamp_ns, (latents,)), None)

    def _dragged(self, rollout: Rollout, newest: Reference | None) -> Rollout:
        """Give the rollout the drag, as it stands at the rollout's newest frame."""
        command = self._command
        if command is None or self._is_edit():      # an edit waits for a chunk to redo
            return replace(rollout, command=None, drag_id='')
        self._fresh_drag = False
        if self.config.mode == 'anchored':
            command = self._at_anchor(command, rollout.source_stamp_ns)
        if command is None:
            return replace(rollout, command=None, drag_id='')
        start = rollout.chunk_index * self._chunk_secs
        command = replace(command, stamp_ns=rollout.source_stamp_ns + round(start * NS))
        reference = None
        if self._predictor.guided:
            reference = newest or self._past.reference(self._predictor)
        rollout = replace(rollout, reference=reference, drag_id=command.drag_id)
        return self._grasped(rollout, command)

    def _grasped(self, rollout: Rollout, command: DragCommand) -> Rollout:
        """What the operator means: which region of the frame, and how that looks elsewhere."""
        context, frame = rollout.context, rollout.frame
        if self._grow is not None:
            grasp = getattr(self.world_model, 'grasp', None)
            if grasp is None or not self._predictor.holds:
                command = join_handles(with_regions(command, frame, self._grow))
            else:
                context, frame, command = grasp(context, frame, command, self._grow)
        if self._predictor.holds:
            command = seen_in(getattr(self.world_model, 'table_view', None), command)
        return replace(rollout, context=context, grabbed=frame, command=command)

    def _before(self, conditions: Conditions, grasped: Any) -> Any:
        """The context of a chunk that is redone: it may tell what was grasped of its last frame."""
        before = getattr(self.world_model, 'before', None)
        if before is None or self._grow is None or not self._predictor.holds:
            return conditions.context
        return before(conditions, grasped)

    def _at_anchor(self, command: DragCommand, anchor_ns: int) -> DragCommand | None:
        if self.config.replay == 'follow':
            secs = max(0.0, (anchor_ns - command.stamp_ns) / NS)
            if secs >= command.duration_secs:
                self._command = None
                return None
            return advance(command, secs)
        if self._locate is None:
            return command
        try:
            return self._locate(command, anchor_ns)
        except Exception:
            self._command = None
            raise

    def _animate(self, rollout: Rollout, stopwatch: Stopwatch, started: float) -> PredictedChunk:
        command = rollout.command
        first = rollout.chunk_index * self._chunk_secs
        starts_at = 0.0
        if command is not None:
            starts_at = (command.stamp_ns - rollout.source_stamp_ns) / NS
            # It is held at the end of its path for a chunk, to come to rest: the model, which saw
            # it move, would let it go on.
            if first - starts_at >= command.duration_secs + self._chunk_secs - 1e-6:
                command = None
                rollout = replace(rollout, command=None, drag_id='')
                if self.config.mode == 'free_running':
                    self._command = None
        times = first - starts_at + self._period_secs * np.arange(
            self.world_model.frames_per_chunk + 1)
        return self._predict(rollout, command, times, stopwatch, started)

    def _wants_edit(self) -> bool:
        return (self._fresh_drag and self._is_edit()
                and self._rollout is not None and self._rollout.newest is not None)

    def _is_edit(self) -> bool:
        return self._command is not None and self._command.mode == DragMode.EDIT

    def _edit(self, stopwatch: Stopwatch, started: float) -> PredictedChunk:
        """Redo the newest chunk so that its last frame obeys the whole drag at once."""
        assert self._rollout is not None and self._command is not None
        command, newest = self._command, self._rollout.newest
        assert newest is not None
        self._command, self._fresh_drag = None, False
        before = self._rollout.neighbours
        grasped = self._grasped(self._rollout, command)
        assert grasped.command is not None
        command = grasped.command
        rollout = replace(grasped, context=self._before(newest.conditions, grasped.context),
                          frame=newest.conditions.newest,
                          reference=newest,
                          chunk_index=self._rollout.chunk_index - 1, drag_id=command.drag_id,
                          command=None, neighbours=before[:-1] or before)
        # The path is spread over the chunk and arrives in its last frame.
        times = np.linspace(0, command.duration_secs, self.world_model.frames_per_chunk + 1)
        chunk = self._predict(rollout, command, times, stopwatch, started)
        self._rollout = replace(self._rollout, drag_id='')      # what follows is not dragged
        return chunk

    def _predict(self, rollout: Rollout, command: DragCommand | None, times_secs: np.ndarray,
                 stopwatch: Stopwatch, started: float) -> PredictedChunk:
        is_last = self._is_complete(replace(rollout, chunk_index=rollout.chunk_index + 1))
        result = self._predictor.predict(rollout, command, times_secs, stopwatch, is_last=is_last)
        self._rollout = result.rollout
        count = len(result.frames)
        offsets = (rollout.chunk_index * count + 1 + np.arange(count)) * self._period_secs
        self._past.encode_secs = {}
        drift = latent_drift(result.x0, rollout.anchor_latents)
        fade = np.exp(-0.5 * offsets / self.config.horizon_secs)
        stopwatch.secs['total'] = time.perf_counter() - started
        return PredictedChunk(
            frames=result.frames, offsets_secs=offsets, source_stamp_ns=rollout.source_stamp_ns,
            epoch=self._epoch, anchor=self._anchor, chunk_index=rollout.chunk_index,
            last=is_last, drag_id=rollout.drag_id,
            tracks_px=result.tracks_px.astype(np.float32),
            confidence=(np.exp(-drift) * fade).astype(np.float32), drift=drift,
            timings_secs=stopwatch.secs,
            regions=tuple(handle.posed for handle in command.handles) if command else (),
            poses=poses_at(command, times_secs[1:]) if command else (),
            is_strange=self._is_strange(result.rollout.context))

    def _is_strange(self, context: Any) -> bool:
        is_strange = getattr(self.world_model, 'is_strange', None)
        return bool(is_strange is not None and is_strange(context))

    def _is_complete(self, rollout: Rollout) -> bool:
        if self.config.mode == 'free_running':
            return False
        return rollout.chunk_index * self._chunk_secs >= self.config.horizon_secs - 1e-6

    @property
    def _period_secs(self) -> float:
        return self.world_model.frame_period_secs

    @property
    def _chunk_secs(self) -> float:
        return self.world_model.frames_per_chunk * self._period_secs
