"""The adapter and the predictor together: what is done in a tool is what is predicted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from adapter_harness import AdapterBench, adapter_bench
from geometry_msgs.msg import Point, Point32, Polygon, PolygonStamped
from predictor_harness import HEIGHT, WIDTH, PredictorProcess, stamp_of
from sensor_msgs.msg import CameraInfo
from test_drag_adapter_marker import CENTRE_M, EVENT, RViz

from dragstream_ros.msg import Drag


@pytest.fixture(scope='module')
def bench() -> Iterator[AdapterBench]:
    with adapter_bench() as bench:
        predictor = PredictorProcess()
        try:
            bench.until(lambda: bench.clips() and bench.is_ready(), 30.0, filming=True)
            yield bench
        finally:
            predictor.kill()


def predicted_whole(bench: AdapterBench, prefix: str) -> bool:
    return any(clip.last for clip in bench.clips() if clip.drag_id.startswith(prefix))


def test_two_clicks_are_predicted_once_and_then_it_goes_on_undragged(bench):
    mouse = bench.tool(Point, 'image_mouse_left')
    stamp_ns = bench.look()
    mouse.publish(Point(x=40.0, y=40.0))
    bench.until(lambda: 'Grabbed (40, 40)' in bench.log, filming=True)
    mouse.publish(Point(x=80.0, y=40.0))
    bench.until(lambda: predicted_whole(bench, 'two_clicks'), filming=True)
    dragged = [clip for clip in bench.clips() if clip.drag_id]
    first, last = dragged[0].tracks[0].positions[0], dragged[-1].tracks[0].positions[-1]
    assert (last.x + 0.5) * 2 - 0.5 == pytest.approx(80, abs=0.5)  # the stub predicts half the size
    assert 40 < (first.x + 0.5) * 2 - 0.5 < 60
    assert stamp_of(dragged[0]) >= stamp_ns
    bench.until(lambda: not bench.clips()[-1].drag_id, filming=True)
    assert bench.said() and not [info for info in bench.infos() if info.code]


def test_a_path_with_a_corner_is_followed_around_it(bench):
    bench.heard.clear()
    polygon = bench.tool(PolygonStamped, 'drag_polygon')
    points = [Point32(x=30.0, y=30.0), Point32(x=80.0, y=30.0), Point32(x=80.0, y=80.0)]
    bench.look()
    polygon.publish(PolygonStamped(polygon=Polygon(points=points)))
    bench.until(lambda: predicted_whole(bench, 'polygon'), filming=True)
    track = [point for clip in bench.clips() if clip.drag_id.startswith('polygon')
             for point in clip.tracks[0].positions]
    x = np.array([point.x for point in track[:12]])
    y = np.array([point.y for point in track[:12]])
    assert x[4] > 35 and y[4] < 16 and y[-1] > 38  # along the top first, then down


def test_a_handle_that_is_held_is_predicted_again_and_again_until_it_is_let_go(bench):
    bench.heard.clear()
    bench.drags.clear()
    k = [100.0, 0.0, 63.5, 0.0, 100.0, 47.5, 0.0, 0.0, 1.0]
    rviz = RViz(bench)
    bench.calibrate(CameraInfo(width=WIDTH, height=HEIGHT, k=k))
    bench.look()
    rviz.press()
    rviz.send(EVENT.POSE_UPDATE, CENTRE_M + [0.2, 0.0, 0.0])

    def anchors() -> set[int]:
        return {clip.anchor for clip in bench.clips() if clip.drag_id.startswith('interactive')}

    bench.until(lambda: len(anchors()) >= 4, filming=True)
    rviz.let_go(CENTRE_M + [0.3, 0.0, 0.0])
    bench.until(lambda: [drag.phase for drag in bench.drags][-1] == Drag.END, filming=True)
    n_heard = len(bench.clips())
    bench.until(lambda: len(bench.clips()) > n_heard and not bench.clips()[-1].drag_id,
                filming=True)
