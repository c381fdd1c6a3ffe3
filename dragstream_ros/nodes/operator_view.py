"""What an operator looks at: the newest camera image, its calibration, and where its camera is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.rigid_transform import RigidTransform
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.nodes.image_input import ImageInput
from dragstream_ros.nodes.spin import declare
from dragstream_ros.tools.stroke import View
from dragstream_ros.worker.mailbox import RawFrame

try:
    import tf2_ros
except ImportError:  # it has no wheel; a robot has it
    tf2_ros = None

AT_ORIGIN = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


@dataclass(frozen=True)
class _Source:
    image_transport: str
    image_reliability: str


class OperatorView:
    """Listens to the camera and, where tf2_ros is installed, to TF."""

    def __init__(self, node: Node) -> None:
        """Declare the parameters of the camera and subscribe; raises ValueError for a bad one."""
        source = _Source(
            declare(node, 'image_transport', 'raw', 'raw or compressed camera images'),
            declare(node, 'image_reliability', 'as_offered',
                    'of the image subscription: as_offered, reliable or best_effort'))
        self._is_rectified = declare(
            node, 'image_is_rectified', False, 'the images are rectified: P describes them, not '
            'K and the lens')
        self._pose_frame = declare(
            node, 'camera_pose_frame', '', 'the frame that camera_pose is in; empty: TF is asked')
        self._from_pose_frame = RigidTransform.from_numbers(node.declare_parameter(
            'camera_pose', AT_ORIGIN, ParameterDescriptor(read_only=True, description=(
                "where the camera's optical frame is in camera_pose_frame: x y z qx qy qz qw"))
        ).value).inverse()
        self._view: View | None = None
        self._info: CameraInfo | None = None
        self._images = ImageInput(node, source, self._on_frame)
        node.create_subscription(
            CameraInfo, 'camera_info', self._on_info, qos_profile_sensor_data)
        self._tf: Any = None
        if tf2_ros is not None:
            self._tf = tf2_ros.Buffer()
            self._tf_listener = tf2_ros.TransformListener(self._tf, node)

    @property
    def image_topic(self) -> str:
        """The full name of the topic of the camera's images."""
        return self._images.topic

    @property
    def image_reliability(self) -> str:
        """Of the subscription to it."""
        return self._images.reliability.name.lower()

    @property
    def is_there(self) -> bool:
        """An image has come."""
        return self._view is not None

    @property
    def calibration(self) -> tuple[object, ...] | None:
        """What camera_info says, to be compared; None before an image and camera_info have come."""
        if self._view is None or self._info is None:
            return None
        info = self._info
        return info.width, info.height, tuple(info.k), tuple(info.d), tuple(info.p)

    @property
    def newest(self) -> View:
        """The newest camera image.

        :raises DragStreamError: none has come yet
        """
        if self._view is None:
            raise DragStreamError(
                ErrorCode.DRAG_BEFORE_FIRST_IMAGE,
                f'No camera image has come on {self.image_topic} yet; wait for one, or remap '
                '`image` to the topic of the camera.')
        return self._view

    @property
    def camera(self) -> CameraModel:
        """The calibration of the newest image.

        :raises DragStreamError: there is none, or none of use
        """
        if self._info is None:
            raise DragStreamError(
                ErrorCode.DRAG_INVALID, 'No camera_info has come yet, which points in metres need; '
                'start the camera with it, or drag with a tool that speaks in pixels.')
        return CameraModel.from_info(
            self._info, self.newest.size, is_rectified=self._is_rectified)

    def in_camera(self, points_m: np.ndarray, frame_id: str) -> np.ndarray:
        """Points (N, 3) of a frame in the camera's optical frame.

        :raises DragStreamError: it is not known where that frame is
        """
        camera_frame_id = self.newest.frame_id
        if frame_id == camera_frame_id:
            return points_m
        if frame_id and frame_id == self._pose_frame:
            return self._from_pose_frame.apply(points_m)
        if self._tf is None:
            raise _unknown_frame(
                frame_id, 'set camera_pose_frame and camera_pose, as tf2_ros is not installed')
        try:
            found = self._tf.lookup_transform(camera_frame_id, frame_id, Time())
        except tf2_ros.TransformException as error:
            said = ' '.join(str(error).split()).rstrip('.')
            raise _unknown_frame(frame_id, f'TF says: {said}') from error
        shift, turn = found.transform.translation, found.transform.rotation
        return RigidTransform.from_numbers(
            [shift.x, shift.y, shift.z, turn.x, turn.y, turn.z, turn.w]).apply(points_m)

    def check_offer(self) -> None:
        """Look whether the camera offers something else; call it now and then."""
        self._images.check_offer()

    def _on_frame(self, frame: RawFrame, frame_id: str) -> None:
        self._view = View(frame, frame_id)

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message


def _unknown_frame(frame_id: str, what_to_do: str) -> DragStreamError:
    return DragStreamError(
        ErrorCode.DRAG_INVALID,
        f'Where the camera is in {frame_id!r} is not known; {what_to_do}.')
