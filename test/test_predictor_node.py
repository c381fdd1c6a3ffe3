"""The predictor node from the outside: real process, real DDS, a stub for a world model."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import pytest
from geometry_msgs.msg import Point
from predictor_harness import (
    HEIGHT,
    NS,
    PICTURE,
    WIDTH,
    Bench,
    PredictorProcess,
    claimed_domain,
    stamp_of,
)
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import ImageMarker, MarkerArray

from dragstream_ros.adapters.image import array_from_image, decode_compressed
from dragstream_ros.errors import ErrorCode
from dragstream_ros.msg import Drag, DragHandle, PredictedClip, PredictionInfo


@pytest.fixture(scope='module')
def running() -> Iterator[tuple[PredictorProcess, Bench]]:
    """One predictor for all tests of this file: each starts it over."""
    with claimed_domain() as domain:
        predictor, bench = PredictorProcess(), Bench(domain)
        try:
            bench.start_filming()
            yield predictor, bench
            assert predictor.process.poll() is None, predictor.log
        finally:
            bench.close()
            predictor.kill()


@pytest.fixture
def bench(running) -> Bench:
    predictor, bench = running
    assert bench.call(Trigger, '/predictor/reset', Trigger.Request()).success
    bench.spin(0.05)
    bench.heard.clear()
    return bench


def set_parameter(bench: Bench, name: str, value: float | str) -> str:
    """Set a parameter; returns the reason why not."""
    if isinstance(value, str):
        packed = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
    else:
        packed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=packed)])
    result = bench.call(SetParameters, '/predictor/set_parameters', request).results[0]
    assert result.successful != bool(result.reason)
    return result.reason


def first_clip(bench: Bench, **fields) -> PredictedClip:
    return bench.until(lambda: bench.clips(**fields), filming=True)[0]


def clips_after_epoch(bench: Bench, epoch: int) -> list[PredictedClip]:
    return [clip for clip in bench.clips() if clip.epoch > epoch]


# Predictions.


def test_an_image_is_answered_with_a_horizon_of_chunks(bench):
    stamp_ns = stamp_of(bench.film())
    bench.until(lambda: bench.clips(last=True))
    clips = bench.clips()
    assert [clip.chunk for clip in clips] == [0, 1, 2]
    assert {stamp_of(clip) for clip in clips} == {stamp_ns}
    assert {clip.header.frame_id for clip in clips} == {'eye'}
    offsets = [offset for clip in clips for offset in clip.offsets_secs]
    assert np.allclose(offsets, np.arange(1, 13) / 10)
    assert (clips[0].frames[0].width, clips[0].frames[0].height) == (64, 48)
    assert clips[0].frames[0].encoding == 'rgb8'


def test_images_are_played_at_the_models_frame_period_each_after_its_info(bench):
    times = []
    subscription = bench.node.create_subscription(
        Image, 'prediction/image', lambda message: times.append(time.monotonic()), 10)
    stamp_ns = stamp_of(bench.film())
    bench.until(lambda: len(bench.of(Image)) == 12)
    bench.spin(0.2)
    bench.node.destroy_subscription(subscription)
    played = [m for m in bench.heard if not isinstance(m, PredictedClip)]
    assert [type(m) for m in played] == 12 * [PredictionInfo, Image]
    infos = bench.infos()
    assert [info.index for info in infos] == list(range(12))
    assert [info.chunk for info in infos] == 4 * [0] + 4 * [1] + 4 * [2]
    assert {stamp_of(message) for message in played} == {stamp_ns}
    assert infos[0].latency_secs < infos[0].offset_secs < infos[-1].latency_secs + 0.2
    assert [info.late for info in infos] == [i.latency_secs > i.offset_secs for i in infos]
    assert np.median(np.diff(times)) == pytest.approx(0.1, abs=0.03)


def test_a_new_anchor_follows_the_camera_and_replaces_the_rest(bench):
    bench.until(lambda: len({clip.anchor for clip in bench.clips()}) >= 3, filming=True)
    anchors = [info.anchor for info in bench.infos()]
    assert anchors == sorted(anchors)
    assert bench.infos()[-1].index < 11


def test_a_drag_is_answered_at_once_with_its_tracks(bench):
    bench.film()
    bench.until(bench.clips)
    bench.drag((40, 40), (80, 40))
    clip = bench.until(lambda: bench.clips(drag_id='a'))[0]
    assert [track.name for track in clip.tracks] == ['gripper']
    x = [position.x for position in clip.tracks[0].positions]
    assert np.allclose(np.diff(x), 2.0)  # 40 px a second at half the size, every 0.1 s
    before, after = (array_from_image(frame) for frame in (clip.frames[0], clip.frames[1]))
    assert np.array_equal(before[:, :-2], after[:, 2:])
    assert bench.until(lambda: bench.infos(drag_id='a'))[0].chunk == 0


def test_a_cancelled_drag_is_gone_at_once(bench):
    bench.film()
    bench.until(bench.clips)
    bench.drag()
    bench.until(lambda: bench.infos(drag_id='a'))
    bench.drag(phase=Drag.CANCEL, handles=[])
    bench.until(lambda: bench.heard and bench.infos()[-1].drag_id == '', filming=True)
    n_heard = len(bench.infos(drag_id='a'))
    bench.spin(0.3)
    assert len(bench.infos(drag_id='a')) == n_heard < 12


def test_a_drag_that_has_ended_is_shown_to_its_end(bench):
    bench.film()
    bench.until(bench.clips)
    bench.drag()
    bench.until(lambda: bench.infos(drag_id='a'))
    bench.drag(phase=Drag.END, handles=[])
    bench.until(lambda: bench.infos() and bench.infos()[-1].drag_id == '', filming=True)
    assert bench.infos(drag_id='a')[-1].index == 11


def test_a_drag_that_is_not_updated_ends_by_itself(bench):
    assert set_parameter(bench, 'drag_timeout_secs', 0.3) == ''
    bench.film()
    bench.until(bench.clips)
    bench.drag()
    bench.until(lambda: bench.clips(drag_id='a'))
    bench.until(lambda: bench.clips()[-1].drag_id == '', filming=True)
    assert set_parameter(bench, 'drag_timeout_secs', 2.0) == ''


def test_the_calibration_is_scaled_to_the_predicted_images(bench):
    heard: list[CameraInfo] = []
    subscription = bench.node.create_subscription(
        CameraInfo, 'prediction/camera_info', heard.append, 10)
    k = [100.0, 0.0, 63.5, 0.0, 100.0, 47.5, 0.0, 0.0, 1.0]
    bench.until(lambda: bench.camera_info.get_subscription_count())
    bench.camera_info.publish(CameraInfo(header=bench.header(), width=WIDTH, height=HEIGHT, k=k))
    bench.spin(0.1)
    bench.until(lambda: heard, filming=True)
    bench.node.destroy_subscription(subscription)
    assert (heard[-1].width, heard[-1].height) == (64, 48)
    assert np.allclose(heard[-1].k[:6], [50, 0, 31.5, 0, 50, 23.5])
    assert stamp_of(heard[-1]) > 0 and heard[-1].header.frame_id == 'eye'


def red_words(preview) -> int:
    """Pixels of warning red in the strip at the bottom of a preview."""
    picture = preview if isinstance(preview, np.ndarray) else array_from_image(preview)
    strip = picture[-16:-3].astype(int)
    return int(((strip[..., 0] > 150) & (strip[..., 1] < 100) & (strip[..., 2] > 40)).sum())


def test_lazy_outputs_come_when_somebody_listens(bench):
    topics = (
        (CompressedImage, 'prediction/image/compressed'),
        (Image, 'preview/image'),
        (ImageMarker, 'prediction/annotations'),
        (MarkerArray, 'prediction/markers'),
    )
    heard: dict[str, list] = {topic: [] for _, topic in topics}
    subscriptions = [
        bench.node.create_subscription(kind, topic, heard[topic].append, QoSProfile(depth=10))
        for kind, topic in topics]
    bench.until(lambda: bench.camera_info.get_subscription_count())
    k = [100.0, 0.0, 63.5, 0.0, 100.0, 47.5, 0.0, 0.0, 1.0]
    bench.camera_info.publish(CameraInfo(header=bench.header(), width=WIDTH, height=HEIGHT, k=k))
    bench.film()
    bench.until(bench.clips)
    bench.drag()
    bench.until(lambda: all(heard.values()), filming=True)
    # What is wrong with a drag is said where the operator looks.
    quiet = array_from_image(heard['preview/image'][-1])
    bench.drag((500.0, 40.0), (80.0, 40.0), drag_id='outside')
    bench.until(lambda: bench.problem(ErrorCode.DRAG_OUTSIDE_IMAGE), filming=True)
    bench.until(lambda: red_words(heard['preview/image'][-1]) > red_words(quiet) + 20, filming=True)
    for subscription in subscriptions:
        bench.node.destroy_subscription(subscription)
    assert decode_compressed(heard['prediction/image/compressed'][0].data).shape == (48, 64, 3)
    assert array_from_image(heard['preview/image'][0]).shape == (4 * 48, 4 * 64, 3)
    assert heard['prediction/annotations'][0].points
    assert heard['prediction/markers'][0].markers[0].header.frame_id == 'eye'


# What can be wrong.


@pytest.mark.parametrize(('fields', 'code'), [
    ({'step': 7}, ErrorCode.IMAGE_MALFORMED),
    ({'height': HEIGHT + 1}, ErrorCode.IMAGE_MALFORMED),
    ({'encoding': '64FC9'}, ErrorCode.IMAGE_ENCODING_UNSUPPORTED),
])
def test_a_bad_image_is_told_and_the_next_one_served(bench, fields, code):
    def bad_image_was_told():  # again and again, as each code is said once a second at most
        bad_stamps_ns.append(stamp_of(bench.film(**fields)))
        bench.spin(0.05)
        return bench.problem(code)

    bad_stamps_ns: list[int] = []
    info = bench.until(bad_image_was_told)
    assert info.message and stamp_of(info) in bad_stamps_ns
    good_ns = stamp_of(bench.film())
    bench.until(lambda: [clip for clip in bench.clips() if stamp_of(clip) == good_ns])
    bench.until(lambda: int(bench.status(f'error {code.name}') or 0) >= 1)


def test_an_image_without_a_stamp_is_told(bench):
    def unstamped_image_was_told():
        bench.film(stamp_ns=0)
        bench.spin(0.05)
        return [info for info in bench.infos(code=int(ErrorCode.IMAGE_MALFORMED))
                if 'no stamp' in info.message]

    bench.until(unstamped_image_was_told)
    bench.stamp_ns = 2_000 * NS
    first_clip(bench)


def handle(*path) -> DragHandle:
    return DragHandle(path=[Point(x=float(x), y=float(y)) for x, y in path])


@pytest.mark.parametrize(('fields', 'code'), [
    ({'handles': [handle((math.nan, 4), (9, 9))]}, ErrorCode.DRAG_NOT_FINITE),
    ({'handles': [handle((-9, 4), (9, 9))]}, ErrorCode.DRAG_OUTSIDE_IMAGE),
    ({'handles': []}, ErrorCode.DRAG_EMPTY),
    ({'handles': [handle()]}, ErrorCode.DRAG_EMPTY),
    ({'stamp_ns': 1}, ErrorCode.DRAG_STALE),
    ({'image_width': 640}, ErrorCode.DRAG_WRONG_SIZE),
    ({'duration_secs': -1.0}, ErrorCode.DRAG_INVALID),
])
def test_a_bad_drag_is_told_and_the_next_one_served(bench, fields, code):
    bench.film()
    bench.until(bench.clips)
    bench.drag(drag_id='bad', **fields)
    info = bench.until(lambda: bench.problem(code))
    assert info.message and info.drag_id == 'bad'
    bench.drag(drag_id='good')
    assert first_clip(bench, drag_id='good')
    assert not bench.clips(drag_id='bad')


def test_a_path_that_leaves_the_image_is_served_with_a_warning(bench):
    bench.film()
    bench.until(bench.clips)
    bench.drag((40, 40), (400, 40))
    bench.until(lambda: bench.problem(ErrorCode.DRAG_PATH_LEAVES_IMAGE))
    assert first_clip(bench, drag_id='a')


def test_a_drag_before_the_first_image_is_told(bench):
    bench.drag()
    bench.until(lambda: bench.problem(ErrorCode.DRAG_BEFORE_FIRST_IMAGE))


def test_a_drag_whose_handle_is_lost_is_told_and_the_prediction_goes_on(bench):
    bench.film()
    bench.until(bench.clips)
    bench.drag(drag_id='lost')
    assert bench.until(lambda: bench.problem(ErrorCode.DRAG_LOST)).drag_id == 'lost'
    assert first_clip(bench).drag_id == ''


def test_another_image_size_starts_over_and_is_told(bench):
    bench.film()
    before = bench.until(bench.clips)[0]
    bench.heard.clear()
    bench.film(PICTURE[:64])
    bench.until(lambda: bench.problem(ErrorCode.IMAGE_SIZE_CHANGED))
    after = bench.until(lambda: clips_after_epoch(bench, before.epoch))[0]
    assert after.frames[0].height == 32


def test_stamps_that_jump_back_start_over_and_are_told(bench):
    bench.film()
    before = bench.until(bench.clips)[0]
    bench.heard.clear()
    bench.film(stamp_ns=bench.stamp_ns - 60 * NS)
    bench.until(lambda: bench.problem(ErrorCode.CLOCK_JUMPED_BACK))
    after = bench.until(lambda: clips_after_epoch(bench, before.epoch))[0]
    assert stamp_of(after) == bench.stamp_ns


def test_a_camera_that_stops_is_told_once_and_serves_again_when_it_returns(bench):
    assert set_parameter(bench, 'image_timeout_secs', 0.5) == ''
    bench.film()
    bench.until(lambda: bench.problem(ErrorCode.IMAGE_STALLED))
    bench.spin(0.8)
    assert len(bench.infos(code=int(ErrorCode.IMAGE_STALLED))) == 1
    bench.heard.clear()
    first_clip(bench)
    assert set_parameter(bench, 'image_timeout_secs', 10.0) == ''


# Services, parameters, diagnostics.


def test_a_reset_starts_a_new_epoch(bench):
    before = first_clip(bench)
    assert bench.call(Trigger, '/predictor/reset', Trigger.Request()).success
    bench.until(lambda: clips_after_epoch(bench, before.epoch), filming=True)


def test_parameters_are_answered_while_predicting(bench):
    client = bench.node.create_client(GetParameters, '/predictor/get_parameters')
    bench.until(client.service_is_ready)
    took = []
    for _ in range(10):
        bench.film()
        started = time.monotonic()
        future = client.call_async(GetParameters.Request(names=['horizon_secs']))
        bench.until(future.done)
        took.append(time.monotonic() - started)
        assert future.result().values[0].double_value == 1.0
    bench.node.destroy_client(client)
    assert np.median(took) < 0.2  # seconds; the machine may be busy


def test_a_live_parameter_takes_effect(bench):
    assert set_parameter(bench, 'horizon_secs', 0.4) == ''
    assert first_clip(bench).last
    assert set_parameter(bench, 'horizon_secs', 1.0) == ''


@pytest.mark.parametrize(('name', 'value', 'reason'), [
    ('horizon_secs', math.nan, 'range'),
    ('horizon_secs', 1e9, 'range'),
    ('control', 'magic', 'one of'),
    ('world_model', 'other', 'unconfigured'),
])
def test_a_parameter_that_makes_no_sense_is_refused_with_a_reason(bench, name, value, reason):
    assert reason in set_parameter(bench, name, value)


def test_diagnostics_say_how_it_goes(bench):
    bench.film()
    bench.until(lambda: bench.infos())
    bench.diagnostics.clear()
    bench.until(lambda: bench.status('lifecycle') == 'active', filming=True)
    status = bench.diagnostics[-1].status[0]
    assert status.name == '/predictor: prediction'
    keys = {value.key for value in status.values}
    assert {
        'worker', 'memory of worker, MB', 'memory of node, MB', 'camera images per s', 'drift',
        'predicted s per s', 'latency from image to prediction p99, ms', 'longest callback, ms',
        'dropped: image replaced by a newer one', 'age of newest image, s',
    } <= keys
