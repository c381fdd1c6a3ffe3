"""The console as a node: how it ends, and when it will not serve."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('aiohttp')

from console_harness import ConsoleProcess  # noqa: E402
from test_console_server import in_session  # noqa: E402


@pytest.fixture
def node_process(ros_domain):
    processes = []

    def start(**parameters) -> ConsoleProcess:
        processes.append(ConsoleProcess(**parameters))
        return processes[-1]

    yield start
    for process in processes:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_node_ends_within_five_seconds_also_with_pages_open(node_process, number):
    node = node_process()
    url = node.url()

    async def work(session) -> None:
        await session.ws_connect(f'{url}/socket', headers={'Origin': url})
        await session.ws_connect(f'{url}/socket', headers={'Origin': url}, autoping=False)
        started = time.monotonic()
        os.kill(node.process.pid, number)
        status = await asyncio.to_thread(node.process.wait, 10)
        assert status == 0 and time.monotonic() - started < 5.0

    in_session(work)
    assert 'Traceback' not in node.log


def test_other_nodes_come_before_it(node_process):
    node = node_process()
    node.url()
    assert os.getpriority(os.PRIO_PROCESS, node.process.pid) > os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize(('parameters', 'sentence'), [
    ({'address': '0.0.0.0'}, 'give it a token'),
    ({'address': '203.0.113.1', 'token_file': __file__}, 'Cannot listen on 203.0.113.1'),
    ({'token_file': '/nowhere/token'}, 'cannot be read'),
])
def test_a_node_that_cannot_serve_safely_says_so_and_ends(node_process, parameters, sentence):
    node = node_process(**parameters)
    assert node.process.wait(20) == 1
    assert sentence in node.log and 'Traceback' not in node.log
