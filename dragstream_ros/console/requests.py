"""What a page may ask for: each message is parsed strictly, or refused with one sentence.

Nothing a page sends reaches the rest of the console in any other form than these dataclasses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dragstream_ros.adapters.drag import DragPhase
from dragstream_ros.core.drag import SHORTEST_ARM_PX, DragMode

LONGEST_MESSAGE_BYTES = 64 * 1024
MOST_HANDLES = 8
MOST_POINTS = 600  # of a path, an outline or a stroke
LARGEST_SIDE_PX = 16_384
LARGEST_STAMP_NS = (1 << 31) * 1_000_000_000  # where the seconds of a ROS stamp end
LARGEST_NUMBER = 1 << 31
SMALLEST_BRUSH_PX, LARGEST_BRUSH_PX = 0.5, 500.0  # radius
STREAMS = ('camera', 'prediction')

Point = tuple[float, float]
Points = tuple[Point, ...]


class Refusal(Exception):
    """What a page asked for is not done; the text is one sentence for the operator."""


@dataclass(frozen=True)
class Picture:
    """One picture that the page was shown: of which stream, its stamp, its (width, height)."""

    stream: str
    stamp_ns: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Handle:
    """One thing that is grabbed.

    path: px, from the grabbed point to the target. centre: px, what it is turned about, None: it
    is shifted. outline: px, corners of the region, none: what stands out around the point.
    """

    path: Points
    centre: Point | None
    outline: Points


@dataclass(frozen=True)
class DragRequest:
    """A drag as it is now; END and CANCEL need no handles. number: the page's own, per drag."""

    number: int
    phase: DragPhase
    mode: DragMode
    picture: Picture
    handles: tuple[Handle, ...]


@dataclass(frozen=True)
class RegionRequest:
    """What region a stroke of a brush covers, or, without a brush, what its first point touches.

    number: the page's own, to find the answer by. radius_px: of the brush; None: no brush.
    """

    number: int
    picture: Picture
    stroke: Points
    radius_px: float | None


@dataclass(frozen=True)
class Taken:
    """The page has taken the last picture of a stream; it is ready for the next one."""

    stream: str


@dataclass(frozen=True)
class Looking:
    """Whether somebody can see the page; a page in the background gets no pictures."""

    is_seen: bool


@dataclass(frozen=True)
class ResetRequest:
    """Start the prediction over."""


Request = DragRequest | RegionRequest | Taken | Looking | ResetRequest


def parse_request(text: str) -> Request:
    """Read one message of a page.

    :raises Refusal: it is none of the requests above, or makes no sense
    """
    if len(text) > LONGEST_MESSAGE_BYTES:
        raise Refusal(f'A message may have {LONGEST_MESSAGE_BYTES} characters at most.')
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal('The message is not JSON.') from None
    if not isinstance(message, dict):
        raise Refusal('The message is not a JSON object.')
    kind = message.pop('type', None)
    parse = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        raise Refusal(f'The message type must be one of {", ".join(_PARSERS)}.')
    return parse(message)


def _drag(message: Mapping[str, Any]) -> DragRequest:
    _require_fields(message, 'number', 'phase', 'mode', 'picture', 'handles')
    phase = DragPhase[_choice(message['phase'], ('begin', 'update', 'end', 'cancel'), 'phase')]
    mode = DragMode[_choice(message['mode'], ('animate', 'edit'), 'mode')]
    picture = _picture(message['picture'])
    if (picture.stream == 'prediction') != (mode is DragMode.EDIT):
        raise Refusal('A drag is made on the camera picture, an edit on the predicted one.')
    handles = _list(message['handles'], 'handles', most=MOST_HANDLES)
    if phase in (DragPhase.BEGIN, DragPhase.UPDATE) and not handles:
        raise Refusal('The drag has no handle; grab something first.')
    return DragRequest(
        number=_whole(message['number'], 'number', LARGEST_NUMBER), phase=phase, mode=mode,
        picture=picture, handles=tuple(_handle(handle, picture.size) for handle in handles))


def _region(message: Mapping[str, Any]) -> RegionRequest:
    _require_fields(message, 'number', 'picture', 'stroke', 'radius_px')
    picture = _picture(message['picture'])
    stroke = _points(message['stroke'], 'stroke', picture.size)
    if not stroke:
        raise Refusal('The stroke has no points.')
    radius_px = None
    if message['radius_px'] is not None:
        radius_px = _number(message['radius_px'], 'radius_px')
        if not SMALLEST_BRUSH_PX <= radius_px <= LARGEST_BRUSH_PX:
            raise Refusal(
                f'The brush must be {SMALLEST_BRUSH_PX:g} to {LARGEST_BRUSH_PX:g} pixels wide.')
    return RegionRequest(
        number=_whole(message['number'], 'number', LARGEST_NUMBER), picture=picture,
        stroke=stroke, radius_px=radius_px)


def _taken(message: Mapping[str, Any]) -> Taken:
    _require_fields(message, 'stream')
    return Taken(_choice(message['stream'], STREAMS, 'stream').lower())


def _looking(message: Mapping[str, Any]) -> Looking:
    _require_fields(message, 'is_seen')
    if not isinstance(message['is_seen'], bool):
        raise Refusal('The field is_seen must be true or false.')
    return Looking(message['is_seen'])


def _reset(message: Mapping[str, Any]) -> ResetRequest:
    _require_fields(message)
    return ResetRequest()


_PARSERS: dict[str, Callable[[Mapping[str, Any]], Request]] = {
    'drag': _drag, 'region': _region, 'taken': _taken, 'looking': _looking, 'reset': _reset}


def _picture(value: object) -> Picture:
    if not isinstance(value, dict):
        raise Refusal('The picture must be an object.')
    _require_fields(value, 'stream', 'stamp_ns', 'width', 'height')
    stamp = value['stamp_ns']
    # Nanoseconds are more than a page's numbers can hold, so they come as text.
    if not (isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) < 20):
        raise Refusal('The stamp of the picture must be digits.')
    return Picture(
        stream=_choice(value['stream'], STREAMS, 'stream').lower(),
        stamp_ns=_whole(int(stamp), 'stamp_ns', LARGEST_STAMP_NS),
        size=(_side(value['width'], 'width'), _side(value['height'], 'height')))


def _handle(value: object, size: tuple[int, int]) -> Handle:
    if not isinstance(value, dict):
        raise Refusal('A handle must be an object.')
    _require_fields(value, 'path', 'centre', 'outline')
    path = _points(value['path'], 'path', size)
    if not path:
        raise Refusal('The handle has no path; drag it somewhere.')
    centre = None
    if value['centre'] is not None:
        [centre] = _points([value['centre']], 'centre', size)
        if min(math.dist(point, centre) for point in path) < SHORTEST_ARM_PX:
            raise Refusal('The path touches the centre of the turn; drag further away from it.')
    outline = _points(value['outline'], 'outline', size)
    if 0 < len(outline) < 3:
        raise Refusal('An outline needs three corners or more.')
    return Handle(path, centre, outline)


def _points(value: object, name: str, size: tuple[int, int]) -> Points:
    """Points inside a picture: a page holds its operator's hand at the edge."""
    points = []
    for item in _list(value, name, most=MOST_POINTS):
        if not isinstance(item, list) or len(item) != 2:
            raise Refusal(f'A point of the {name} must be [x, y].')
        x, y = (_number(number, name) for number in item)
        if not (-0.5 <= x <= size[0] - 0.5 and -0.5 <= y <= size[1] - 0.5):
            raise Refusal(f'The {name} leaves the picture of {size[0]}x{size[1]} pixels.')
        points.append((x, y))
    return tuple(points)


def _list(value: object, name: str, *, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise Refusal(f'The {name} must be a list of {most} at most.')
    return value


def _choice(value: object, choices: tuple[str, ...], name: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise Refusal(f'The {name} must be one of {", ".join(choices)}.')
    return value.upper()


def _number(value: object, name: str) -> float:
    # Python's JSON reads NaN, Infinity and numbers of any length.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise Refusal(f'The {name} has something that is no ordinary number.')
    return float(value)


def _whole(value: object, name: str, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < limit:
        raise Refusal(f'The {name} must be a whole number from 0 to {limit - 1}.')
    return value


def _side(value: object, name: str) -> int:
    if _whole(value, name, LARGEST_SIDE_PX) == 0:
        raise Refusal(f'The picture has no {name}.')
    return int(value)  # type: ignore[call-overload]


def _require_fields(message: Mapping[str, Any], *names: str) -> None:
    if message.keys() != set(names):
        raise Refusal(f'The message must have exactly the fields {", ".join(names) or "none"}.')
