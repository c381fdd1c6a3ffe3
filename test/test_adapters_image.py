import array
import random
import sys
import types

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dragstream_ros.adapters.image import (
    ENCODINGS,
    array_from_image,
    decode_compressed,
    decode_image,
    encode_jpeg,
    image_from_array,
)
from dragstream_ros.errors import DragStreamError, ErrorCode

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)
PICTURE = np.array([[RED, GREEN], [BLUE, GREY]], np.uint8)


def decode(data, encoding, width=2, height=2, step=None, **more):
    step = len(bytes(data)) // height if step is None else step
    return decode_image(data, encoding=encoding, width=width, height=height, step=step, **more)


def code_of(function, *args, **kwargs) -> ErrorCode:
    with pytest.raises(DragStreamError) as caught:
        function(*args, **kwargs)
    assert caught.value.sentence.endswith('.') and '\n' not in caught.value.sentence
    return caught.value.code


@pytest.mark.parametrize(('encoding', 'pixels'), [
    ('rgb8', PICTURE),
    ('bgr8', PICTURE[:, :, ::-1]),
    ('rgba8', np.dstack([PICTURE, np.full((2, 2), 77, np.uint8)])),
    ('bgra8', np.dstack([PICTURE[:, :, ::-1], np.full((2, 2), 77, np.uint8)])),
])
def test_colour_comes_out_as_rgb_whatever_the_channel_order(encoding, pixels):
    assert (decode(np.ascontiguousarray(pixels), encoding) == PICTURE).all()


def test_grey_comes_out_as_three_equal_channels():
    rgb = decode(bytes([0, 50, 100, 255]), 'mono8')
    assert rgb.tolist() == [[[0] * 3, [50] * 3], [[100] * 3, [255] * 3]]


@pytest.mark.parametrize(('byte_order', 'is_bigendian'), [('<', False), ('>', True)])
def test_16_bit_grey_keeps_its_high_byte_in_either_byte_order(byte_order, is_bigendian):
    values = np.array([[0x0102, 0xFF00], [0x7FFF, 0x80FF]], f'{byte_order}u2')
    rgb = decode(values.tobytes(), 'mono16', is_bigendian=is_bigendian)
    assert rgb[:, :, 0].tolist() == [[0x01, 0xFF], [0x7F, 0x80]]
    assert rgb.shape == (2, 2, 3)


@pytest.mark.parametrize(('encoding', 'order'), [
    ('yuv422', 'uyvy'), ('uyvy', 'uyvy'), ('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv'),
])
def test_yuv_pairs_share_their_colour_and_keep_their_brightness(encoding, order):
    samples = {'u': [90], 'v': [240], 'y': [81, 145]}  # 81, 90, 240 is red in BT.601
    data = bytes(samples[letter].pop(0) for letter in order)
    dark, bright = decode(data, encoding, width=2, height=1)[0].astype(int)
    assert np.abs(dark - RED).max() <= 2
    assert bright[1] > 50 and bright[0] == 255


def test_yuv_of_odd_width_is_malformed():
    assert code_of(decode, bytes(6), 'yuv422', width=3, height=1) == ErrorCode.IMAGE_MALFORMED


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('colour', [RED, GREEN, BLUE])
def test_a_bayer_pattern_gives_back_the_colour_it_was_made_from(pattern, colour):
    first_rows = [['rgb'.index(letter) for letter in row] for row in (pattern[:2], pattern[2:])]
    mosaic = np.tile(np.array(colour, np.uint8)[first_rows], (4, 4))
    rgb = decode(mosaic, f'bayer_{pattern}8', width=8, height=8)
    assert (rgb[2:-2, 2:-2] == colour).all()


def test_padding_at_the_end_of_rows_is_skipped():
    padded = np.full((2, 10), 200, np.uint8)
    padded[:, :6] = PICTURE.reshape(2, 6)
    assert (decode(padded, 'rgb8', step=10) == PICTURE).all()


def test_the_result_does_not_share_memory_with_the_message():
    data = bytearray(PICTURE.tobytes())
    rgb = decode(data, 'rgb8')
    data[0] = 1
    assert (rgb == PICTURE).all()


def test_wrong_lengths_and_steps_are_malformed_and_never_crash():
    random.seed(0)
    for _ in range(500):
        encoding = random.choice(ENCODINGS)
        width, height, step = (random.choice([0, 1, 2, 7, 640, 2**31]) for _ in range(3))
        data = bytes(random.choice([0, 1, 13, 4096]))
        try:
            rgb = decode(data, encoding, width=width, height=height, step=step)
        except DragStreamError as error:
            assert error.code == ErrorCode.IMAGE_MALFORMED
        else:
            assert rgb.shape == (height, width, 3) and len(data) == step * height


@pytest.mark.parametrize('missing_bytes', [1, -1, 6])
def test_one_byte_too_few_or_too_many_is_malformed(missing_bytes):
    data = bytes(12 - missing_bytes)
    assert code_of(decode, data, 'rgb8', step=6) == ErrorCode.IMAGE_MALFORMED


def test_an_unknown_encoding_names_those_that_are_known():
    with pytest.raises(DragStreamError, match='rgb8, bgr8') as caught:
        decode(bytes(4), '32FC1')
    assert caught.value.code == ErrorCode.IMAGE_ENCODING_UNSUPPORTED


def install_cv_bridge(monkeypatch, imgmsg_to_cv2):
    bridge, boost = types.ModuleType('cv_bridge'), types.ModuleType('cv_bridge.boost')
    bridge.CvBridge = type('CvBridge', (), {'imgmsg_to_cv2': imgmsg_to_cv2})
    boost.cv_bridge_boost = object()
    monkeypatch.setitem(sys.modules, 'cv_bridge', bridge)
    monkeypatch.setitem(sys.modules, 'cv_bridge.boost', boost)


def test_an_unknown_encoding_goes_through_cv_bridge_where_there_is_one(monkeypatch):
    def imgmsg_to_cv2(self, message, encoding):
        assert (message.encoding, message.width, encoding) == ('nv21', 2, 'rgb8')
        return PICTURE

    install_cv_bridge(monkeypatch, imgmsg_to_cv2)
    assert (decode(bytes(6), 'nv21') == PICTURE).all()


def test_what_cv_bridge_cannot_convert_is_unsupported(monkeypatch):
    def imgmsg_to_cv2(self, message, encoding):
        raise RuntimeError('is not a color format')

    install_cv_bridge(monkeypatch, imgmsg_to_cv2)
    assert code_of(decode, bytes(6), 'nv21') == ErrorCode.IMAGE_ENCODING_UNSUPPORTED


def photo() -> np.ndarray:
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    return np.dstack([2 * x, 3 * y, x + y]).astype(np.uint8)


def test_jpeg_survives_the_way_there_and_back():
    decoded = decode_compressed(encode_jpeg(photo(), quality=95))
    assert np.abs(decoded.astype(int) - photo()).max() < 12


def test_png_comes_back_exactly():
    data = cv2.imencode('.png', photo()[:, :, ::-1])[1].tobytes()
    assert (decode_compressed(array.array('B', data)) == photo()).all()


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_a_truncated_image_is_refused_wherever_it_breaks_off(extension):
    data = cv2.imencode(extension, photo())[1].tobytes()
    for length in [*range(0, len(data) - 12, 37), len(data) - 12, len(data) - 1]:
        assert code_of(decode_compressed, data[:length]) == ErrorCode.IMAGE_DECODE_FAILED


def test_zeros_after_a_jpeg_are_taken_as_padding():
    assert decode_compressed(encode_jpeg(photo()) + bytes(1000)).shape == (64, 96, 3)


def test_garbage_that_looks_like_jpeg_is_refused():
    noise = np.random.default_rng(0).bytes(500)
    garbage = b'\xff\xd8' + noise + b'\xff\xd9'
    assert code_of(decode_compressed, garbage) == ErrorCode.IMAGE_DECODE_FAILED


def test_a_frame_survives_a_ros_message():
    header = Header(frame_id='camera')
    message = image_from_array(photo()[:, ::2], header)  # a view that is not contiguous
    assert isinstance(message, Image) and message.header == header
    assert (message.encoding, message.width, message.height, message.step) == ('rgb8', 48, 64, 144)
    assert (array_from_image(message) == photo()[:, ::2]).all()


def test_a_mask_becomes_black_and_white():
    message = image_from_array(np.array([[True, False]]), Header())
    assert (message.encoding, list(message.data)) == ('mono8', [255, 0])
