"""Publishes what was predicted. What nobody subscribes to is not even made."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from visualization_msgs.msg import ImageMarker, MarkerArray

from dragstream_ros.adapters.camera_info import scaled_camera_info, uncalibrated_camera_info
from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.image import byte_array, encode_jpeg, image_from_array
from dragstream_ros.adapters.prediction import clip_from_chunk, header_of, info_from_chunk
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PredictedClip, PredictionInfo
from dragstream_ros.nodes import drag_annotations
from dragstream_ros.nodes.drag_paths import DragPaths, PathCollector
from dragstream_ros.nodes.playback import Shown
from dragstream_ros.nodes.preview import draw_preview, set_up_drawing
from dragstream_ros.worker.protocol import Chunk

PROBLEM_SECS = 3.0  # how long the preview shows one
NEWEST = QoSProfile(depth=1)  # reliable: a frame is many packets
EVERY = QoSProfile(depth=10)  # chunks follow each other faster than a busy planner takes them
STATE = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class PredictionOutput:
    """The publishers of one configured node. frame_id and camera_info are the camera's newest."""

    def __init__(self, node: LifecycleNode) -> None:
        """Create the publishers; their QoS can be overridden by parameters."""
        self.frame_id = ''
        self.camera_info: CameraInfo | None = None
        self._node = node
        self._paths = PathCollector()
        self._problem = ''
        self._problem_secs = -PROBLEM_SECS
        set_up_drawing()
        self._publishers: list[LifecyclePublisher] = []
        self._image = self._publisher(Image, 'prediction/image')
        self._compressed = self._publisher(CompressedImage, 'prediction/image/compressed')
        self._camera_info = self._publisher(CameraInfo, 'prediction/camera_info')
        self._clip = self._publisher(PredictedClip, 'prediction/clip', EVERY)
        self._preview = self._publisher(Image, 'preview/image')
        self._annotations = self._publisher(ImageMarker, 'prediction/annotations')
        self._foxglove: LifecyclePublisher | None = None
        if drag_annotations.foxglove is not None:
            self._foxglove = self._publisher(
                drag_annotations.foxglove.ImageAnnotations, 'prediction/annotations/foxglove')
        self._markers = self._publisher(MarkerArray, 'prediction/markers')
        self._drawn = [
            publisher for publisher in (
                self._preview, self._annotations, self._foxglove, self._markers)
            if publisher is not None]
        # Not gated by the lifecycle: missing weights are told before the node is active.
        self._info = node.create_publisher(PredictionInfo, 'prediction/info', STATE)

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._node.destroy_publisher(self._info)

    def publish_problem(self, info: PredictionInfo) -> None:
        """Publish what is wrong, and show its code in the preview for a while."""
        self._info.publish(info)
        self._problem = ErrorCode(info.code).name.replace('_', ' ')
        self._problem_secs = time.monotonic()

    def publish_clip(self, chunk: Chunk, handle_names: Sequence[str]) -> None:
        """Publish a whole chunk, as soon as it is there."""
        self._paths.add(chunk)
        if _wanted(self._clip):
            self._clip.publish(self.clip(chunk, handle_names))

    def clip(self, chunk: Chunk, handle_names: Sequence[str]) -> PredictedClip:
        """Make the message of a chunk."""
        return clip_from_chunk(
            chunk, camera_info=self._scaled_camera_info(chunk), handle_names=handle_names)

    def publish_frame(
        self, shown: Shown, *, latency_secs: float, jpeg_quality: int, preview_scale: int,
        horizon_secs: float,
    ) -> None:
        """Publish one frame: its info, then the image in all forms that somebody wants.

        :param latency_secs: from the source image's arrival to now
        """
        chunk, index = shown.chunk, shown.index
        frame, header = chunk.frames[index], header_of(chunk, self.frame_id)
        late = latency_secs > chunk.offsets_secs[index]
        self._info.publish(info_from_chunk(
            chunk, index, frame_id=self.frame_id, latency_secs=latency_secs, late=late))
        if _wanted(self._camera_info):
            self._camera_info.publish(self._scaled_camera_info(chunk))
        if _wanted(self._image):
            self._image.publish(image_from_array(frame, header))
        if _wanted(self._compressed):
            self._compressed.publish(CompressedImage(
                header=header, format='rgb8; jpeg compressed bgr8',
                data=byte_array(encode_jpeg(frame, quality=jpeg_quality))))
        if not any(map(_wanted, self._drawn)):
            return
        paths = self._paths.paths(shown)
        if _wanted(self._preview):
            is_fresh = time.monotonic() - self._problem_secs < PROBLEM_SECS
            self._preview.publish(image_from_array(draw_preview(
                shown, paths, scale=preview_scale, horizon_secs=horizon_secs, late=late,
                problem=self._problem if is_fresh else ''), header))
        if len(paths.positions_px):
            self._publish_drag(chunk, paths)

    def _publish_drag(self, chunk: Chunk, paths: DragPaths) -> None:
        header = header_of(chunk, self.frame_id)
        if _wanted(self._annotations):
            for marker in drag_annotations.image_markers(paths, header):
                self._annotations.publish(marker)
        if self._foxglove is not None and _wanted(self._foxglove):
            self._foxglove.publish(drag_annotations.foxglove_annotations(paths, header))
        if _wanted(self._markers):
            info = self._scaled_camera_info(chunk)
            try:
                camera = CameraModel.from_info(info, (info.width, info.height))
            except DragStreamError:  # not calibrated: there is no space to draw in
                return
            self._markers.publish(drag_annotations.space_markers(paths, camera, header))

    def _publisher(
        self, message_type: type, topic: str, qos: QoSProfile = NEWEST
    ) -> LifecyclePublisher:
        publisher = self._node.create_lifecycle_publisher(
            message_type, topic, QoSProfile(depth=qos.depth),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self._publishers.append(publisher)
        return publisher

    def _scaled_camera_info(self, chunk: Chunk) -> CameraInfo:
        header = header_of(chunk, self.frame_id)
        content_size = (chunk.frames.shape[2], chunk.frames.shape[1])
        if self.camera_info is None:
            return uncalibrated_camera_info(header, content_size)
        info = scaled_camera_info(
            self.camera_info, image_size=chunk.camera_size, content_size=content_size)
        info.header = header
        return info


def _wanted(publisher: LifecyclePublisher) -> bool:
    return bool(publisher.is_activated and publisher.get_subscription_count())
