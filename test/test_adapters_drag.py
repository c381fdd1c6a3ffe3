import numpy as np
import pytest
from geometry_msgs.msg import Point, Point32, Polygon
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dragstream_ros.adapters.drag import (
    DragPhase,
    command_from_drag,
    drag_from_command,
    transform_command,
)
from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.adapters.stamp import ns_from_stamp, stamp_from_ns
from dragstream_ros.core.drag import DragMode, Operation
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import Drag, DragHandle

STAMP_NS = 1_700_000_000_123_456_789


def points(*pairs):
    return [Point(x=float(x), y=float(y)) for x, y in pairs]


def polygon(*pairs):
    return Polygon(points=[Point32(x=float(x), y=float(y)) for x, y in pairs])


def handle(*path, **fields) -> DragHandle:
    return DragHandle(path=points(*path), **fields)


def drag(*handles, **fields) -> Drag:
    header = Header(stamp=stamp_from_ns(STAMP_NS), frame_id='camera')
    fields = {'image_width': 640, 'image_height': 480, 'drag_id': 'd1', **fields}
    return Drag(header=header, handles=list(handles), **fields)


def grey(width, height, **fields) -> Image:
    return Image(width=width, height=height, step=width, encoding='mono8',
                 data=bytes([255]) * (width * height), **fields)


def test_a_drag_becomes_a_command_with_the_same_numbers():
    message = drag(
        handle((10, 20), (30, 40), times_secs=[0.0, 0.5], radius_px=9.0),
        handle((60, 50), (50, 60), operation=DragHandle.ROTATE, centre=Point(x=50.0, y=50.0)),
        operator_id='anna', mode=Drag.EDIT, duration_secs=2.0,
    )
    command = command_from_drag(message)
    assert (command.drag_id, command.operator_id, command.stamp_ns) == ('d1', 'anna', STAMP_NS)
    assert (command.mode, command.duration_secs) == (DragMode.EDIT, 2.0)
    assert command.image_size == (640, 480)
    first, second = command.handles
    assert first.path_px.tolist() == [[10, 20], [30, 40]] and first.path_px.dtype == np.float64
    assert first.times_secs.tolist() == [0.0, 0.5] and first.radius_px == 9.0
    assert first.operation == Operation.TRANSLATE and first.centre_px is None
    assert second.operation == Operation.ROTATE and second.centre_px.tolist() == [50, 50]
    assert second.times_secs is None and second.mask is None and command.frozen is None


def test_zero_leaves_duration_and_region_to_the_predictor():
    command = command_from_drag(drag(handle((10, 20))))
    assert command.duration_secs == 1.0
    in_model = transform_command(command, Letterbox((640, 480), (128, 128)))
    assert in_model.handles[0].radius_px is None


def test_a_command_survives_the_way_to_a_message_and_back():
    message = drag(
        handle((10, 20), (30, 40), times_secs=[0.0, 0.5], radius_px=9.0,
               mask_polygon=polygon((5, 15), (15, 15), (15, 25))),
        handle((60, 50), (50, 60), operation=DragHandle.ROTATE, centre=Point(x=50.0, y=50.0)),
        frozen_polygon=polygon((100, 100), (200, 100), (200, 200)), operator_id='anna',
    )
    command = command_from_drag(message)
    again = command_from_drag(drag_from_command(command, header=message.header))
    assert (again.drag_id, again.operator_id, again.mode) == ('d1', 'anna', DragMode.ANIMATE)
    assert (again.stamp_ns, again.duration_secs) == (STAMP_NS, 1.0)
    assert (again.frozen == command.frozen).all()
    for one, other in zip(command.handles, again.handles, strict=True):
        for field in ('path_px', 'times_secs', 'operation', 'centre_px', 'mask'):
            assert np.array_equal(getattr(one, field), getattr(other, field))
        assert other.radius_px == one.radius_px


def test_a_polygon_covers_the_pixels_whose_centres_it_holds():
    square = polygon((2, 3), (5, 3), (5, 6), (2, 6))
    mask = command_from_drag(drag(handle((3, 4), mask_polygon=square))).handles[0].mask
    expected = np.zeros((480, 640), bool)
    expected[3:7, 2:6] = True
    assert (mask == expected).all()


def test_a_polygon_may_leave_the_image():
    half_plane = polygon((-1000, -1000), (99, -1000), (99, 5000), (-1000, 5000))
    mask = command_from_drag(drag(handle((3, 4), mask_polygon=half_plane))).handles[0].mask
    assert mask[:, :100].all() and not mask[:, 101:].any()


def test_a_mask_image_counts_where_it_is_not_zero():
    mask = np.zeros((480, 640), np.uint8)
    mask[7, 8] = 1
    message = drag(handle((8, 7), mask=image_from_array(mask, Header())))
    assert np.argwhere(command_from_drag(message).handles[0].mask).tolist() == [[7, 8]]


def test_a_drag_is_mapped_to_the_pixels_of_the_model():
    message = drag(
        handle((2, 2), (639, 479), radius_px=10.0,
               mask_polygon=polygon((0, 0), (99, 0), (99, 99), (0, 99))),
        handle((60, 50), (50, 60), operation=DragHandle.ROTATE, centre=Point(x=52.0, y=52.0)),
        frozen_mask=image_from_array(np.ones((480, 640), np.uint8), Header()),
    )
    command = transform_command(command_from_drag(message), Letterbox((640, 480), (128, 128)))
    first, second = command.handles
    assert command.image_size == (128, 128) and command.stamp_ns == STAMP_NS
    assert np.allclose(first.path_px, [(0, 16), (127.4, 111.4)])
    assert first.radius_px == pytest.approx(2.0) and np.allclose(second.centre_px, (10, 26))
    assert first.mask[16:36, :20].all() and first.mask.sum() == 400
    assert command.frozen.sum() == 128 * 96 and not command.frozen[:16].any()


def test_a_drag_on_an_image_of_another_size_is_not_mapped():
    command = command_from_drag(drag(handle((10, 20))))
    with pytest.raises(DragStreamError, match='640x480.*320x240') as caught:
        transform_command(command, Letterbox((320, 240), (128, 128)))
    assert caught.value.code == ErrorCode.DRAG_WRONG_SIZE


NAN, INF = float('nan'), float('inf')
TWO_CORNERS = polygon((0, 0), (9, 9))


@pytest.mark.parametrize(('code', 'message'), [
    ('DRAG_EMPTY', drag()),
    ('DRAG_EMPTY', drag(handle())),
    ('DRAG_EMPTY', drag(handle((1, 1)), handle())),
    ('DRAG_NOT_FINITE', drag(handle((NAN, 1)))),
    ('DRAG_NOT_FINITE', drag(handle((1, 1), (2, INF)))),
    ('DRAG_NOT_FINITE', drag(handle((1, 1), times_secs=[NAN]))),
    ('DRAG_NOT_FINITE', drag(handle((1, 1), radius_px=NAN))),
    ('DRAG_NOT_FINITE', drag(handle((1, 1)), duration_secs=INF)),
    ('DRAG_NOT_FINITE', drag(handle((1, 1), mask_polygon=polygon((0, 0), (NAN, 0), (1, 1))))),
    ('DRAG_NOT_FINITE', drag(handle((9, 9), operation=1, centre=Point(x=NAN)))),
    ('DRAG_OUTSIDE_IMAGE', drag(handle((640, 1)))),
    ('DRAG_OUTSIDE_IMAGE', drag(handle((1, -0.6)))),
    ('DRAG_WRONG_SIZE', drag(handle((1, 1)), image_width=0)),
    ('DRAG_WRONG_SIZE', drag(handle((1, 1), mask=grey(64, 48)))),
    ('DRAG_WRONG_SIZE', drag(handle((1, 1)), frozen_mask=grey(480, 640))),
    ('DRAG_INVALID', drag(handle((1, 1)), drag_id='')),
    ('DRAG_INVALID', drag(handle((1, 1)), mode=7)),
    ('DRAG_INVALID', drag(handle((1, 1)), duration_secs=-1.0)),
    ('DRAG_INVALID', drag(handle((1, 1), operation=7))),
    ('DRAG_INVALID', drag(handle((1, 1), radius_px=-1.0))),
    ('DRAG_INVALID', drag(handle((1, 1), (2, 2), times_secs=[0.0]))),
    ('DRAG_INVALID', drag(handle((1, 1), (2, 2), times_secs=[0.5, 0.1]))),
    ('DRAG_INVALID', drag(handle((9, 9), operation=1, centre=Point(x=9.0, y=9.0)))),
    ('DRAG_INVALID', drag(handle((1, 1), mask_polygon=TWO_CORNERS))),
    ('DRAG_INVALID', drag(handle((1, 1), mask_polygon=polygon((0, 0), (1e9, 0), (9, 9))))),
    ('DRAG_INVALID', drag(handle((1, 1), mask_polygon=polygon((-9, -9), (-5, -9), (-5, -5))))),
    ('DRAG_INVALID', drag(handle((1, 1), mask_polygon=TWO_CORNERS, mask=grey(640, 480)))),
    ('DRAG_INVALID', drag(handle((1, 1), mask=Image(encoding='rgb8', data=b'abc')))),
    ('DRAG_INVALID', drag(handle((1, 1), mask=Image(
        encoding='mono8', width=640, height=480, step=640, data=b'abc')))),
    ('DRAG_INVALID', drag(handle((1, 1), mask=image_from_array(
        np.zeros((480, 640), np.uint8), Header())))),
])
def test_a_senseless_drag_is_refused_with_its_code_and_one_sentence(code, message):
    with pytest.raises(DragStreamError) as caught:
        command_from_drag(message)
    assert caught.value.code.name == code
    sentence = caught.value.sentence
    assert sentence[0].isupper() and sentence.endswith('.') and '\n' not in sentence


def test_stamps_keep_every_nanosecond():
    stamp = stamp_from_ns(STAMP_NS)
    assert (stamp.sec, stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert ns_from_stamp(stamp) == STAMP_NS


def test_phases_have_the_numbers_of_the_message():
    assert {phase.name: getattr(Drag, phase.name) for phase in DragPhase} == DragPhase.__members__
