"""The worker process: `python -m dragstream_ros.worker.worker SOCKET MEMORY EVENT` (descriptors).

Reads messages from the socket and frames from the mailbox, and sends what the session has to say.
It owns nothing that must be tidied up: it may be killed at any moment, and it ends by itself when
the node's end of the socket closes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, NoReturn

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.lanes import lanes_for
from dragstream_ros.planning.goal_distance import encoder_of
from dragstream_ros.worker.frame_intake import FrameIntake
from dragstream_ros.worker.mailbox import MailboxReader
from dragstream_ros.worker.protocol import (
    EXIT_AFTER_REPORT,
    FromWorker,
    Problem,
    Ready,
    Setup,
    Stats,
    StreamSettings,
)
from dragstream_ros.worker.session import PredictionSession
from dragstream_ros.worker.stream_face import Locate, MakeStream, Stream

if TYPE_CHECKING:  # it brings torch, which a world model need not use
    from dragstream_ros.worker.pace import Pace

_IDLE_SECS = 0.1
_STATS_EVERY_SECS = 0.5
NICENESS = 5  # a prediction can wait a moment, the node and the robot cannot


def main(arguments: list[str]) -> int:
    """Serve until the node is gone; returns the exit status.

    :param arguments: the numbers of three inherited descriptors: socket, mailbox memory and event
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the node decides when to end
    os.nice(NICENESS)
    socket_fd, memory_fd, event_fd = map(int, arguments)
    connection = Connection(socket_fd)
    try:
        return _work(connection, MailboxReader(memory_fd, event_fd))
    except DragStreamError as error:
        connection.send(Problem(code=error.code, sentence=error.sentence))
        return EXIT_AFTER_REPORT
    except (EOFError, ConnectionError):
        return 0  # the node is gone


def _work(connection: Connection, reader: MailboxReader) -> NoReturn:
    """Load the world model, then serve.

    :raises DragStreamError: WEIGHTS_MISSING, WEIGHTS_UNREADABLE, WEIGHTS_MISMATCH, OUT_OF_MEMORY,
        TOO_SLOW
    """
    setup: Setup = connection.recv()
    started = time.monotonic()
    from dragstream_ros.world_models import load_world_model

    try:
        world_model: Any = load_world_model(
            setup.world_model, setup.weights_folder, memory_budget_gb=setup.memory_budget_gb)
    except (ImportError, AttributeError) as error:  # of a user's own: package.module:function
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f'The world model {setup.world_model!r} could not be imported: {error}.') from error
    pace = _timed(world_model, setup, connection)
    if pace is not None:
        world_model = pace.world_model
    session = PredictionSession(
        model_size=world_model.image_size,
        frame_period_secs=world_model.frame_period_secs,
        settings=setup.settings,
        make_stream=world_model.make_stream if pace is None else _stream_maker(pace),
        first_epoch=setup.first_epoch,
        planning_share=setup.planning_share,
        most_goals=getattr(world_model, 'most_goals', None),
        **_for_planning(world_model),
    )
    connection.send(Ready(
        image_size=world_model.image_size,
        frame_period_secs=world_model.frame_period_secs,
        frames_per_chunk=world_model.frames_per_chunk,
        load_secs=time.monotonic() - started,
    ))
    _serve(session, connection, FrameIntake(reader, model_size=world_model.image_size),
           news=pace.news if pace is not None else list)


def _serve(
    session: PredictionSession, connection: Connection, intake: FrameIntake, *,
    news: Callable[[], list[FromWorker]],
) -> NoReturn:
    """Feed the session and send what it says, and the news, until the connection breaks."""
    n_done, stats_due = 0, 0.0
    while True:
        wait([connection, intake.fileno()], 0.0 if n_done else _IDLE_SECS)
        messages = []
        while connection.poll():
            messages.append(connection.recv())
        # Taken last and fed first: a drag that came after its image must find it. Feeding takes
        # its time, so what comes meanwhile is for the next round, with frames as new as it is.
        frames, problems = intake.look()
        events = [*problems, *session.feed(frames)]
        for message in messages:
            events += session.handle(message)
        done = session.step()
        n_done = len(done)
        for event in [*news(), *events, *done]:
            connection.send(event)
        if time.monotonic() >= stats_due:
            stats_due = time.monotonic() + _STATS_EVERY_SECS
            connection.send(Stats(
                n_taken=intake.n_taken, n_replaced=intake.n_replaced,
                context_bytes=session.context_bytes,
            ))


def _timed(world_model: Any, setup: Setup, connection: Connection) -> Pace | None:
    """How it keeps up; None for a world model that brings a stream of its own.

    :raises DragStreamError: TOO_SLOW, OUT_OF_MEMORY
    """
    if hasattr(world_model, 'make_stream'):
        return None
    from dragstream_ros.worker.pace import Pace, PaceConfig
    from dragstream_ros.world_models import set_up_inference

    set_up_inference()
    return Pace(
        world_model, PaceConfig(keep_up=setup.keep_up, min_speed=setup.min_speed),
        alive=lambda: connection.send(Stats(n_taken=0, n_replaced=0, context_bytes=0)))


def _stream_maker(pace: Pace) -> MakeStream:
    """Streams that are dragged by DragStream, as fast as the pace allows."""
    from dragstream_ros.core.stream import DragStream, StreamConfig
    from dragstream_ros.masks.once_per_picture import OncePerPicture
    from dragstream_ros.masks.touched_region import touched_region

    grow = OncePerPicture(touched_region)

    def make_stream(settings: StreamSettings, locate: Locate) -> Stream:
        config = StreamConfig(
            mode=settings.mode, control=settings.control, replay=settings.replay,
            anchor_rate_hz=settings.anchor_rate_hz, horizon_secs=settings.horizon_secs,
            seed=settings.seed,
        )
        return DragStream(
            pace.world_model, pace.guidance(settings), config, locate, grow)

    return make_stream


def _for_planning(world_model: Any) -> dict[str, Any]:
    """What goals need of a world model; one with a stream of its own may lack torch."""
    if hasattr(world_model, 'make_stream'):
        return {}
    return {'lanes': lanes_for(world_model), 'encode': encoder_of(world_model)}


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
