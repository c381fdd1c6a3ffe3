"""The drag that acts on the live stream: when a new path takes over, and when the drag is over."""

from __future__ import annotations

from collections.abc import Sequence

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.worker.drag_follower import DragFollower
from dragstream_ros.worker.frame_intake import ModelFrame
from dragstream_ros.worker.stream_face import Stream


class LiveDrag:
    """At most one drag, and at most one newer path of it that waits for its turn.

    is_preview: every prediction replays the whole path. A new path of the drag then waits until the
    running prediction has reached its horizon, or an operator who keeps moving would see first
    chunks only; and a drag that has ended stays until its last prediction has been shown. In all
    other modes the stream goes along the path once, and drops the drag at its end.
    """

    def __init__(self, stream: Stream, *, is_preview: bool) -> None:
        self._stream = stream
        self._is_preview = is_preview
        self._in_force: DragFollower | None = None
        self._newer_path: DragFollower | None = None
        self._is_ending = False
        self._is_owed = False  # nothing has been predicted yet of what is in force
        self._is_predicting = False
        self._shown_from = self._shown_until = 0.0  # when the newest prediction is played

    @property
    def command(self) -> DragCommand | None:
        """The drag in force."""
        return self._in_force.command if self._in_force is not None else None

    def with_path(self, command: DragCommand) -> DragFollower | None:
        """The drag in force, or that waits, with a newer path; None: the command is no such."""
        newest = self._newer_path or self._in_force
        return newest and newest.with_path(command)

    def push(self, drag: DragFollower) -> None:
        """Take a new drag, or a new path of the one in force.

        :raises DragStreamError: it makes no sense to the stream; the one in force stays
        """
        if self._is_preview and self._is_predicting and self._has(drag.command.drag_id):
            self._newer_path = drag
        else:
            self._put_in_force(drag)
        self._is_ending = False

    def push_again(self) -> None:
        """Tell the stream once more what is in force: it has started over by itself."""
        if self._in_force is not None:
            self._stream.push_drag(self._in_force.command)

    def end(self, drag_id: str) -> None:
        """The operator let go."""
        if self._is_preview and self._has(drag_id):
            self._is_ending = True

    def cancel(self, drag_id: str) -> None:
        """The operator took it back."""
        if self._has(drag_id):
            self.release()

    def release(self) -> None:
        """Go on undragged."""
        self._in_force = self._newer_path = None
        self._is_ending = self._is_owed = False
        self._stream.release()

    def may_predict(self, now_secs: float) -> bool:
        """Before each chunk: let a waiting path take over, or the drag go; False: not yet.

        :raises DragStreamError: the waiting path makes no sense to the stream
        """
        if self._is_predicting or self._is_owed:
            return True
        if self._newer_path is not None:
            self._put_in_force(self._newer_path)
        elif self._is_ending:
            if now_secs < self._shown_until:
                return False
            self.release()
        return True

    def predicted(self, now_secs: float, *, is_first: bool, is_last: bool, secs: float) -> None:
        """After each chunk: it reaches `secs` beyond the anchor."""
        self._is_owed = False
        if is_first:
            self._shown_from = now_secs
        self._shown_until = self._shown_from + secs
        self._is_predicting = not is_last

    def located(
        self, command: DragCommand, frames: Sequence[ModelFrame], anchor_ns: int
    ) -> DragCommand:
        """Where the handles of a command that was pushed are in the anchor's frame.

        :raises DragStreamError: DRAG_LOST
        """
        if self._in_force is None or command is not self._in_force.command:
            return command  # a goal's, located when it was accepted
        return self._in_force.located(frames, anchor_ns)

    def _has(self, drag_id: str) -> bool:
        return self.command is not None and self.command.drag_id == drag_id

    def _put_in_force(self, drag: DragFollower) -> None:
        self._newer_path = None
        self._stream.push_drag(drag.command)
        self._in_force, self._is_owed = drag, True
