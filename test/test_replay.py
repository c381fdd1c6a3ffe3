"""``dragstream replay``: a bag is the camera, a planned drag is answered, a new bag is written."""

import pathlib
import signal
import time

import cv2
import numpy as np
import pytest
from bag_maker import START_NS, write_bag
from command_line import STUB, finish, processes_in_domain, start
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock

from dragstream_ros.adapters.stamp import ns_from_stamp
from dragstream_ros.evaluation.listener import Listener
from dragstream_ros.evaluation.prediction_bag import read_recording
from dragstream_ros.msg import Drag


def replay(bag: pathlib.Path, output: pathlib.Path, *words: str) -> tuple[int, str, str]:
    return finish(start('replay', bag, '--output', output, '--world-model', STUB, *words))


@pytest.mark.alone
@pytest.mark.parametrize('is_compressed', [False, True])
def test_a_bag_is_predicted_along_and_its_drag_answered(ros_domain, tmp_path, is_compressed):
    bag = write_bag(tmp_path / 'bag', secs=2.0, is_compressed=is_compressed)
    output = tmp_path / 'output'
    status, out, complaints = replay(bag, output, '--drag', '10,24,30,24@0.8')
    assert status == 0, complaints
    assert 'not recorded from a running camera, not calibrated' in out

    recording = read_recording(output / 'predictions', section='conditioned')
    assert [frame.stamp_ns for frame in recording.camera] == [
        1_000_000_000 + 100_000_000 * number for number in range(20)]
    assert recording.problems == []
    assert [drag.drag_id for drag in recording.drags] == ['planned_1', 'planned_1']
    dragged = [found for found in recording.predictions.values() if found.drag_id == 'planned_1']
    assert dragged and len(dragged) < len(recording.predictions)
    command = recording.drag_of(dragged[0])
    assert command is not None and command.stamp_ns == 1_800_000_000
    sheet = cv2.imread(str(output / 'contact_sheet.png'))
    assert sheet.shape[1] > 1500
    assert (output / 'film.mp4').stat().st_size > 0
    assert processes_in_domain(ros_domain) == set()


@pytest.mark.alone
def test_a_loop_plays_with_its_clock_until_ctrl_c_and_keeps_the_first_time(ros_domain, tmp_path):
    bag = write_bag(tmp_path / 'bag', secs=2.0)
    clock_ns, drags = [], []

    def hear(topic, cdr, _):
        if topic == '/clock':
            clock_ns.append(ns_from_stamp(deserialize_message(cdr, Clock).clock))
        else:
            drags.append(deserialize_message(cdr, Drag))

    process = start('replay', bag, '--output', tmp_path / 'output', '--world-model', STUB,
                    '--loop', '--drag', '10,24,30,24@0.8')
    with Listener({'/clock': Clock, 'drag': Drag}, hear):
        deadline = time.monotonic() + 60.0
        # The clock may be found later than the drags, and is heard from the second time on then.
        while (sum(drag.phase == Drag.BEGIN for drag in drags) < 2
               or not (np.diff(clock_ns) < 0).any()):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        status, out, complaints = finish(process)
    assert status == 0, complaints
    assert 'until Ctrl-C' in out
    assert min(clock_ns) >= START_NS and max(clock_ns) <= START_NS + 1_900_000_000
    recording = read_recording(tmp_path / 'output' / 'predictions', section='conditioned')
    stamps_ns = [frame.stamp_ns for frame in recording.camera]
    assert stamps_ns == sorted(set(stamps_ns)) and 5 <= len(stamps_ns) <= 20
    assert {drag.drag_id for drag in recording.drags} == {'planned_1'}
    assert (tmp_path / 'output' / 'film.mp4').stat().st_size > 0
    assert processes_in_domain(ros_domain) == set()


@pytest.mark.alone
@pytest.mark.parametrize('name', [
    'constructed_lamp_compressed_mcap', 'constructed_can_real_raw_db3'])
def test_real_video_runs_through_without_an_error(ros_domain, tmp_path, recorded_data, name):
    status, _, complaints = replay(
        recorded_data(f'bags/{name}'), tmp_path / 'output', '--drag', '60,60,80,50@2',
        '--rate', '4.0')
    assert status == 0, complaints
    recording = read_recording(tmp_path / 'output' / 'predictions', section='conditioned')
    assert recording.problems == []
    assert any(found.drag_id for found in recording.predictions.values())


def test_what_is_no_bag_ends_it_at_once_with_one_sentence(tmp_path):
    status, _, complaints = replay(tmp_path, tmp_path / 'output')
    assert status == 1
    assert complaints.startswith('dragstream replay: ') and complaints.count('\n') == 1
    assert not (tmp_path / 'output').exists()


def test_a_predictor_that_fails_is_one_sentence_and_leaves_nothing(ros_domain, tmp_path):
    bag = write_bag(tmp_path / 'bag')
    output = tmp_path / 'output'
    status, _, complaints = finish(start(
        'replay', bag, '--output', output, '--world-model', 'nowhere'))
    assert status == 1
    assert complaints.startswith('dragstream replay: ') and complaints.count('\n') == 1
    assert 'nowhere' in complaints
    assert not (output / 'predictions').exists()
    assert processes_in_domain(ros_domain) == set()


def test_an_interrupt_ends_all_nodes(ros_domain, tmp_path):
    process = start(
        'replay', write_bag(tmp_path / 'bag', secs=20.0), '--output', tmp_path / 'output',
        '--world-model', STUB)
    deadline = time.monotonic() + 60.0
    while len(processes_in_domain(ros_domain)) < 3:  # the command, the predictor, the camera
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    status, _, complaints = finish(process, within_secs=20.0)
    assert status == 130, complaints
    assert complaints == 'dragstream replay: stopped; all nodes have ended.\n'
    assert processes_in_domain(ros_domain) == set()
