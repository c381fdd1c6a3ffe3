"""Shows predicted frames on the topics, each at its time: a Playback, a timer and the outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rclpy.lifecycle import LifecycleNode

from dragstream_ros.nodes.diagnostics import Statistics
from dragstream_ros.nodes.playback import Playback
from dragstream_ros.nodes.prediction_output import PredictionOutput
from dragstream_ros.worker.protocol import Chunk

if TYPE_CHECKING:
    from dragstream_ros.nodes.parameters import Parameters


class Player:
    """Publishes each chunk's clip when it comes, and its frames one every frame period.

    The pace follows the node's clock: a bag that is played at half speed is shown at half speed.
    """

    def __init__(
        self, node: LifecycleNode, statistics: Statistics, parameters: Callable[[], Parameters]
    ) -> None:
        """Create the publishers and a timer that sleeps."""
        self.output = PredictionOutput(node)
        self._node = node
        self._statistics = statistics
        self._parameters = parameters
        self._playback = Playback()
        self._timer = node.create_timer(1.0, statistics.timed('playback', self._play))
        self._timer.cancel()

    def destroy(self) -> None:
        """Remove timer and publishers."""
        self._node.destroy_timer(self._timer)
        self.output.destroy()

    def set_frame_period(self, secs: float) -> None:
        """The world model's, known when it is loaded."""
        self._playback.frame_period_secs = secs

    def offer(self, chunk: Chunk, handle_names: Sequence[str]) -> None:
        """Take a chunk that was just predicted."""
        self.output.publish_clip(chunk, handle_names)
        n_replaced = self._playback.offer(chunk, self._now_secs())
        self._statistics.drops['frame replaced by a newer prediction'] += n_replaced
        self._statistics.got_chunk(chunk, self._playback.frame_period_secs)
        self._play()

    def drop_drag(self, drag_id: str) -> None:
        """Do not show what is left of a drag that was taken back."""
        n_dropped = self._playback.drop_drag(drag_id)
        self._statistics.drops['frame of a cancelled drag'] += n_dropped

    def clear(self) -> None:
        """Show nothing until the next chunk."""
        self._playback.clear()
        self._timer.cancel()

    def _play(self) -> None:
        """Publish the frame that is due, and come again when the next one is."""
        shown = self._playback.take(self._now_secs())
        if shown is not None:
            latency_secs = (time.monotonic_ns() - shown.chunk.source_arrival_ns) / 1e9
            parameters = self._parameters()
            self.output.publish_frame(
                shown, latency_secs=latency_secs, jpeg_quality=parameters.jpeg_quality,
                preview_scale=parameters.preview_scale, horizon_secs=parameters.horizon_secs)
            self._statistics.showed(shown, latency_secs)
        due_secs = self._playback.next_due_secs()
        if due_secs is None:
            self._timer.cancel()
            return
        self._timer.timer_period_ns = max(round((due_secs - self._now_secs()) * 1e9), 1)
        self._timer.reset()

    def _now_secs(self) -> float:
        return float(self._node.get_clock().now().nanoseconds) / 1e9
