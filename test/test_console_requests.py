"""What a page may say to the console, and that nothing else gets through."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dragstream_ros.adapters.drag import DragPhase
from dragstream_ros.console.requests import (
    LONGEST_MESSAGE_BYTES,
    MOST_HANDLES,
    MOST_POINTS,
    DragRequest,
    Handle,
    Looking,
    Picture,
    Refusal,
    RegionRequest,
    ResetRequest,
    Taken,
    parse_request,
)
from dragstream_ros.core.drag import DragMode

PICTURE = {'stream': 'camera', 'stamp_ns': '1700000000123456789', 'width': 64, 'height': 48}
HANDLE = {'path': [[10, 20], [30.5, 20]], 'centre': None, 'outline': []}
DRAG = {'type': 'drag', 'number': 3, 'phase': 'begin', 'mode': 'animate', 'picture': PICTURE,
        'handles': [HANDLE]}
REGION = {'type': 'region', 'number': 1, 'picture': PICTURE, 'stroke': [[1, 2]], 'radius_px': 4}


def with_handle(**fields) -> dict:
    return {**DRAG, 'handles': [{**HANDLE, **fields}]}


def with_picture(**fields) -> dict:
    return {**DRAG, 'picture': {**PICTURE, **fields}}


def test_a_drag_is_read_with_every_nanosecond_of_its_stamp():
    assert parse_request(json.dumps(DRAG)) == DragRequest(
        number=3, phase=DragPhase.BEGIN, mode=DragMode.ANIMATE,
        picture=Picture('camera', 1_700_000_000_123_456_789, (64, 48)),
        handles=(Handle(((10.0, 20.0), (30.5, 20.0)), None, ()),))


@pytest.mark.parametrize(('message', 'request_type'), [
    (with_handle(centre=[5, 5], outline=[[0, 0], [9, 0], [9, 9]]), DragRequest),
    ({**DRAG, 'phase': 'end', 'handles': []}, DragRequest),
    ({**with_picture(stream='prediction'), 'mode': 'edit'}, DragRequest),
    (REGION, RegionRequest),
    ({**REGION, 'radius_px': None}, RegionRequest),
    ({'type': 'taken', 'stream': 'camera'}, Taken),
    ({'type': 'looking', 'is_seen': False}, Looking),
    ({'type': 'reset'}, ResetRequest),
])
def test_all_that_the_page_says_is_understood(message, request_type):
    assert isinstance(parse_request(json.dumps(message)), request_type)


def test_the_edge_of_the_picture_is_half_a_pixel_beyond_the_last_centre():
    assert parse_request(json.dumps(with_handle(path=[[-0.5, -0.5], [63.5, 47.5]])))


REFUSED = {
    'no JSON': '{',
    'no object': '[]',
    'nothing': '',
    'too deep': '[' * 30_000,
    'too long': json.dumps({**DRAG, 'number': '9' * LONGEST_MESSAGE_BYTES}),
    'another type': {'type': 'publish'},
    'a type that is no text': {'type': ['drag']},
    'a field too many': {**DRAG, 'topic': '/cmd_vel'},
    'a field too few': {'type': 'taken'},
    'another stream': {'type': 'taken', 'stream': 'secrets'},
    'another phase': {**DRAG, 'phase': 'BEGIN'},
    'no handle to begin with': {**DRAG, 'handles': []},
    'too many handles': {**DRAG, 'handles': [HANDLE] * (MOST_HANDLES + 1)},
    'an edit of the camera': {**DRAG, 'mode': 'edit'},
    'a number below zero': {**DRAG, 'number': -1},
    'a number that is true': {**DRAG, 'number': True},
    'a stamp that is a number': with_picture(stamp_ns=17),
    'a stamp below zero': with_picture(stamp_ns='-1'),
    'a stamp of strange digits': with_picture(stamp_ns='\u0661\u0662'),
    'a stamp after all of ROS': with_picture(stamp_ns='9' * 19),
    'a picture of no width': with_picture(width=0),
    'a picture too large': with_picture(height=1_000_000),
    'a picture without a name': {**DRAG, 'picture': 'camera'},
    'a path outside': with_handle(path=[[10, 20], [63.6, 20]]),
    'a path above': with_handle(path=[[10, -0.6]]),
    'a path of nothing': with_handle(path=[]),
    'a path too long': with_handle(path=[[1, 1]] * (MOST_POINTS + 1)),
    'a path of triples': with_handle(path=[[1, 1, 1]]),
    'a path of text': with_handle(path=[['1', '1']]),
    'a path that is no number': with_handle(path=[[math.nan, 1]]),
    'a path without end': with_handle(path=[[math.inf, 1]]),
    'a path through its centre': with_handle(centre=[30.5, 20]),
    'a centre outside': with_handle(centre=[100, 20]),
    'an outline of two corners': with_handle(outline=[[0, 0], [9, 9]]),
    'a handle that is a list': {**DRAG, 'handles': [[]]},
    'a stroke of nothing': {**REGION, 'stroke': []},
    'a brush of nothing': {**REGION, 'radius_px': 0},
    'a look that is no truth': {'type': 'looking', 'is_seen': 'yes'},
}


@pytest.mark.parametrize('name', REFUSED)
def test_all_else_is_refused_with_a_sentence(name):
    message = REFUSED[name]
    with pytest.raises(Refusal) as refusal:
        parse_request(message if isinstance(message, str) else json.dumps(message))
    assert_sentence(refusal.value)


def assert_sentence(refusal: Refusal) -> None:
    text = str(refusal)
    assert text[0].isupper() and text[-1] == '.' and 10 < len(text) < 200


NASTY = [
    None, True, '', 'camera', '1', [], {}, [[]], -1, 0, 0.5, 63.6, -0.6, 1e300, 10**400, math.nan,
    math.inf, [1, 2], [[1, 2]], [[1e9, 1]], [[1, math.nan]], {'path': []}, [HANDLE], PICTURE]


def places_in(message: object) -> list[tuple]:
    """Every place in a message where something else could stand: keys from the outside in."""
    inner = message.items() if isinstance(message, dict) else (
        enumerate(message) if isinstance(message, list) else ())
    return [(), *((key, *rest) for key, value in inner for rest in places_in(value))]


def with_value(message: object, place: tuple, value: object) -> object:
    if not place:
        return value
    copy = message.copy()
    copy[place[0]] = with_value(message[place[0]], place[1:], value)
    return copy


def test_spoilt_messages_are_understood_or_refused_with_a_sentence():
    valid = [DRAG, with_handle(centre=[5, 5], outline=[[0, 0], [9, 0], [9, 9]]), REGION,
             {'type': 'taken', 'stream': 'camera'}, {'type': 'looking', 'is_seen': False}]
    spoilt = [(message, place) for message in valid for place in places_in(message)]
    counts = {'understood': 0, 'refused': 0}

    def check(where, value):
        message = with_value(*where, value)
        try:
            request = parse_request(json.dumps(message))
        except Refusal as refusal:
            assert_sentence(refusal)
            counts['refused'] += 1
            return
        counts['understood'] += 1
        for x, y in points_of(request):
            width, height = request.picture.size
            assert -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5

    for where in spoilt:
        for value in NASTY:
            check(where, value)
    any_value = some.one_of(some.floats(), some.floats(-2, 66), some.integers(), some.text())
    settings(max_examples=10_000, deadline=None, database=None, derandomize=True)(
        given(some.sampled_from(spoilt), any_value)(check))()
    assert min(counts.values()) > 200  # or the test says little of one of them


def points_of(request) -> list[tuple[float, float]]:
    if isinstance(request, RegionRequest):
        return list(request.stroke)
    handles = getattr(request, 'handles', ())
    return [point for handle in handles
            for point in (*handle.path, *handle.outline, *filter(None, [handle.centre]))]
