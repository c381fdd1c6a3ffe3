"""What a run leaves behind: which predictions are whole, whose drag they follow, how it went."""

import io

import numpy as np
import pytest
from recording_maker import add_prediction, clip, drag, image, make_recording, ns
from sensor_msgs.msg import CompressedImage

from dragstream_ros.adapters.image import byte_array
from dragstream_ros.evaluation.progress import Progress, Vitals
from dragstream_ros.evaluation.recording import Recording
from dragstream_ros.msg import Drag, PredictionInfo


def test_chunks_become_one_prediction_with_their_times_of_arrival():
    recording = Recording()
    for chunk, arrival_secs in enumerate((1.05, 1.10, 1.20)):
        recording.add_clip(clip(1.0, anchor=3, chunk=chunk, drag_id='d'), ns(arrival_secs))
    prediction = recording.predictions[0, 3]
    assert prediction.is_complete
    assert prediction.frames.shape == (12, 24, 32, 3)
    assert prediction.offsets_secs == pytest.approx(0.1 * np.arange(1, 13))
    assert prediction.tracks_px[0, :, 0] == pytest.approx(np.arange(1, 13), abs=1e-5)
    assert list(prediction.arrivals_ns) == [ns(1.05)] * 4 + [ns(1.10)] * 4 + [ns(1.20)] * 4


def test_a_prediction_that_lost_a_chunk_is_never_complete():
    recording = Recording()
    for chunk in (0, 2):
        recording.add_clip(clip(1.0, anchor=0, chunk=chunk), ns(1.0))
    assert not recording.predictions[0, 0].is_complete
    assert len(recording.predictions[0, 0].frames) == 4


def test_handles_stay_where_a_drag_that_ends_between_two_chunks_left_them():
    recording = Recording()
    recording.add_clip(clip(1.0, anchor=0, chunk=0, drag_id='d'), ns(1.0))
    recording.add_clip(clip(1.0, anchor=0, chunk=1), ns(1.1))
    prediction = recording.predictions[0, 0]
    assert prediction.tracks_px.shape == (1, 8, 2)
    assert prediction.tracks_px[0, 4:] == pytest.approx(prediction.tracks_px[0, [3] * 4])
    assert prediction.drag_id == 'd'


def test_a_section_begins_with_the_next_epoch():
    recording = Recording()
    recording.begin_section('conditioned')
    add_prediction(recording, 0.0, anchor=0)
    recording.begin_section('guidance')
    add_prediction(recording, 0.5, anchor=1)
    add_prediction(recording, 1.0, anchor=2, epoch=1)
    sections = [found.section for found in recording.predictions.values()]
    assert sections == ['conditioned', 'conditioned', 'guidance']


def test_a_prediction_follows_the_path_that_was_last_sent_before_it():
    recording = Recording()
    recording.add_drag(drag('d', 0.0, (1, 1), (9, 1)), ns(0.0))
    recording.add_drag(drag('d', 0.5, (5, 1), (20, 1), phase=Drag.UPDATE), ns(0.5))
    recording.add_drag(drag('d', 1.5, (5, 1), (40, 1), phase=Drag.UPDATE), ns(1.5))
    add_prediction(recording, 1.0, anchor=0, drag_id='d')
    command = recording.drag_of(recording.predictions[0, 0])
    assert command is not None and command.handles[0].path_px[-1] == pytest.approx((20, 1))


def test_a_path_on_a_newer_image_is_not_what_a_late_prediction_follows():
    recording = Recording()
    recording.add_drag(drag('d', 0.5, (5, 1), (20, 1)), ns(0.5))
    recording.add_drag(drag('d', 1.5, (5, 1), (40, 1), phase=Drag.UPDATE), ns(1.5))
    recording.add_clip(clip(1.0, anchor=0, chunk=0, drag_id='d'), ns(3.0))
    command = recording.drag_of(recording.predictions[0, 0])
    assert command is not None and command.handles[0].path_px[-1] == pytest.approx((20, 1))


def test_an_undragged_prediction_follows_no_path():
    recording = make_recording()
    assert recording.drag_of(recording.predictions[0, 0]) is None


def test_the_camera_frame_of_a_moment_is_the_nearest_one_or_none():
    recording = make_recording()
    found = recording.frame_at(ns(1.04), within_secs=0.08)
    assert found is not None and found.stamp_ns == ns(1.0)
    assert recording.frame_at(ns(99.0), within_secs=0.08) is None


def test_compressed_and_raw_images_are_kept_alike():
    recording = Recording()
    recording.add_image(image(1.0), ns(1.0))
    recording.add_compressed(
        CompressedImage(header=image(1.1).header, data=byte_array(recording.camera[0].compressed)),
        ns(1.1))
    raw, compressed = (frame.rgb().astype(float) for frame in recording.camera)
    assert raw.shape == compressed.shape == (48, 64, 3)
    assert np.abs(raw - compressed).mean() < 2


def test_images_that_cannot_be_read_and_errors_of_the_predictor_are_problems():
    recording = Recording()
    recording.add_compressed(CompressedImage(data=byte_array(b'nonsense')), 0)
    recording.add_info(PredictionInfo(code=23, message='The drag is stale.'), 0)
    assert not recording.camera and not recording.latencies
    assert len(recording.problems) == 2 and recording.problems[1].sentence == 'The drag is stale.'


def test_rates_and_latencies_are_those_of_the_time_asked_for():
    vitals = Vitals.of(make_recording(), ns(1.0), ns(4.0))  # three predictions of 1.2 s each
    assert vitals.camera_hz == pytest.approx(10.0)
    assert vitals.predicted_secs_per_sec == pytest.approx(3 * 1.2 / 3.0)
    assert vitals.latencies_ms == pytest.approx((50.0, 50.0))


def test_before_the_first_prediction_there_is_no_latency():
    vitals = Vitals.of(Recording(), 0, ns(1.0))
    assert vitals.latencies_ms is None and vitals.latency_text == '-'
    assert vitals.predicted_secs_per_sec == 0.0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_redrawn_on_a_terminal_and_a_line_at_times_elsewhere():
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        progress = Progress(stream)
        for number in range(3):
            progress.show([f'first {number}', 'second'], plain=f'plain {number}')
    assert terminal.getvalue().count('\x1b[2A') == 2  # back to the first of two lines, twice
    assert terminal.getvalue().endswith('second\n')
    assert pipe.getvalue() == 'plain 0\n'
