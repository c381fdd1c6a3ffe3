"""Writes small camera bags with rosbags, as a program would."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
from rclpy.serialization import serialize_message
from recording_maker import PERIOD_SECS, image, ns
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from sensor_msgs.msg import CameraInfo, CompressedImage

from dragstream_ros.adapters.image import array_from_image, byte_array, encode_jpeg
from dragstream_ros.evaluation.prediction_bag import typestore
from dragstream_ros.msg import Drag

START_NS = 1_700_000_000_000_000_000


def write_bag(
    folder: pathlib.Path,
    *,
    secs: float = 2.0,
    is_compressed: bool = False,
    storage: StoragePlugin = StoragePlugin.MCAP,
    image_topics: tuple[str, ...] = ('/cam/image_raw',),
    focal_px: float = 0.0,
    zstd: CompressionMode = CompressionMode.NONE,
    drags: Sequence[Drag] = (),
) -> pathlib.Path:
    """A square that moves, at 10 Hz; stamps from 1 s on, recorded from START_NS on."""
    writer = Writer(folder, version=9, storage_plugin=storage)
    if zstd is not CompressionMode.NONE:
        writer.set_compression(zstd, CompressionFormat.ZSTD)
    store = typestore()
    kind = 'sensor_msgs/msg/CompressedImage' if is_compressed else 'sensor_msgs/msg/Image'
    with writer:
        images = [writer.add_connection(topic, kind, typestore=store) for topic in image_topics]
        info = writer.add_connection(
            '/cam/camera_info', 'sensor_msgs/msg/CameraInfo', typestore=store)
        for number in range(round(secs / PERIOD_SECS)):
            message = image(1.0 + number * PERIOD_SECS)
            logged_ns = START_NS + ns(number * PERIOD_SECS)
            calibration = CameraInfo(
                header=message.header, width=message.width, height=message.height,
                k=np.diag([focal_px, focal_px, 1.0]).ravel())
            if is_compressed:
                message = CompressedImage(
                    header=message.header, format='jpeg',
                    data=byte_array(encode_jpeg(array_from_image(message))))
            for connection in images:
                writer.write(connection, logged_ns, serialize_message(message))
            writer.write(info, logged_ns, serialize_message(calibration))
        if drags:
            topic = writer.add_connection('/drag', 'dragstream_ros/msg/Drag', typestore=store)
            for message in drags:
                writer.write(topic, START_NS + ns(secs), serialize_message(message))
    return folder
