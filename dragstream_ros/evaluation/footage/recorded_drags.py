"""Drags that operators made while a bag was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.serialization import deserialize_message

from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.footage.given_drags import GivenDrag, GivenDrags, timed
from dragstream_ros.evaluation.image_bag import BagMessage
from dragstream_ros.msg import Drag


def drags_of_messages(
    messages: Sequence[BagMessage], *, first_ns: int, has_stamps: bool
) -> tuple[GivenDrags, list[str]]:
    """Convert recorded dragstream_ros/Drag messages; also says which make no sense.

    Of a drag that was changed on its way the last path counts; one that was taken back does not.
    """
    last: dict[str, GivenDrag] = {}
    problems = []
    for recorded in messages:
        message = deserialize_message(recorded.cdr, Drag)
        if message.phase == Drag.CANCEL:
            last.pop(message.drag_id, None)
        if message.phase not in (Drag.BEGIN, Drag.UPDATE):
            continue
        try:
            command = command_from_drag(message)
        except DragStreamError as error:
            problems.append(f'A recorded drag was left out: {error.sentence}')
            continue
        at_ns = recorded.stamp_ns if has_stamps else recorded.logged_ns
        if at_ns < first_ns:
            problems.append(
                f'A recorded drag was left out: its stamp is {(first_ns - at_ns) / 1e9:.1f} s '
                "before the first image's; was it for another camera, or are their clocks apart?")
            continue
        last[message.drag_id] = GivenDrag(
            at_secs=(at_ns - first_ns) / 1e9, image_size=command.image_size, frozen=command.frozen,
            handles=tuple(timed(handle, command.duration_secs) for handle in command.handles))
    return GivenDrags(list(last.values())), problems
