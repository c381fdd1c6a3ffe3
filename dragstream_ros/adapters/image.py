"""Camera images to RGB arrays and back.

``decode_image`` and ``decode_compressed`` take plain fields, so that a process without ROS can use
them; ``array_from_image`` and ``image_from_array`` are their faces towards ROS.
"""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dragstream_ros.errors import DragStreamError, ErrorCode

if TYPE_CHECKING:
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

Buffer = bytes | bytearray | memoryview | np.ndarray


@dataclass(frozen=True)
class _Layout:
    """How an encoding lies in memory: bytes per pixel, and (H, W, bytes) uint8 -> (H, W, 3) RGB."""

    bytes_per_pixel: int
    to_rgb: Callable[[np.ndarray], np.ndarray]
    even_width: bool = False  # pairs of pixels share their colour


def _by_cv2(conversion: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pixels: cv2.cvtColor(pixels, conversion)


_UYVY = _Layout(2, _by_cv2(cv2.COLOR_YUV2RGB_UYVY), even_width=True)
_YUYV = _Layout(2, _by_cv2(cv2.COLOR_YUV2RGB_YUY2), even_width=True)

_LAYOUTS = {
    'rgb8': _Layout(3, np.copy),
    'bgr8': _Layout(3, _by_cv2(cv2.COLOR_BGR2RGB)),
    'rgba8': _Layout(4, _by_cv2(cv2.COLOR_RGBA2RGB)),
    'bgra8': _Layout(4, _by_cv2(cv2.COLOR_BGRA2RGB)),
    'mono8': _Layout(1, _by_cv2(cv2.COLOR_GRAY2RGB)),
    # The high byte: the same picture at 8 bits.
    'mono16': _Layout(2, lambda pixels: np.repeat(pixels[:, :, 1:], 3, axis=2)),
    'mono16_bigendian': _Layout(2, lambda pixels: np.repeat(pixels[:, :, :1], 3, axis=2)),
    # Each under its old and its new ROS name.
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    # ROS names a pattern by its first two rows from (0, 0), OpenCV by those from (1, 1).
    'bayer_rggb8': _Layout(1, _by_cv2(cv2.COLOR_BayerBG2RGB)),
    'bayer_bggr8': _Layout(1, _by_cv2(cv2.COLOR_BayerRG2RGB)),
    'bayer_gbrg8': _Layout(1, _by_cv2(cv2.COLOR_BayerGR2RGB)),
    'bayer_grbg8': _Layout(1, _by_cv2(cv2.COLOR_BayerGB2RGB)),
}
ENCODINGS = tuple(name for name in _LAYOUTS if name != 'mono16_bigendian')


def decode_image(
    data: Buffer, *, encoding: str, width: int, height: int, step: int, is_bigendian: bool = False
) -> np.ndarray:
    """Convert the fields of a sensor_msgs/Image to RGB.

    mono16 keeps its high byte. An encoding that is not in ``ENCODINGS`` goes through the system's
    cv_bridge where there is one.

    :param step: bytes from one row to the next, padding included
    :returns: (height, width, 3) uint8 RGB with memory of its own
    :raises DragStreamError: IMAGE_MALFORMED, IMAGE_ENCODING_UNSUPPORTED
    """
    if encoding == 'mono16' and is_bigendian:
        layout = _LAYOUTS['mono16_bigendian']
    elif encoding in ENCODINGS:
        layout = _LAYOUTS[encoding]
    else:
        return _decode_by_cv_bridge(
            data,
            encoding=encoding,
            width=width,
            height=height,
            step=step,
            is_bigendian=is_bigendian,
        )
    row_bytes = width * layout.bytes_per_pixel
    if width <= 0 or height <= 0:
        raise _malformed(f'it is {width}x{height} pixels')
    if layout.even_width and width % 2:
        raise _malformed(f'{encoding} needs an even width, it is {width}')
    if step < row_bytes:
        raise _malformed(f'its step is {step} bytes, a row of {width} {encoding} needs {row_bytes}')
    flat = np.frombuffer(data, np.uint8)
    if flat.size != step * height:
        raise _malformed(f'it has {flat.size} bytes, {height} rows of {step} are {step * height}')
    rows = flat.reshape(height, step)[:, :row_bytes]
    return layout.to_rgb(rows.reshape(height, width, layout.bytes_per_pixel))


def decode_compressed(data: Buffer) -> np.ndarray:
    """Convert the data of a sensor_msgs/CompressedImage, JPEG or PNG, to RGB.

    :returns: (height, width, 3) uint8 RGB
    :raises DragStreamError: IMAGE_DECODE_FAILED, for a truncated image too
    """
    flat = np.frombuffer(data, np.uint8)
    # OpenCV quietly paints what a truncated file lacks grey, hence the look at the end.
    if flat[:2].tobytes() == b'\xff\xd8':
        whole = flat.tobytes().rstrip(b'\0').endswith(b'\xff\xd9')  # drivers pad with zeros
    elif flat[:4].tobytes() == b'\x89PNG':
        whole = flat[-8:-4].tobytes() == b'IEND'
    else:
        raise _not_decoded('is neither JPEG nor PNG; please have the camera send one of them')
    if not whole:
        raise _not_decoded(f'is truncated after {flat.size} bytes; please look at the camera link')
    try:
        # A camera's picture is used as it lies in memory: camera_info knows nothing of EXIF.
        bgr = cv2.imdecode(flat, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise _not_decoded(f'of {flat.size} bytes is damaged; please look at the camera link')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def encode_jpeg(frame: np.ndarray, *, quality: int = 90) -> bytes:
    """Compress an (H, W, 3) uint8 RGB frame; quality is 1 to 100."""
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def array_from_image(message: Image) -> np.ndarray:
    """Convert a sensor_msgs/Image to (H, W, 3) uint8 RGB; raises as ``decode_image`` does."""
    return decode_image(
        memoryview(message.data),
        encoding=message.encoding,
        width=message.width,
        height=message.height,
        step=message.step,
        is_bigendian=bool(message.is_bigendian),
    )


def image_from_array(frame: np.ndarray, header: Header) -> Image:
    """Make an Image: rgb8 of (H, W, 3) uint8 RGB; mono8 of (H, W) uint8, or bool (0 and 255)."""
    from sensor_msgs.msg import Image

    channels = 3 if frame.ndim == 3 else 1
    pixels = frame.astype(np.uint8) * 255 if frame.dtype == bool else np.ascontiguousarray(frame)
    height, width = frame.shape[:2]
    return Image(
        header=header,
        height=height,
        width=width,
        encoding='rgb8' if channels == 3 else 'mono8',
        step=width * channels,
        data=byte_array(pixels),
    )


def byte_array(data: Buffer) -> array.array:
    """Copy bytes to the type of a message's uint8[]: 0.1 ms for 720p; numpy itself takes 150 ms."""
    result = array.array('B')
    result.frombytes(np.frombuffer(data, np.uint8).data)
    return result


def _decode_by_cv_bridge(data: Buffer, **fields: object) -> np.ndarray:
    """Let a robot's own cv_bridge convert what we cannot."""
    try:
        from cv_bridge import CvBridge
        from cv_bridge.boost import cv_bridge_boost  # noqa: F401  PyPI's cv_bridge is ROS 1's: it has none
    except ImportError:
        raise DragStreamError(
            ErrorCode.IMAGE_ENCODING_UNSUPPORTED,
            f'The image encoding {fields["encoding"]!r} is not supported without cv_bridge; please '
            f'have the camera send one of {", ".join(ENCODINGS)}.',
        ) from None
    message = SimpleNamespace(data=data, **fields)
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, 'rgb8'))
    except Exception as error:  # cv_bridge passes on whatever its C++ part, numpy and OpenCV raise
        reason = ' '.join(str(error).split())
        raise DragStreamError(
            ErrorCode.IMAGE_ENCODING_UNSUPPORTED,
            f'cv_bridge cannot convert the encoding {fields["encoding"]!r} to rgb8 ({reason}).',
        ) from error


def _malformed(reason: str) -> DragStreamError:
    return DragStreamError(
        ErrorCode.IMAGE_MALFORMED, f'The image does not fit its description: {reason}.'
    )


def _not_decoded(reason: str) -> DragStreamError:
    return DragStreamError(ErrorCode.IMAGE_DECODE_FAILED, f'The compressed image {reason}.')
