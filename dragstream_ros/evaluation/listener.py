"""Listens to a camera and its predictor as any user's node would, beside the main thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dragstream_ros.evaluation.recording import Recording
from dragstream_ros.msg import Drag, PredictedClip, PredictionInfo

TOPICS: dict[str, type] = {
    'image': Image,
    'image/compressed': CompressedImage,
    'camera_info': CameraInfo,
    'drag': Drag,
    'prediction/clip': PredictedClip,
    'prediction/info': PredictionInfo,
}

OnMessage = Callable[[str, bytes, int], None]


class Listener:
    """Subscribes to topics, and hands each message on: its topic's name, its CDR bytes, and when
    it came (time.monotonic_ns).

    A context manager with an rclpy context and a thread of its own; signals are left to the
    process. on_message is called in that thread.
    """

    def __init__(self, topics: Mapping[str, type], on_message: OnMessage) -> None:
        """Subscribe to topics (names to message types) on entry."""
        self._topics = dict(topics)
        self._on_message = on_message

    def __enter__(self) -> Listener:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node: Node = rclpy.create_node(f'listener_{os.getpid()}', context=self._context)
        for name, message_type in self._topics.items():
            self.node.create_subscription(
                message_type, name, self._callback(name), QoSProfile(depth=20), raw=True)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name='listener', daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def set_parameter(
        self, node_name: str, name: str, value: object, *, timeout_secs: float = 5.0
    ) -> str:
        """Set another node's parameter; returns why that failed, as a sentence, or ''."""
        client = AsyncParameterClient(self.node, node_name)
        if not client.wait_for_services(timeout_secs):
            return f'{node_name} does not answer.'
        answer = client.set_parameters([Parameter(name, value=value)])
        done = threading.Event()
        answer.add_done_callback(lambda _: done.set())
        if not done.wait(timeout_secs):
            return f'{node_name} did not answer within {timeout_secs:g} s.'
        result = answer.result().results[0]
        return '' if result.successful else result.reason

    def _callback(self, name: str) -> Callable[[Any], None]:
        return lambda cdr: self._on_message(name, bytes(cdr), time.monotonic_ns())

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass


def add_message(recording: Recording, topic: str, cdr: bytes, arrival_ns: int) -> None:
    """Add a serialised message of one of TOPICS to a recording; others are left out."""
    if topic not in TOPICS or topic == 'camera_info':
        return
    message = deserialize_message(cdr, TOPICS[topic])
    if topic == 'image':
        recording.add_image(message, arrival_ns)
    elif topic == 'image/compressed':
        recording.add_compressed(message, arrival_ns)
    elif topic == 'drag':
        recording.add_drag(message, arrival_ns)
    elif topic == 'prediction/clip':
        recording.add_clip(message, arrival_ns)
    else:
        recording.add_info(message, arrival_ns)
