"""The calibration of a camera, for pictures of another size than its own."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dragstream_ros.adapters.letterbox import Size


def scaled_camera_info(info: CameraInfo, *, image_size: Size, content_size: Size) -> CameraInfo:
    """Return the calibration of a camera's images after a resize.

    ``info`` may describe a larger sensor, of which binning and a region of interest leave the
    image: the result describes the resized image itself. Distortion and rectification stay.

    :param image_size: (width, height) px of the camera's images
    :param content_size: (width, height) px they are resized to
    :returns: K and P for content_size; all zero (ROS's mark of an uncalibrated camera) if ``info``
        is uncalibrated or is not about images of this size
    """
    binning = np.maximum((info.binning_x, info.binning_y), 1)  # 0 means 1
    region = np.array((info.roi.width or info.width, info.roi.height or info.height))
    if tuple(region // binning) != image_size or info.k[0] == 0.0:
        return uncalibrated_camera_info(info.header, content_size)

    # With (0, 0) a pixel's centre, a resize by r (binning is one) maps x to r x + (r - 1) / 2.
    offset = np.array((info.roi.x_offset, info.roi.y_offset))
    ratio = np.array(content_size) / (image_size * binning)
    to_content = np.eye(3)
    to_content[[0, 1], [0, 1]] = ratio
    to_content[:2, 2] = (ratio - 1.0) / 2.0 - ratio * offset

    result = uncalibrated_camera_info(info.header, content_size)
    result.distortion_model = info.distortion_model
    result.d = info.d
    result.r = info.r
    result.k = (to_content @ np.reshape(info.k, (3, 3))).ravel()
    result.p = (to_content @ np.reshape(info.p, (3, 4))).ravel()
    return result


def uncalibrated_camera_info(header: Header, size: Size) -> CameraInfo:
    """Return a CameraInfo that says only the size, (width, height) px."""
    return CameraInfo(header=header, width=size[0], height=size[1])
