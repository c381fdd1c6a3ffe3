"""``dragstream run NAME``: starts a launch of the graph where there is no ``ros2 launch``."""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO

from dragstream_ros.graph import LAUNCHES, Launch, Node
from dragstream_ros.lifecycle import bring_up
from dragstream_ros.transport import transport_environment
from dragstream_ros.watchdog import STUCK_SIGNAL

logger = logging.getLogger(__name__)

GRACE_SECS = 4.0  # for nodes to end by themselves: all is over within 5 s
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunError(Exception):
    """A launch that could not be started, or a node that failed; the text is one sentence."""


class NodeGroup:
    """The processes of one launch. A context manager: inside, all nodes run and are active.

    :param said: values of the launch's arguments
    :param namespace: the camera's namespace, for all nodes
    :param params_file: ROS parameter file for all nodes
    :param log: where the nodes' output goes; None: to this process's output
    :raises RunError: on entry, if a node does not come up
    """

    def __init__(
        self,
        launch: Launch,
        *,
        said: Mapping[str, str] | None = None,
        namespace: str = '',
        params_file: pathlib.Path | None = None,
        log: IO[str] | None = None,
    ) -> None:
        self.launch = launch
        self.namespace = namespace.strip('/')
        self.processes: dict[str, subprocess.Popen] = {}
        self._said = dict(said or {})
        self._params_file = params_file
        self._log = log

    def __enter__(self) -> NodeGroup:
        try:
            for node in self.launch.nodes:
                self._start(node)
            for node in self.launch.nodes:
                if node.is_lifecycle:
                    self._bring_up(node)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def ended(self) -> tuple[str, int] | None:
        """Return name and exit status of a node that has ended; None while all run."""
        for name, process in self.processes.items():
            if (status := process.poll()) is not None:
                return name, status
        return None

    def stop(self) -> None:
        """End all nodes: politely at first, after GRACE_SECS by force."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + GRACE_SECS
        for name, process in self.processes.items():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning('%s did not end within %s s and is killed', name, GRACE_SECS)
            # Each node leads a process group of its own: what it may have left behind goes too.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def _start(self, node: Node) -> None:
        self.processes[node.executable] = subprocess.Popen(
            command_line(
                node,
                parameters=self.launch.parameters_of(node, self._said),
                namespace=self.namespace,
                params_file=self._params_file,
            ),
            env={**os.environ, **transport_environment(os.environ)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log and subprocess.STDOUT,
            # A terminal's Ctrl-C reaches this process alone, which tells each node once.
            start_new_session=True,
            preexec_fn=end_with_parent,
        )

    def _bring_up(self, node: Node) -> None:
        path = '/'.join(['', *filter(None, [self.namespace]), node.executable])
        process = self.processes[node.executable]
        if (reason := bring_up(path, is_alive=lambda: process.poll() is None)) is not None:
            raise RunError(f'{node.executable} {reason}; its own messages above say why.')


def command_line(
    node: Node,
    *,
    parameters: Mapping[str, object],
    namespace: str = '',
    params_file: pathlib.Path | None = None,
) -> list[str]:
    """Return what starts a node in a process of its own, with this Python."""
    command = [sys.executable, '-m', node.module, '--ros-args']
    if namespace:
        command += ['-r', f'__ns:=/{namespace}']
    if params_file is not None:
        command += ['--params-file', str(params_file)]
    for name, value in parameters.items():
        command += ['-p', f'{name}:={json.dumps(value)}']  # JSON is YAML that needs no guessing
    return command


def end_with_parent(number: int = signal.SIGINT) -> None:
    """Have Linux signal this process if its parent is killed and cannot do so itself."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of ``dragstream run``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = 'what can be run, and with which arguments:\n' + '\n'.join(
        line
        for launch in LAUNCHES.values()
        for line in (
            f'  {launch.name}: {launch.description}',
            *(f'    {arg.name}:=...  {arg.description}' for arg in launch.arguments),
        )
    )
    parser.add_argument('name', choices=LAUNCHES, metavar='NAME', help='what to run, see below')
    parser.add_argument('said', nargs='*', metavar='ARG:=VALUE', help='as for ros2 launch')
    parser.add_argument('--namespace', default='', help="the camera's namespace")
    parser.add_argument('--params-file', type=pathlib.Path, help='ROS parameter file for all nodes')


def main(args: argparse.Namespace) -> int:
    """Run a launch until it is told to end or a node ends; 0 unless a node failed."""
    launch = LAUNCHES[args.name]
    try:
        group = NodeGroup(
            launch,
            said=_said(args.said, launch),
            namespace=args.namespace,
            params_file=args.params_file,
        )
        with _EndSignals(), group:
            while (ended := group.ended()) is None:
                time.sleep(0.1)
    except RunError as error:
        print(f'dragstream run: {error}', file=sys.stderr)
        return 1
    except _Ended:
        return 0
    name, status = ended
    if status == -STUCK_SIGNAL:
        print(f'dragstream run: {name} was stuck and is ended; where is said above.',
              file=sys.stderr)
    elif status != 0:
        print(f'dragstream run: {name} ended with status {status}.', file=sys.stderr)
    return 0 if status == 0 else 1


def _said(words: list[str], launch: Launch) -> dict[str, str]:
    said = dict(word.split(':=', 1) for word in words if ':=' in word)
    known = {argument.name for argument in launch.arguments}
    if len(said) < len(words) or not said.keys() <= known:
        raise RunError(
            f'{" ".join(words)!r} is not understood; {launch.name} takes '
            f'{", ".join(f"{name}:=..." for name in sorted(known))}.'
        )
    return said


class _Ended(BaseException):
    """The user or the system wants this process to end."""


class _EndSignals:
    """Turns the first of END_SIGNALS into _Ended; ignores all others, so that stop() completes.

    For good: the process has still to end with the status that it wants.
    """

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._end) for number in END_SIGNALS}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not _Ended:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    @staticmethod
    def _end(*_: object) -> None:
        for number in END_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise _Ended
