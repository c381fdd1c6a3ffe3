"""A command that is told to end does so with its own status, however often it is told."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

COMMAND = """
import os, signal, sys
from dragstream_ros.evaluation.run_guard import ended_by_signals
try:
    with ended_by_signals():
        os.kill(os.getpid(), signal.{first})
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.{second})     # while it says that it was stopped
    sys.exit(130)
"""


@pytest.mark.parametrize('first', ['SIGINT', 'SIGTERM'])
@pytest.mark.parametrize('second', ['SIGINT', 'SIGTERM'])
def test_an_impatient_user_changes_nothing(first, second):
    command = [sys.executable, '-c', COMMAND.format(first=first, second=second)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, '')


def test_who_was_not_told_to_end_listens_as_before():
    from dragstream_ros.evaluation.run_guard import ended_by_signals

    before = signal.getsignal(signal.SIGINT)
    with ended_by_signals():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
