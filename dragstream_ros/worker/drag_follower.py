"""Follows what an operator grabbed from the image that was dragged on to later images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dragstream_ros.core.drag import DragCommand, shift
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.masks.track_points import track_points
from dragstream_ros.worker.frame_intake import HISTORY_SECS, ModelFrame

NS = 1_000_000_000
AHEAD_SECS = 1.0  # the image dragged on may still be on its way to us

# Where points (n, 2) of one frame are in a later one; raises DRAG_LOST.
Follow = Callable[[ModelFrame, ModelFrame, np.ndarray], np.ndarray]


def follow(before: ModelFrame, after: ModelFrame, points_px: np.ndarray) -> np.ndarray:
    """Where points (n, 2) of one frame are in a later one.

    :raises DragStreamError: DRAG_LOST
    """
    if before is after:
        return points_px
    points_px, found = track_points(before.pixels, after.pixels, points_px)
    if not found.all():
        raise DragStreamError(
            ErrorCode.DRAG_LOST,
            f'Handle {int(np.argmin(found))} could not be followed to the newest image; '
            'grab something with more texture, or drag again.',
        )
    return points_px


def follow_once() -> Follow:
    """The same, for many drags of one thing: the same points are followed once."""
    known: dict[tuple[ModelFrame, ModelFrame, bytes], np.ndarray] = {}

    def follow_or_recall(
        before: ModelFrame, after: ModelFrame, points_px: np.ndarray
    ) -> np.ndarray:
        key = before, after, points_px.tobytes()
        if key not in known:
            known[key] = follow(before, after, points_px)
        return known[key]

    return follow_or_recall


class DragFollower:
    """A command in model pixels, bound to the frame it was given on.

    command: as given, with that frame's stamp.
    """

    def __init__(
        self, command: DragCommand, frames: Sequence[ModelFrame], follow: Follow = follow
    ) -> None:
        """Look up the frame among those kept, oldest first; none for a drag on a predicted image.

        :raises DragStreamError: DRAG_STALE, the frame is not kept
        """
        self._follow = follow
        self._given = (command.drag_id, command.stamp_ns)
        self._frame = _frame_dragged_on(command.stamp_ns, frames) if frames else None
        if self._frame is not None:
            command = replace(command, stamp_ns=self._frame.stamp_ns)
        self._first_frame = self._frame
        self.command = command
        self._points_px = self._grabbed_px = _grabbed_px(command)

    def with_path(self, command: DragCommand) -> DragFollower | None:
        """The same drag with a newer path; None: it is another drag, or on another image.

        Operators hold on for longer than frames are kept: what they grabbed goes on from where it
        has been followed to. A handle that is new is looked for in the frame reached so far.

        :raises DragStreamError: DRAG_LOST
        """
        if self._frame is None or (command.drag_id, command.stamp_ns) != self._given:
            return None
        assert self._first_frame is not None
        newer = copy.copy(self)
        newer.command = replace(command, stamp_ns=self.command.stamp_ns)
        newer._grabbed_px = _grabbed_px(command)
        followed = {tuple(grabbed): now for grabbed, now in zip(self._grabbed_px, self._points_px)}
        newer._points_px = np.array([
            followed[point] if (point := tuple(grabbed)) in followed
            else self._follow(self._first_frame, self._frame, grabbed[None])[0]
            for grabbed in newer._grabbed_px])
        return newer

    def located(self, frames: Sequence[ModelFrame], until_ns: int) -> DragCommand:
        """The command with its handles where they are in the newest frame up to until_ns.

        :raises DragStreamError: DRAG_LOST
        """
        if self._frame is None:
            return self.command
        for frame in frames:
            if self._frame.stamp_ns < frame.stamp_ns <= until_ns:
                self._points_px = self._follow(self._frame, frame, self._points_px)
                self._frame = frame
        return shift(self.command, list(self._points_px - self._grabbed_px))


def _grabbed_px(command: DragCommand) -> np.ndarray:
    return np.array([handle.path_px[0] for handle in command.handles], np.float64)


def _frame_dragged_on(stamp_ns: int, frames: Sequence[ModelFrame]) -> ModelFrame:
    nearest = min(frames, key=lambda frame: abs(frame.stamp_ns - stamp_ns))
    too_old_secs = (frames[0].stamp_ns - stamp_ns) / NS
    too_new_secs = (stamp_ns - frames[-1].stamp_ns) / NS
    if too_old_secs > 0.0 and nearest.stamp_ns != stamp_ns:
        raise DragStreamError(
            ErrorCode.DRAG_STALE,
            f'The image dragged on is {(frames[-1].stamp_ns - stamp_ns) / NS:.1f} s older than the '
            f'newest, and {HISTORY_SECS:g} s are kept; drag on a fresh image.',
        )
    if too_new_secs > AHEAD_SECS:
        raise DragStreamError(
            ErrorCode.DRAG_STALE,
            f'The image dragged on is {too_new_secs:.1f} s newer than the newest we have; copy the '
            "camera image's stamp into the drag.",
        )
    return nearest
