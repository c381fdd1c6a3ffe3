"""Sends drags that were decided beforehand, each when its image comes; in a loop, again."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message

from dragstream_ros.adapters.drag import DragPhase, drag_from_command
from dragstream_ros.adapters.image import decode_compressed
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.evaluation.drag_plan import PlannedDrag
from dragstream_ros.evaluation.image_bag import stamp_of
from dragstream_ros.evaluation.listener import TOPICS
from dragstream_ros.msg import Drag


class PlannedOperator:
    """Sends planned drags when their images come. publisher: of Drag, set before the first."""

    publisher: Publisher

    def __init__(self, drags: Sequence[PlannedDrag]) -> None:
        """Take the plan, in any order."""
        self._plan = sorted(drags, key=lambda drag: drag.at_secs)
        self._waiting: list[PlannedDrag] = []
        self._ends: list[tuple[float, str]] = []  # when to let go of which drag
        self._n_sent = 0
        self._first_ns = self._newest_ns = sys.maxsize

    def see(self, topic: str, cdr: bytes) -> None:
        """Look at an image; begin or end what is due on it."""
        stamp_ns = stamp_of(cdr)
        if stamp_ns < self._newest_ns:  # the first one, or the bag begins again
            self._first_ns, self._waiting, self._ends = stamp_ns, self._plan.copy(), []
        self._newest_ns = stamp_ns
        secs = (stamp_ns - self._first_ns) / 1e9
        while self._ends and secs >= self._ends[0][0]:
            drag_id = self._ends.pop(0)[1]
            self.publisher.publish(Drag(drag_id=drag_id, phase=int(DragPhase.END)))
        while self._waiting and secs >= self._waiting[0].at_secs:
            self._begin(self._waiting.pop(0), topic, cdr, secs)

    def _begin(self, drag: PlannedDrag, topic: str, cdr: bytes, secs: float) -> None:
        image = deserialize_message(cdr, TOPICS[topic])
        size = (image.width, image.height) if topic == 'image' else (
            decode_compressed(memoryview(image.data)).shape[1::-1])
        self._n_sent += 1
        command = DragCommand(
            drag_id=f'planned_{self._n_sent}', operator_id='replay', mode=DragMode.ANIMATE,
            handles=(DragHandle(path_px=drag.path_px),),
            image_size=(size[0], size[1]), stamp_ns=stamp_of(cdr),
            duration_secs=drag.duration_secs)
        self.publisher.publish(drag_from_command(command, header=image.header))
        self._ends.append((secs + drag.duration_secs, command.drag_id))
        self._ends.sort()
