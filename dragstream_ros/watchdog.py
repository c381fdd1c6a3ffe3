"""Ends a process that is stuck, also where a library never gives Python's signal handlers a turn.

Better gone, and started again, than there and deaf. It counts processor time: a process that waits,
or that was stopped for a while, is not stuck.
"""

from __future__ import annotations

import faulthandler
import signal

STUCK_SECS = 10.0  # of processor time, since the last sign of life
STUCK_SIGNAL = signal.SIGVTALRM  # the exit status of a process that was stuck, negative


def set_up_watchdog() -> None:
    """Have a stuck process say where it is, on stderr, before it ends. Then call show_life()."""
    faulthandler.register(STUCK_SIGNAL, chain=True)


def show_life() -> None:
    """From now on there are STUCK_SECS until the next sign of life."""
    signal.setitimer(signal.ITIMER_VIRTUAL, STUCK_SECS)


def stop_watchdog() -> None:
    """No more signs of life will come."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
