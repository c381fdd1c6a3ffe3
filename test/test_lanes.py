"""Lanes: work is shared out to threads, and what comes of it does not depend on how many."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.lanes import Lanes, inference_lanes, lanes_for, open_inference_lanes
from dragstream_ros.planning.candidates import smooth_drag
from dragstream_ros.world_models import load_world_model
from dragstream_ros.world_models.tabletop.at_once import at_once


@pytest.fixture
def open_lanes() -> Iterator[Callable[[int], None]]:
    yield open_inference_lanes
    open_inference_lanes(1)


def test_results_come_in_order_whoever_is_faster():
    def work(number: int) -> int:
        time.sleep(0.02 * (3 - number))
        return 10 * number

    assert Lanes(2).map(work, range(4)) == Lanes().map(work, range(4)) == [0, 10, 20, 30]


def test_two_lanes_work_side_by_side():
    both = threading.Barrier(2)
    assert Lanes(2).map(lambda _: both.wait(timeout=10) >= 0, range(2)) == [True, True]


def test_what_runs_beside_a_failure_is_done_before_that_is_raised():
    done = []

    def work(number: int) -> None:
        if number == 0:
            raise ValueError('the first one')
        time.sleep(0.1)
        done.append(number)

    with pytest.raises(ValueError, match='the first one'):
        Lanes(2).map(work, range(4))
    assert sorted(done) == [1, 2, 3]


def test_lanes_are_open_again_after_a_failure():
    two = Lanes(2)
    with pytest.raises(ZeroDivisionError):
        two.map(lambda number: 1 / number, [0, 0])
    assert two.map(lambda number: threading.get_ident(), range(1)) == [threading.get_ident()]
    test_two_lanes_work_side_by_side()


def test_work_within_a_lane_is_not_shared_out_again():
    two = Lanes(2)

    def work(_: int) -> bool:
        return set(two.map(lambda _: threading.get_ident(), range(8))) == {threading.get_ident()}

    assert two.map(work, range(4)) == [True] * 4


def test_a_forked_process_has_one_lane(open_lanes):
    open_lanes(2)
    inference_lanes().map(abs, range(4))
    child = os.fork()
    if not child:
        os._exit(inference_lanes().map(abs, range(4)) != [0, 1, 2, 3])
    assert os.waitpid(child, 0)[1] == 0


def test_a_model_on_a_gpu_has_one_lane(open_lanes):
    class OnGpu:
        device = 'cuda'

    open_lanes(2)
    assert (lanes_for(object()).count, lanes_for(OnGpu()).count) == (2, 1)


def test_no_gradient_is_kept_on_any_lane(open_lanes):
    open_lanes(2)
    weight = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        assert not any(part.requires_grad for part in at_once(lambda x: x * weight, [1.0, 2.0]))
    assert all(part.requires_grad for part in at_once(lambda x: x * weight, [1.0, 2.0]))


@pytest.fixture(scope='module')
def model() -> WorldModel:
    return load_world_model('tabletop')


@pytest.mark.parametrize('control', ['conditioned', 'guidance'])
def test_a_prediction_is_the_same_to_the_byte_on_one_lane_and_on_two(model, control, open_lanes):
    torch.set_num_threads(1)
    pictures = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    pictures = pictures.repeat(8, 1).repeat(8, 2)

    def predicted() -> list[np.ndarray]:
        stream = DragStream(model, config=StreamConfig(control=control, horizon_secs=1.0))
        stream.reset(pictures, range(0, 400_000_000, 100_000_000))
        stream.push_drag(smooth_drag(
            np.array([40.0, 40.0]), np.array([70.0, 50.0]), image_size=(128, 128)))
        return [chunk.frames for chunk in (stream.step(), stream.step()) if chunk is not None]

    alone = predicted()
    open_lanes(2)
    assert np.array_equal(alone, predicted()) and len(alone) == 2
