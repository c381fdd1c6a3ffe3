"""Runs ``dragstream`` as a user does, in a process of its own."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
STUB = 'stub_world_model:load'


def start(*words: object) -> subprocess.Popen[str]:
    """Start it; the stub world model can be found."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get('PYTHONPATH')]))
    return subprocess.Popen(
        [sys.executable, '-m', 'dragstream_ros.cli', *map(str, words)],
        env={**os.environ, 'PYTHONPATH': path}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str], *, within_secs: float = 300.0) -> tuple[int, str, str]:
    """Wait for its end; returns exit status, output and complaints."""
    try:
        out, complaints = process.communicate(timeout=within_secs)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, complaints = process.communicate(timeout=20.0)
        raise AssertionError(f'not done within {within_secs} s:\n{out}\n{complaints}') from None
    return process.returncode, out, complaints


def processes_in_domain(domain: int) -> set[int]:
    """Ids of all other processes that were started with this ROS_DOMAIN_ID.

    But for Python's tracker of shared memory, which lives as long as the tests.
    """
    found = set()
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            environment = (folder / 'environ').read_bytes().split(b'\0')
            command = (folder / 'cmdline').read_bytes()
        except OSError:
            continue
        if f'ROS_DOMAIN_ID={domain}'.encode() in environment and b'resource_tracker' not in command:
            found.add(int(folder.name))
    return found - {os.getpid()}
