"""The one-slot mailbox between the node and the worker."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from dragstream_ros.worker.mailbox import FrameMailbox, MailboxReader, RawFrame


@pytest.fixture
def mailbox():
    box = FrameMailbox(frame_bytes=1000)
    yield box
    box.close()


@pytest.fixture
def reader(mailbox):
    end = MailboxReader(os.dup(mailbox.memory_fd), os.dup(mailbox.event_fd))
    yield end
    end.close()


def frame(data: bytes = b'x', **fields) -> RawFrame:
    return RawFrame(data=data, **{'stamp_ns': 1, 'arrival_ns': 2, **fields})


def is_readable(reader: MailboxReader) -> bool:
    return bool(select.select([reader], [], [], 0)[0])


def test_a_frame_arrives_as_it_was_put(mailbox, reader):
    sent = RawFrame(
        data=bytes(range(200)), stamp_ns=-5, arrival_ns=1 << 62, generation=7,
        encoding='bayer_rggb8', height=10, width=20, step=30, is_bigendian=True,
    )
    mailbox.put(sent)
    assert reader.take() == sent


def test_compressed_bytes_of_any_length_arrive(mailbox, reader):
    for size in (1, 999, 0):
        sent = frame(os.urandom(size), compressed=True, encoding='jpeg')
        mailbox.put(sent)
        assert reader.take() == sent


def test_a_frame_is_taken_once(mailbox, reader):
    assert reader.take() is None
    mailbox.put(frame())
    assert reader.take() is not None
    assert reader.take() is None


def test_the_newest_frame_wins_and_the_others_are_counted(mailbox, reader):
    for stamp_ns in range(5):
        mailbox.put(frame(stamp_ns=stamp_ns))
    taken = reader.take()
    assert taken is not None and taken.stamp_ns == 4
    assert reader.n_dropped == 4


def test_flushed_frames_are_never_taken(mailbox, reader):
    mailbox.put(frame(b'old'))
    mailbox.flush()
    assert reader.take() is None
    mailbox.put(frame(b'new'))
    taken = reader.take()
    assert taken is not None and taken.data == b'new'


def test_the_mailbox_grows_for_a_larger_frame(mailbox, reader):
    mailbox.put(frame(b'small'))
    large = np.random.default_rng(0).bytes(3_000_000)
    mailbox.put(frame(large))
    taken = reader.take()
    assert taken is not None and taken.data == large
    mailbox.put(frame(b'small again'))
    taken = reader.take()
    assert taken is not None and taken.data == b'small again'


def test_the_reader_can_sleep_until_a_frame_comes(mailbox, reader):
    assert not is_readable(reader)
    mailbox.put(frame())
    assert is_readable(reader)
    reader.take()
    assert not is_readable(reader)


READ_ALL = textwrap.dedent("""
    import select, sys
    from dragstream_ros.worker.mailbox import MailboxReader
    reader = MailboxReader(int(sys.argv[1]), int(sys.argv[2]))
    print('ready', flush=True)
    n_taken, last = 0, 0
    while last < int(sys.argv[3]):
        select.select([reader], [], [], 10)
        frame = reader.take()
        if frame is None:
            continue
        assert frame.stamp_ns > last, (frame.stamp_ns, last)
        assert frame.data == frame.data[:1] * len(frame.data), 'torn frame'
        assert frame.data[0] == frame.stamp_ns % 251
        n_taken, last = n_taken + 1, frame.stamp_ns
    print(n_taken, reader.n_dropped)
""")


def start_reader(mailbox: FrameMailbox, code: str, *arguments: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(mailbox.memory_fd), str(mailbox.event_fd), *arguments],
        pass_fds=(mailbox.memory_fd, mailbox.event_fd), stdout=subprocess.PIPE, text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == 'ready\n'
    return process


def test_no_frame_is_torn_while_two_processes_are_at_it(mailbox):
    n_frames = 2000
    with start_reader(mailbox, READ_ALL, str(n_frames)) as process:
        for number in range(1, n_frames + 1):
            size = 200_000 + 150_000 * (number // 500)  # grows three times on the way
            mailbox.put(frame(bytes([number % 251]) * size, stamp_ns=number))
        report, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    n_taken, n_dropped = map(int, report.split())
    assert n_taken + n_dropped == n_frames and n_taken > 1


DO_NOTHING = textwrap.dedent("""
    import sys, time
    from dragstream_ros.worker.mailbox import MailboxReader
    reader = MailboxReader(int(sys.argv[1]), int(sys.argv[2]))
    print('ready', flush=True)
    time.sleep(60)
""")


def shared_memory() -> set[str]:
    """All but what nodes of other tests, which run at the same time, have for their messages."""
    return {name for name in os.listdir('/dev/shm') if 'fastdds' not in name}


def test_a_killed_reader_holds_nothing_and_leaves_nothing(mailbox):
    before = shared_memory()
    with start_reader(mailbox, DO_NOTHING) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
    start = time.perf_counter()
    for _ in range(10):
        mailbox.put(frame())
    assert time.perf_counter() - start < 0.5
    assert shared_memory() - before == set()


def test_a_closed_mailbox_gives_its_descriptors_back():
    gc.collect()
    before = len(os.listdir('/proc/self/fd'))
    for _ in range(20):
        FrameMailbox().close()
    assert len(os.listdir('/proc/self/fd')) == before
