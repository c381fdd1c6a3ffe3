"""Real processes over real DDS: a small lifecycle node and a small plain one."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from dragstream_ros.graph import Argument, Launch, Node
from dragstream_ros.runner import NodeGroup, RunError

NODE = """
import json, os, pathlib, signal, subprocess, sys
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

class Small(LifecycleNode):
    def __init__(self):
        super().__init__('small')
        self.story = {'namespace': self.get_namespace(), 'pid': os.getpid(), 'states': []}
        for name in ('number', 'word'):
            self.story[name] = self.declare_parameter(name, {'number': 1, 'word': 'one'}[name]).value
        self.declare_parameter('fails', False)

    def tell(self, state):
        self.story['states'].append(state)
        pathlib.Path(os.environ['STORY']).write_text(json.dumps(self.story))

    def on_configure(self, state):
        self.tell('configured')
        return TransitionCallbackReturn.FAILURE if self.get_parameter('fails').value else TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        self.tell('activated')
        return super().on_activate(state)

rclpy.init()
node = Small()
child = subprocess.Popen(['sleep', '60'])
node.story['child'] = child.pid
if os.environ.get('STUBBORN'):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
except RCLError:
    if rclpy.ok():  # no signal, which between two waits makes the next one fail
        raise
node.tell('interrupted')        # or it makes spin return
"""  # noqa: E501


class SmallNode(Node):
    module = 'small'


SMALL = Launch(
    'small',
    'for this test',
    (SmallNode('small', is_lifecycle=True),),
    (Argument('count', 'small', 'number', ''), Argument('say', 'small', 'word', ''),
     Argument('fails', 'small', 'fails', '')),
)  # fmt: skip
PLAIN = Launch('plain', 'without a lifecycle', (SmallNode('small'),))


@pytest.fixture
def story(tmp_path, monkeypatch, ros_domain):
    """Make the small node importable; return a function that reads what it wrote down."""
    (tmp_path / 'small.py').write_text(NODE)
    # Before what is there: in a workspace that leads to this package.
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv('STORY', str(tmp_path / 'story.json'))
    return lambda: json.loads((tmp_path / 'story.json').read_text())


def exists(pid: int) -> bool:
    try:
        state = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')')[1].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'


def is_gone(pid: int, timeout_secs: float = 1.0) -> bool:
    """A killed process takes a moment on a busy machine."""
    deadline = time.monotonic() + timeout_secs
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not exists(pid)


def test_nodes_come_up_active_with_the_parameters_that_were_said(story):
    with NodeGroup(SMALL, said={'count': '7', 'say': "'8'"}, namespace='left_camera') as group:
        assert group.ended() is None
        told = story()
    assert told['states'] == ['configured', 'activated']
    assert (told['number'], told['word'], told['namespace']) == (7, '8', '/left_camera')


def test_nodes_end_with_the_group_and_leave_no_process_behind(story):
    with NodeGroup(SMALL):
        told = story()
        assert exists(told['pid']) and exists(told['child'])
    assert story()['states'][-1] == 'interrupted'
    assert is_gone(told['pid']) and is_gone(told['child'])


def test_a_node_that_does_not_listen_is_gone_within_5_seconds(story, monkeypatch):
    monkeypatch.setenv('STUBBORN', '1')
    with NodeGroup(SMALL):
        told = story()
        start = time.monotonic()
    assert time.monotonic() - start < 5.0
    assert is_gone(told['pid']) and is_gone(told['child'])


def test_a_node_that_cannot_be_configured_is_an_error_and_is_ended(story):
    with pytest.raises(RunError, match='small could not be configured'):
        NodeGroup(SMALL, said={'fails': 'true'}).__enter__()
    assert is_gone(story()['pid'])


def test_a_node_that_dies_while_starting_is_an_error_at_once(story, tmp_path):
    (tmp_path / 'small.py').write_text('raise SystemExit(3)')
    start = time.monotonic()
    with pytest.raises(RunError, match='small ended'):
        NodeGroup(SMALL).__enter__()
    assert time.monotonic() - start < 5.0


@pytest.fixture
def run_command(story):
    """Give run_command(words): `dragstream run` as a user starts it, with our launch in its place.

    Ended after the test, however that ends: what is left would be found by other tests.
    """
    program = (
        'import sys, test_runner, dragstream_ros.graph as graph; '
        'graph.LAUNCHES.update(small=test_runner.SMALL, plain=test_runner.PLAIN); '
        'from dragstream_ros.cli import main; sys.exit(main())'
    )
    path = os.pathsep.join([os.environ['PYTHONPATH'], os.path.dirname(__file__)])
    commands = []

    def start(*words: str) -> subprocess.Popen:
        commands.append(subprocess.Popen(
            [sys.executable, '-c', program, 'run', *words],
            env={**os.environ, 'PYTHONPATH': path}, stderr=subprocess.PIPE, text=True))
        return commands[-1]

    yield start
    for command in commands:
        command.kill()  # its nodes end with it
        command.wait()


def wait_for_state(story, state: str) -> dict:
    deadline = time.monotonic() + 60  # of a busy machine; a pass takes no longer for it
    while time.monotonic() < deadline:
        try:
            if (told := story())['states'][-1] == state:
                return told
        except (FileNotFoundError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError(f'never {state}')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_a_signal_even_if_it_comes_twice(
    story, run_command, number
):
    command = run_command('small', 'count:=3')
    told = wait_for_state(story, 'activated')
    command.send_signal(number)
    time.sleep(0.05)
    command.send_signal(number)
    assert command.wait(5) == 0
    assert 'Traceback' not in command.stderr.read()
    assert is_gone(told['pid']) and is_gone(told['child'])


def test_nodes_end_even_if_the_command_is_killed(story, run_command):
    command = run_command('small')
    told = wait_for_state(story, 'activated')
    command.kill()
    command.wait()
    assert is_gone(told['pid'], timeout_secs=5.0)
    os.kill(told['child'], signal.SIGKILL)  # the small node does not care for its child


def test_an_argument_that_does_not_exist_is_answered_with_those_that_do(run_command):
    command = run_command('small', 'cuont:=3')
    assert command.wait(20) == 1
    assert 'small takes count:=..., fails:=..., say:=...' in command.stderr.read()


def test_a_node_that_fails_later_ends_the_run_with_an_error(story, run_command):
    command = run_command('small')
    told = wait_for_state(story, 'activated')
    os.kill(told['pid'], signal.SIGKILL)
    assert command.wait(10) == 1
    assert 'small ended with status -9' in command.stderr.read()


STUCK = """
import time
from dragstream_ros import watchdog
from dragstream_ros.nodes.spin import run_node
watchdog.STUCK_SECS = 0.3
import rclpy

class Small(rclpy.node.Node):
    def __init__(self):
        super().__init__('small')
        self.create_timer(0.05, self.wait)

    def wait(self):
        time.sleep(0.5)  # a node that waits is not stuck
        self.create_timer(0.05, self.search)

    def search(self):
        while True:
            pass

run_node(Small)
"""


def test_a_node_that_is_stuck_says_where_and_ends(story, tmp_path, run_command):
    (tmp_path / 'small.py').write_text(STUCK)
    command = run_command('plain')
    _, said = command.communicate(timeout=60)
    assert command.returncode == 1
    assert 'in search' in said and 'small was stuck and is ended' in said
