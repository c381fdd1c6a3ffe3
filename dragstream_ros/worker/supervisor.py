"""Starts the worker, minds it, starts it again when it dies; nothing here makes its caller wait."""

from __future__ import annotations

import enum
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from dragstream_ros.errors import ErrorCode
from dragstream_ros.worker.mailbox import FrameMailbox
from dragstream_ros.worker.protocol import (
    EXIT_AFTER_REPORT,
    FromWorker,
    Gone,
    Problem,
    Ready,
    Setup,
    ToWorker,
)

_LOOK_EVERY_SECS = 0.1
_STOP_WITHIN_SECS = 1.0
_EXIT_WITHIN_SECS = 5.0  # once it has hung up; on a busy computer Python takes its time


class WorkerState(enum.Enum):
    """STARTING until the world model is loaded; WAITING before the next attempt."""

    STOPPED = 'stopped'
    STARTING = 'starting'
    RUNNING = 'running'
    WAITING = 'waiting to restart'


@dataclass(frozen=True, kw_only=True)
class SupervisorConfig:
    """When a worker counts as hung, and how long to wait before the next one.

    start_within_secs: for loading the world model and compiling it. silent_after_secs: without any
    message, which must exceed the longest chunk. slow_after_secs: reports WORKER_SLOW.
    first_wait_secs: doubles with each failure up to longest_wait_secs, and starts over after a
    minute of health.
    """

    start_within_secs: float = 300.0
    silent_after_secs: float = 30.0
    slow_after_secs: float = 5.0
    first_wait_secs: float = 0.5
    longest_wait_secs: float = 30.0


def restart_wait_secs(n_failures: int, config: SupervisorConfig) -> float:
    """How long to wait after the n-th failure in a row (n from 1)."""
    doubled_secs = config.first_wait_secs * 2.0 ** min(n_failures - 1, 32)
    return float(min(doubled_secs, config.longest_wait_secs))


class WorkerSupervisor:
    """One worker process at a time, and two threads that talk to it.

    on_event is called with each message of the worker, with a Problem when it dies, and with Gone
    whenever it has ended, from a thread of the supervisor: it must only hand the message on.
    """

    def __init__(
        self,
        *,
        setup: Callable[[], Setup],
        on_event: Callable[[FromWorker], None],
        config: SupervisorConfig | None = None,
    ) -> None:
        """Start nothing yet; setup() is asked for the first message to each new worker."""
        self.mailbox = FrameMailbox()
        self.state = WorkerState.STOPPED
        self.n_restarts = 0
        self._setup = setup
        self._on_event = on_event
        self._config = config or SupervisorConfig()
        self._stopping = threading.Event()
        self._told: Problem | None = None  # the last one, which may be why the worker ends
        self._outbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name='worker-supervisor', daemon=True)

    def start(self) -> None:
        """Start the worker, again and again if need be, until stop()."""
        self._thread.start()

    def send(self, message: ToWorker) -> bool:
        """Hand a message over; False if there is no worker that could read it."""
        if self.state not in (WorkerState.STARTING, WorkerState.RUNNING):
            return False
        self._outbox.put(message)
        return True

    def stop(self) -> None:
        """Begin to end the worker; returns at once, see join()."""
        self._stopping.set()

    def join(self, timeout_secs: float = 2.0 * _STOP_WITHIN_SECS + _EXIT_WITHIN_SECS) -> bool:
        """Wait until worker and threads are gone; False if they still are not."""
        self._thread.join(timeout_secs)
        return not self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        """Process id of the running worker."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def resident_bytes(self) -> int:
        """Memory that the worker holds; 0 if there is none."""
        return resident_bytes(self.pid) if self.pid is not None else 0

    def _run(self) -> None:
        n_failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            why = self._serve_one_worker()
            if self._stopping.is_set():
                break
            healthy = time.monotonic() - started > 60.0
            n_failures = 1 if healthy else n_failures + 1
            wait_secs = restart_wait_secs(n_failures, self._config)
            self.state = WorkerState.WAITING
            told = self._told
            if why is not None or told is None:
                told = Problem(
                    code=ErrorCode.WORKER_DIED,
                    sentence=f'The worker process {why or "ended"}; it is started again in '
                    f'{wait_secs:.1f} s.',
                )
                self._on_event(told)
            # After the state, so that whatever was sent to this worker is pending by now.
            self._on_event(Gone(code=told.code, sentence=told.sentence))
            self._stopping.wait(wait_secs)
            self.n_restarts += 1
        self.state = WorkerState.STOPPED
        self.mailbox.close()

    def _serve_one_worker(self) -> str | None:
        """Run one worker to its end; returns what ended it, None if it has told that itself."""
        ours, theirs = socket.socketpair()
        self._told = None
        with theirs:
            try:
                self._process = process = self._spawn(theirs.fileno())
            except OSError as error:
                ours.close()
                return f'could not be started ({error})'
        connection = Connection(ours.detach())
        outbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        outbox.put(self._setup())
        # Sending waits while the worker computes, and must not keep us from minding it meanwhile.
        sender = threading.Thread(
            target=_send_all, args=(outbox, connection), name='worker-sender', daemon=True)
        sender.start()
        self._outbox = outbox
        self.state = WorkerState.STARTING
        try:
            return self._mind(process, connection)
        finally:
            _end(process)
            outbox.put(None)
            sender.join(_STOP_WITHIN_SECS)
            connection.close()

    def _mind(self, process: subprocess.Popen[bytes], connection: Connection) -> str | None:
        """Pass the worker's messages on until it is gone, has to go, or shall go."""
        heard, was_slow = time.monotonic(), False
        while not self._stopping.is_set():
            if wait([connection], _LOOK_EVERY_SECS):
                try:
                    event = connection.recv()
                except (EOFError, OSError):  # the process has ended, perhaps in mid-sentence
                    return _how_it_ended(process)
                heard, was_slow = time.monotonic(), False
                if isinstance(event, Ready):
                    self.state = WorkerState.RUNNING
                elif isinstance(event, Problem):
                    self._told = event
                self._on_event(event)
                continue
            silent_secs = time.monotonic() - heard
            running = self.state is WorkerState.RUNNING
            if silent_secs > (
                self._config.silent_after_secs if running else self._config.start_within_secs
            ):
                return f'has not answered for {silent_secs:.0f} s'
            if running and silent_secs > self._config.slow_after_secs and not was_slow:
                was_slow = True
                self._on_event(Problem(
                    code=ErrorCode.WORKER_SLOW,
                    sentence=f'A prediction takes longer than {self._config.slow_after_secs:g} s; '
                    'choose a faster profile or a smaller model.',
                ))
        return 'was stopped'

    def _spawn(self, socket_fd: int) -> subprocess.Popen[bytes]:
        fds = (socket_fd, self.mailbox.memory_fd, self.mailbox.event_fd)
        # Inference has no such threads (lanes.py), but a world model with a stream of its own may:
        # where they spin while they wait they take the time of everything else.
        environment = {**os.environ, 'OMP_WAIT_POLICY': 'PASSIVE'}
        return subprocess.Popen(
            [sys.executable, '-m', 'dragstream_ros.worker.worker', *map(str, fds)],
            pass_fds=fds,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for the node, which then ends us
        )


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 if it is gone."""
    try:
        with open(f'/proc/{pid}/statm') as statm:
            return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except (OSError, IndexError):
        return 0


def _send_all(outbox: queue.SimpleQueue[ToWorker | None], connection: Connection) -> None:
    """Send what comes into the outbox, until None."""
    while (message := outbox.get()) is not None:
        try:
            connection.send(message)
        except OSError:  # the worker is gone, which the minder notices by itself
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process: it owns nothing that needs a goodbye."""
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_WITHIN_SECS)


def _how_it_ended(process: subprocess.Popen[bytes]) -> str | None:
    try:
        status = process.wait(_EXIT_WITHIN_SECS)
    except subprocess.TimeoutExpired:
        return 'closed its connection'
    if status == EXIT_AFTER_REPORT:
        return None
    return f'was killed by signal {-status}' if status < 0 else f'ended with exit status {status}'
