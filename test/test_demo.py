"""``dragstream demo`` as a newcomer types it: real processes, real DDS, pictures at the end."""

import pathlib
import signal
import time

import cv2
import pytest
from command_line import STUB, finish, processes_in_domain, start

import dragstream_ros.world_models

WEIGHTS = pathlib.Path(dragstream_ros.world_models.__file__).parent / 'weights'


def demo(output: pathlib.Path, *words: object) -> tuple[int, str, str]:
    return finish(start('demo', '--output', output, *words))


@pytest.fixture
def world_model() -> str:
    """The bundled one; while there are no weights, one that shifts the picture."""
    return 'tabletop' if (WEIGHTS / 'tabletop.safetensors').is_file() else STUB


@pytest.mark.alone  # its drags are predicted in real time
def test_the_demo_leaves_a_film_and_a_contact_sheet(ros_domain, tmp_path, world_model):
    # The operator drags when the robot is about to move something.
    status, out, complaints = demo(tmp_path, '--secs', 20, '--world-model', world_model)
    assert status == 0, complaints + out
    assert 'Camera: ' in out and f'ROS_DOMAIN_ID={ros_domain}' in out
    for words in ('no drag yet', 'control: conditioned', 'control: guidance', 'latency p50'):
        assert words in out

    sheet = cv2.imread(str(tmp_path / 'contact_sheet.png'))
    height, width = sheet.shape[:2]
    assert width > 1500 and height > 1000  # at least two examples
    film = cv2.VideoCapture(str(tmp_path / 'film.mp4'))
    secs = film.get(cv2.CAP_PROP_FRAME_COUNT) / film.get(cv2.CAP_PROP_FPS)
    assert 12.0 < secs < 60.0
    assert processes_in_domain(ros_domain) == set()


def test_where_nothing_can_be_drawn_live_the_recording_is_shown(ros_domain, tmp_path, monkeypatch):
    monkeypatch.setenv('MUJOCO_GL', 'disable')
    process = start('demo', '--output', tmp_path, '--secs', 12, '--world-model', STUB)
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    finish(process, within_secs=20.0)
    assert line.startswith('Camera: recorded tabletop')


def test_without_a_predictor_it_ends_with_one_sentence(ros_domain, tmp_path):
    status, _, complaints = demo(tmp_path, '--world-model', 'nowhere')
    assert status == 1
    assert complaints.startswith('dragstream demo: ') and complaints.count('\n') == 1
    assert 'nowhere' in complaints
    assert processes_in_domain(ros_domain) == set()


def test_an_interrupt_ends_all_nodes(ros_domain, tmp_path):
    process = start('demo', '--output', tmp_path, '--world-model', STUB)
    deadline = time.monotonic() + 60.0
    while len(processes_in_domain(ros_domain)) < 4:  # the command, camera, predictor, worker
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for _ in range(2):  # an impatient user
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    status, _, complaints = finish(process, within_secs=20.0)
    assert status == 130, complaints
    assert complaints == 'dragstream demo: stopped; all nodes have ended.\n'
    assert processes_in_domain(ros_domain) == set()
