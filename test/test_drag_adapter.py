"""The node drag_adapter as a process of its own, with the tools' real messages over real DDS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from adapter_harness import AdapterBench, adapter_bench, path_of
from geometry_msgs.msg import Point
from predictor_harness import HEIGHT, WIDTH, stamp_of

from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.msg import Drag


@pytest.fixture(scope='module')
def running() -> Iterator[AdapterBench]:
    """One adapter for all tests of this file."""
    with adapter_bench() as bench:
        mouse = bench.tool(Point, 'image_mouse_left')
        mouse.publish(Point(x=1.0, y=1.0))
        bench.until(lambda: 'No camera image has come' in bench.log)
        bench.start_filming()
        yield bench


@pytest.fixture
def bench(running) -> AdapterBench:
    running.look()
    running.drags.clear()
    return running


# rqt_image_view.


def test_two_clicks_are_a_drag_that_is_played_once(bench):
    mouse = bench.tool(Point, 'image_mouse_left')
    stamp_ns = bench.look()
    mouse.publish(Point(x=40.0, y=30.0))
    bench.until(lambda: 'Grabbed (40, 30)' in bench.log)
    bench.look()
    mouse.publish(Point(x=float(WIDTH), y=31.0))  # the tool rounds up at the right edge
    bench.until(lambda: len(bench.drags) == 2)
    begin, end = bench.drags
    assert (begin.phase, end.phase) == (Drag.BEGIN, Drag.END)
    assert begin.drag_id == end.drag_id != ''
    assert path_of(begin) == [(40, 30), (WIDTH - 1, 31)]
    assert stamp_of(begin) == stamp_ns and begin.header.frame_id == 'eye'
    assert command_from_drag(begin).image_size == (WIDTH, HEIGHT)  # raises if it makes no sense


def test_clicks_beside_the_image_are_refused_with_a_sentence(bench):
    mouse = bench.tool(Point, 'image_mouse_left')
    before = bench.until(lambda: bench.refused('two_clicks'))
    mouse.publish(Point(x=float(WIDTH + 2), y=1.0))
    mouse.publish(Point(x=float('nan'), y=1.0))
    bench.until(lambda: bench.refused('two_clicks') == before + 2)
    assert 'not a number' in bench.status('newest refusal')
    assert bench.drags == []


def test_clicks_on_a_compressed_topic_under_another_name():
    with adapter_bench('-r', 'image:=front/raw', image_transport='compressed') as bench:
        bench.rename_jpeg_camera('front/raw/compressed')
        mouse = bench.tool(Point, 'front/raw/compressed_mouse_left')

        bench.until(lambda: bench.film_jpeg() or bench.is_ready(), 30.0)
        for x in (20.0, 90.0):
            mouse.publish(Point(x=x, y=50.0))
        bench.until(lambda: len(bench.drags) == 2)
        assert path_of(bench.drags[0]) == [(20, 50), (90, 50)]
        assert (bench.drags[0].image_width, bench.drags[0].image_height) == (WIDTH, HEIGHT)
