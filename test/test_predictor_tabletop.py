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
from dragstream_ros.evaluation.table_film import camera_frames


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


@pytest.mark.parametrize('is_strange', [True, False])
def test_a_scene_that_the_model_does_not_know_is_told_and_stands(bench, is_strange):
    picture, _ = next(camera_frames((128, 128), rate_hz=20.0))
    if is_strange:
        noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3))
        picture = np.kron(noise, np.ones((8, 8, 1))).astype(np.uint8)
    assert bench.call(Trigger, '/predictor/reset', Trigger.Request()).success
    before = max((clip.epoch for clip in bench.clips()), default=0)

    def told():
        bench.film(picture)
        bench.spin(0.05)
        return (bench.status('scene is strange to the model') == str(is_strange)
                and [clip for clip in bench.clips() if clip.epoch > before])

    frames = np.stack([array_from_image(frame) for frame in bench.until(told, 30.0)[-1].frames])
    assert frames.shape[1:] == picture.shape
    assert (frames == picture).all() or not is_strange
