"""What the tests share: the machine, a ROS domain of their own, a node, optional recorded data."""

from __future__ import annotations

import fcntl
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest
from command_line import processes_in_domain

# For torch, here and in child processes: one thread is fastest at the sizes of the tests.
os.environ.setdefault('OMP_NUM_THREADS', '1')

REPOSITORY = pathlib.Path(__file__).parents[1]
DOMAINS = range(1, 101)  # those whose ports Linux does not hand out to others


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Where pytest-xdist runs tests in several processes: those marked `alone` run alone."""
    if not hasattr(item.config, 'workerinput'):
        yield
        return
    is_alone = item.get_closest_marker('alone') is not None
    folder = pathlib.Path(item.config.getoption('basetemp')).parent  # of all processes of this run
    with (folder / 'door').open('w') as door, (folder / 'machine').open('w') as machine:
        # Who waits to be alone waits in the door, so that nobody else goes in meanwhile.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
        fcntl.flock(machine, fcntl.LOCK_UN)


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Set ROS_DOMAIN_ID to one that no other test on this machine uses, kept on this machine."""
    folder = pathlib.Path(tempfile.gettempdir()) / 'dragstream_ros_test_domains'
    folder.mkdir(exist_ok=True)
    for domain in DOMAINS:
        with (folder / str(domain)).open('w') as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if processes_in_domain(domain):  # not ours, or left by a test that failed
                continue
            monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
            monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
            yield domain
            return
    pytest.fail('all ROS domains are in use by tests')


@pytest.fixture
def ros_node(ros_domain: int) -> Iterator:
    """Give a plain rclpy node in a context of its own, in the test's domain."""
    rclpy = pytest.importorskip('rclpy')
    rclpy.init(domain_id=ros_domain)
    node = rclpy.create_node(f'test_{os.getpid()}')
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def spin_until() -> Callable:
    """Give spin_until(node, condition, timeout_secs=10): serve the node until condition() holds."""
    import rclpy

    def spin(node: rclpy.node.Node, condition: Callable, timeout_secs: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_secs
        while not (result := condition()):
            assert time.monotonic() < deadline, f'not within {timeout_secs} s: {condition}'
            rclpy.spin_once(node, timeout_sec=0.05)
        return result

    return spin


@pytest.fixture
def recorded_data() -> Callable[[str], pathlib.Path]:
    """Give recorded_data(name): a path in the optional recorded data; skips the test without it."""

    def find(name: str) -> pathlib.Path:
        folder = os.environ.get('DRAGSTREAM_TEST_DATA')
        root = pathlib.Path(folder) if folder else REPOSITORY.parent / 'shared' / 'data'
        if not (root / name).exists():
            pytest.skip(f'no recorded data {name} in {root}; DRAGSTREAM_TEST_DATA names its folder')
        return root / name

    return find
