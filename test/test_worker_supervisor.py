"""The worker as a real process: started, fed, killed, hung, restarted, stopped."""

from __future__ import annotations

import os
import pathlib
import queue
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from session_maker import drag, raw_frame

from dragstream_ros.errors import ErrorCode
from dragstream_ros.worker.protocol import (
    Chunk,
    FromWorker,
    Problem,
    PushDrag,
    Ready,
    Setup,
    Stats,
    StreamSettings,
)
from dragstream_ros.worker.supervisor import (
    SupervisorConfig,
    WorkerState,
    WorkerSupervisor,
    restart_wait_secs,
)

HERE = pathlib.Path(__file__).parent


class Worker:
    """A supervisor that tests can wait on."""

    def __init__(
        self, weights_folder: str = '', world_model: str = 'stub_world_model:load', **config
    ) -> None:
        self.events: queue.SimpleQueue[FromWorker] = queue.SimpleQueue()
        self.first_epoch = 0
        self.weights_folder = weights_folder
        self.supervisor = WorkerSupervisor(
            setup=lambda: Setup(
                world_model=world_model, weights_folder=self.weights_folder,
                settings=StreamSettings(), first_epoch=self.first_epoch),
            on_event=self.events.put,
            config=SupervisorConfig(first_wait_secs=0.05, **config),
        )
        self.supervisor.start()

    def wait_for(self, kind: type, timeout_secs: float = 10.0, **fields):
        """The next message of this kind with these fields; everything before it is dropped."""
        deadline = time.monotonic() + timeout_secs
        while (left := deadline - time.monotonic()) > 0:
            try:
                event = self.events.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, kind) and all(
                    getattr(event, name) == value for name, value in fields.items()):
                return event
        raise AssertionError(f'no {kind.__name__} with {fields} in {timeout_secs} s')

    def put(self, t_secs: float) -> None:
        self.supervisor.mailbox.put(raw_frame(t_secs))

    def push(self, drag_id: str, t_secs: float = 0.0) -> None:
        command = drag((40, 40), (80, 40), drag_id=drag_id, t_secs=t_secs)
        assert self.supervisor.send(PushDrag(command=command, generation=0))


@pytest.fixture
def start(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(HERE), prepend=os.pathsep)
    workers = []

    def start(*arguments, **config) -> Worker:
        workers.append(Worker(*arguments, **config))
        return workers[-1]

    yield start
    for worker in workers:
        worker.supervisor.stop()
        assert worker.supervisor.join()


def test_waiting_doubles_with_each_failure_up_to_a_bound():
    config = SupervisorConfig(first_wait_secs=0.5, longest_wait_secs=30.0)
    assert [restart_wait_secs(n, config) for n in (1, 2, 3, 7, 1000)] == [0.5, 1, 2, 30, 30]


def test_the_worker_says_what_it_loaded_and_that_it_lives(start):
    worker = start()
    ready = worker.wait_for(Ready)
    assert ready.image_size == (64, 64) and ready.frames_per_chunk == 4
    assert worker.supervisor.state is WorkerState.RUNNING
    worker.wait_for(Stats)
    assert worker.supervisor.resident_bytes() > 1 << 20


def test_frames_in_the_mailbox_and_a_drag_in_the_pipe_give_chunks(start):
    worker = start()
    worker.wait_for(Ready)
    worker.put(0.0)
    assert worker.wait_for(Chunk, last=True).drag_id == ''
    worker.push('a')
    assert worker.wait_for(Chunk, drag_id='a').tracks_px.shape == (1, 4, 2)


def test_a_frame_and_a_drag_that_came_while_loading_are_served(start):
    worker = start()
    worker.put(0.0)
    deadline = time.monotonic() + 10.0
    while worker.supervisor.state is WorkerState.STOPPED:
        assert time.monotonic() < deadline
    worker.push('early')
    worker.wait_for(Chunk, drag_id='early')


def test_every_frame_is_seen_while_a_long_chunk_is_computed(start):
    worker = start()
    worker.wait_for(Ready)
    worker.put(0.0)
    worker.wait_for(Chunk, last=True)
    worker.push('slow')
    for tenth in range(1, 9):  # the chunk takes half a second
        time.sleep(0.05)
        worker.put(tenth / 10)
    worker.wait_for(Chunk, last=True, source_stamp_ns=800_000_000)
    assert worker.wait_for(Stats).n_replaced == 0


def test_a_bad_image_is_told_and_the_next_one_served(start):
    worker = start()
    worker.wait_for(Ready)
    from dragstream_ros.worker.mailbox import RawFrame
    worker.supervisor.mailbox.put(RawFrame(
        data=b'\xff\xd8 no picture', compressed=True, stamp_ns=3, arrival_ns=0))
    assert worker.wait_for(Problem, code=ErrorCode.IMAGE_DECODE_FAILED).stamp_ns == 3
    worker.put(0.1)
    worker.wait_for(Chunk)


def test_a_killed_worker_is_told_and_replaced(start):
    worker = start()
    worker.wait_for(Ready)
    os.kill(worker.supervisor.pid, signal.SIGKILL)
    assert 'signal 9' in worker.wait_for(Problem, code=ErrorCode.WORKER_DIED).sentence
    worker.first_epoch = 3
    worker.put(0.0)
    assert worker.wait_for(Chunk).epoch == 3
    assert worker.supervisor.n_restarts == 1


def test_a_hung_worker_is_told_and_replaced(start):
    worker = start(slow_after_secs=0.7, silent_after_secs=1.2)
    worker.wait_for(Ready)
    worker.put(0.0)
    worker.wait_for(Chunk, last=True)
    worker.push('hang')
    worker.wait_for(Problem, code=ErrorCode.WORKER_SLOW)
    worker.wait_for(Problem, code=ErrorCode.WORKER_DIED)
    worker.put(0.1)
    worker.wait_for(Chunk)


def test_sending_never_waits_for_a_hung_worker(start):
    worker = start()
    worker.wait_for(Ready)
    os.kill(worker.supervisor.pid, signal.SIGSTOP)
    started = time.monotonic()
    for _ in range(2000):
        worker.push('a')
        worker.put(0.0)
    assert time.monotonic() - started < 1.0


def test_weights_that_are_missing_or_broken_are_told_once_a_try_and_then_served(start, tmp_path):
    worker = start(str(tmp_path))
    worker.wait_for(Problem, code=ErrorCode.WEIGHTS_MISSING)
    (tmp_path / 'weights').write_text('trunc')
    worker.wait_for(Problem, code=ErrorCode.WEIGHTS_UNREADABLE)
    (tmp_path / 'weights').write_text('good')
    worker.wait_for(Ready)


@pytest.mark.parametrize('name', ['no_such_module:load', 'stub_world_model:no_such_function'])
def test_a_world_model_that_cannot_be_imported_is_told(start, name):
    problem = start(world_model=name).wait_for(Problem)
    assert problem.code == ErrorCode.WEIGHTS_MISSING and 'no_such' in problem.sentence


@pytest.mark.alone
def test_stopping_is_quick_even_when_the_worker_hangs(start):
    worker = start()
    worker.wait_for(Ready)
    worker.put(0.0)
    worker.push('hang')
    time.sleep(0.2)
    pid = worker.supervisor.pid
    started = time.monotonic()
    worker.supervisor.stop()
    assert time.monotonic() - started < 0.05
    assert worker.supervisor.join()
    assert time.monotonic() - started < 3.0
    assert not pathlib.Path(f'/proc/{pid}').exists()


def test_a_worker_ends_by_itself_when_its_node_is_killed(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(HERE), prepend=os.pathsep)
    node = textwrap.dedent("""
        import time
        from test_worker_supervisor import Worker, Ready
        worker = Worker()
        worker.wait_for(Ready)
        print(worker.supervisor.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen(
            [sys.executable, '-c', node], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 5.0
    while pathlib.Path(f'/proc/{pid}').exists() and is_alive(pid):
        assert time.monotonic() < deadline, 'the worker outlives its node'
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """False for a zombie, which only waits to be reaped by whoever adopted it."""
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'


def test_the_worker_imports_no_ros():
    code = 'import dragstream_ros.worker.worker, sys; print("rclpy" in sys.modules)'
    assert subprocess.check_output([sys.executable, '-c', code], text=True) == 'False\n'
