"""The node's end of the worker: brings its messages into the executor's thread."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import partial

from rclpy.node import Node

from dragstream_ros.worker.mailbox import RawFrame
from dragstream_ros.worker.protocol import FromWorker, Setup, ToWorker
from dragstream_ros.worker.supervisor import SupervisorConfig, WorkerState, WorkerSupervisor


class WorkerLink:
    """At most one supervised worker; on_event is called in the executor's thread, once a message.

    Worker and supervisor end in their own time after stop(); what they still say is not heard.
    """

    def __init__(self, node: Node, on_event: Callable[[FromWorker], None]) -> None:
        self._on_event = on_event
        self._supervisor: WorkerSupervisor | None = None
        self._retired: list[WorkerSupervisor] = []
        self._n_started = 0
        self._inbox: queue.SimpleQueue[tuple[int, FromWorker]] = queue.SimpleQueue()
        self._wake = node.create_guard_condition(self._on_wake)

    def start(self, setup: Callable[[], Setup], config: SupervisorConfig) -> None:
        """Start a worker; setup() is asked for its first message, again after each restart."""
        self._n_started += 1
        self._supervisor = WorkerSupervisor(
            setup=setup, on_event=partial(self._post, self._n_started), config=config)
        self._supervisor.start()

    def stop(self) -> None:
        """End the worker; returns at once."""
        if self._supervisor is None:
            return
        self._supervisor.stop()
        self._retired = [old for old in self._retired if not old.join(0.0)]
        self._retired.append(self._supervisor)
        self._supervisor = None

    def join(self) -> None:
        """Wait until all workers that were stopped are gone."""
        for supervisor in self._retired:
            supervisor.join()

    def send(self, message: ToWorker) -> bool:
        """Hand a message over; False if there is no worker now."""
        return self._supervisor is not None and self._supervisor.send(message)

    def put(self, frame: RawFrame) -> None:
        """Hand a camera frame over."""
        if self._supervisor is not None:
            self._supervisor.mailbox.put(frame)

    def flush(self) -> None:
        """Frames that the worker has not taken yet are not of interest any more."""
        if self._supervisor is not None:
            self._supervisor.mailbox.flush()

    @property
    def state(self) -> WorkerState:
        """What the worker is doing."""
        return self._supervisor.state if self._supervisor is not None else WorkerState.STOPPED

    @property
    def n_restarts(self) -> int:
        """How often it had to be started again."""
        return self._supervisor.n_restarts if self._supervisor is not None else 0

    def resident_bytes(self) -> int:
        """Memory that it holds."""
        return self._supervisor.resident_bytes() if self._supervisor is not None else 0

    def _post(self, number: int, event: FromWorker) -> None:
        """Called by the supervisor's thread."""
        self._inbox.put((number, event))
        self._wake.trigger()

    def _on_wake(self) -> None:
        try:
            number, event = self._inbox.get_nowait()
        except queue.Empty:
            return
        if not self._inbox.empty():
            self._wake.trigger()  # one at a time: other callbacks need not wait for all of them
        if self._supervisor is not None and number == self._n_started:
            self._on_event(event)
