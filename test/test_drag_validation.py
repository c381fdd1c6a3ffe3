"""What a drag may not be: each mistake has its code and one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dragstream_ros.core.drag import (
    DragCommand,
    DragHandle,
    DragMode,
    Operation,
    validate_command,
)
from dragstream_ros.errors import DragStreamError, ErrorCode

GOOD_HANDLE = DragHandle(
    path_px=np.array([[10.0, 10.0], [20.0, 10.0]]),
    times_secs=np.array([0.0, 0.8]),
    mask=np.ones((80, 100), bool),
)
GOOD_ROTATION = replace(
    GOOD_HANDLE, operation=Operation.ROTATE, centre_px=np.array([15.0, 15.0])
)
GOOD = DragCommand(
    drag_id='d',
    operator_id='o',
    mode=DragMode.EDIT,
    handles=(GOOD_HANDLE, GOOD_ROTATION),
    image_size=(100, 80),
    stamp_ns=0,
    frozen=np.ones((80, 100), bool),
)


def with_handle(**changes) -> DragCommand:
    return replace(GOOD, handles=(replace(GOOD_HANDLE, **changes),))


def with_rotation(**changes) -> DragCommand:
    return replace(GOOD, handles=(replace(GOOD_ROTATION, **changes),))


@pytest.mark.parametrize(
    'command',
    [
        GOOD,
        with_handle(times_secs=None),
        with_handle(times_secs=np.array([0.0, 0.0])),
        with_handle(path_px=np.array([[-0.5, 79.5], [400.0, -300.0]])),
        with_handle(path_px=np.array([[99.5, -0.5]]), times_secs=np.array([0.0])),
        with_handle(mask=None),
        replace(GOOD, frozen=None),
    ],
)
def test_a_sound_command_passes(command):
    validate_command(command)


@pytest.mark.parametrize(
    ('command', 'code'),
    [
        (replace(GOOD, handles=()), ErrorCode.DRAG_EMPTY),
        (with_handle(path_px=np.zeros((0, 2))), ErrorCode.DRAG_EMPTY),
        (with_handle(path_px=np.array([[10.0, np.nan], [1, 1]])), ErrorCode.DRAG_NOT_FINITE),
        (with_handle(path_px=np.array([[10.0, 9.0], [np.inf, 1]])), ErrorCode.DRAG_NOT_FINITE),
        (with_handle(times_secs=np.array([0.0, np.nan])), ErrorCode.DRAG_NOT_FINITE),
        (with_handle(radius_px=float('nan')), ErrorCode.DRAG_NOT_FINITE),
        (with_rotation(centre_px=np.array([np.nan, 0.0])), ErrorCode.DRAG_NOT_FINITE),
        (replace(GOOD, duration_secs=float('inf')), ErrorCode.DRAG_NOT_FINITE),
        (with_handle(path_px=np.array([[-0.6, 5.0], [1, 1]])), ErrorCode.DRAG_OUTSIDE_IMAGE),
        (with_handle(path_px=np.array([[5.0, 80.0], [1, 1]])), ErrorCode.DRAG_OUTSIDE_IMAGE),
        (replace(GOOD, image_size=(0, 80)), ErrorCode.DRAG_WRONG_SIZE),
        (replace(GOOD, duration_secs=0.0), ErrorCode.DRAG_INVALID),
        (with_handle(path_px=np.ones((2, 3))), ErrorCode.DRAG_INVALID),
        (with_handle(path_px=np.ones(2)), ErrorCode.DRAG_INVALID),
        (with_handle(radius_px=0.0), ErrorCode.DRAG_INVALID),
        (with_handle(times_secs=np.array([0.0, 0.1, 0.2])), ErrorCode.DRAG_INVALID),
        (with_handle(times_secs=np.array([0.1, 0.2])), ErrorCode.DRAG_INVALID),
        (with_handle(times_secs=np.array([0.0, -0.1])), ErrorCode.DRAG_INVALID),
        (with_rotation(centre_px=None), ErrorCode.DRAG_INVALID),
        (with_rotation(centre_px=np.zeros(3)), ErrorCode.DRAG_INVALID),
        (with_rotation(centre_px=np.array([20.0, 10.2])), ErrorCode.DRAG_INVALID),
        (with_handle(mask=np.ones((100, 80), bool)), ErrorCode.DRAG_INVALID),
        (with_handle(mask=np.ones((80, 100), np.uint8)), ErrorCode.DRAG_INVALID),
        (with_handle(mask=np.zeros((80, 100), bool)), ErrorCode.DRAG_INVALID),
        (replace(GOOD, frozen=np.ones((8, 10), bool)), ErrorCode.DRAG_INVALID),
    ],
)
def test_a_mistake_is_refused_with_its_code_and_one_sentence(command, code):
    with pytest.raises(DragStreamError) as caught:
        validate_command(command)
    assert caught.value.code == code
    assert caught.value.sentence.endswith('.')


def test_the_sentence_names_the_handle_that_is_wrong():
    bad = replace(GOOD, handles=(GOOD_HANDLE, replace(GOOD_HANDLE, radius_px=-1.0)))
    with pytest.raises(DragStreamError, match='Handle 1'):
        validate_command(bad)
