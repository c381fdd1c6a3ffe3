"""The predictor node with the bundled world model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from predictor_harness import Bench, PredictorProcess, claimed_domain
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from std_srvs.srv import Trigger

from dragstream_ros.adapters.image import array_from_image


@pytest.fixture(scope='module')
def bench() -> Iterator[Bench]:
    with claimed_domain() as domain:
        predictor, bench = PredictorProcess(world_model='tabletop'), Bench(domain)
        try:
            bench.start_filming()
            yield bench
            assert predictor.process.poll() is None and 'Traceback' not in predictor.log
        finally:
            bench.close()
            predictor.kill()


def set_control(bench: Bench, control: str) -> None:
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=control)
    request = SetParameters.Request(parameters=[Parameter(name='control', value=value)])
    assert bench.call(SetParameters, '/predictor/set_parameters', request).results[0].successful


def test_the_picture_of_a_still_camera_is_predicted_to_stay(bench):
    picture = np.full((96, 128, 3), (90, 110, 140), np.uint8)
    picture[40:60, 50:80] = (200, 60, 40)
    assert bench.call(Trigger, '/predictor/reset', Trigger.Request()).success
    before = max(clip.epoch for clip in bench.clips())

    def horizon():
        bench.film(picture)
        bench.spin(0.05)
        return [clip for clip in bench.clips(last=True) if clip.epoch > before]

    clip = bench.until(horizon, 30.0)[0]
    frames = np.stack([array_from_image(frame) for frame in clip.frames]).astype(int)
    assert frames.shape == (5, 96, 128, 3)
    assert np.abs(frames - picture).mean() < 25


@pytest.mark.parametrize('control', ['conditioned', 'guidance'])
def test_a_drag_is_answered_whatever_the_control(bench, control):
    set_control(bench, control)
    bench.heard.clear()
    bench.until(bench.clips, 30.0, filming=True)
    bench.drag((40, 40), (60, 40), drag_id=control)
    bench.until(lambda: bench.clips(drag_id=control, last=True), 60.0, filming=True)
    clip = bench.clips(drag_id=control)[0]
    assert len(clip.tracks[0].positions) == len(clip.frames) == 5
    assert all(0.0 <= confidence <= 1.0 for confidence in clip.confidence)
    # A busy computer may say that it is slow; nothing else.
    assert bench.said() == []
