"""A run of nodes that keeps to itself, always ends, and says what went wrong."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from collections.abc import Iterator

from dragstream_ros.runner import END_SIGNALS


def keep_to_this_machine() -> str:
    """Keep the ROS graph of this process and its children to this machine and to themselves.

    What the user has set stays.

    :returns: the ROS_DOMAIN_ID
    """
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    return os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let the first signal that ends a process raise KeyboardInterrupt, and no later one.

    So that the nodes are always ended. After the first all are ignored for good: the process has
    still to say so, and to end as it says.
    """
    is_ending = False

    def end(*_: object) -> None:
        nonlocal is_ending
        is_ending = True
        for number in END_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in END_SIGNALS}
    try:
        yield
    finally:
        if not is_ending:
            for number, handler in before.items():
                signal.signal(number, handler)


def last_complaint(log: pathlib.Path) -> str:
    """What a node last said was wrong, and where to read more; to end a sentence with."""
    lines = log.read_text(errors='replace').splitlines()
    complaints = [line.strip() for line in lines if '[ERROR]' in line or 'Error: ' in line]
    last = f'the last error is "{complaints[-1]}"; ' if complaints else ''
    return f'{last}all messages are in {log}.'
