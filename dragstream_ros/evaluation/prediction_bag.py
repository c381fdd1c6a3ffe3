"""Writes what a camera, an operator and the predictor said to an MCAP bag, and reads it back."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Mapping

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.rosbag2.errors import WriterError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from dragstream_ros.evaluation.image_bag import BagError
from dragstream_ros.evaluation.listener import TOPICS, add_message
from dragstream_ros.evaluation.recording import Recording
from dragstream_ros.share import PACKAGE, share_folder


class PredictionBag:
    """A rosbag2 bag (MCAP) that is being written; a context manager.

    Messages are written as they came, with their definitions, so that the bag can be read anywhere.
    """

    def __init__(self, folder: pathlib.Path, topics: Mapping[str, type]) -> None:
        """Make the bag's folder on entry; raises BagError if it is there already."""
        self._folder = folder
        self._topics = dict(topics)
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> PredictionBag:
        try:
            self._writer = Writer(self._folder, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except WriterError as error:
            raise BagError(f'{self._folder} exists already; please name another output.') from error
        self._typestore = typestore()
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, topic: str, cdr: bytes) -> None:
        """Write a message of one of the topics, with the time of now."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                f'/{topic}', _type_name(self._topics[topic]), typestore=self._typestore)
        self._writer.write(self._connections[topic], time.time_ns(), cdr)


def read_recording(folder: pathlib.Path, *, section: str) -> Recording:
    """Read such a bag; everything in it belongs to one section."""
    recording = Recording()
    recording.begin_section(section)
    with Reader(folder) as reader:
        for connection, logged_ns, cdr in reader.messages(reader.connections):
            topic = connection.topic.removeprefix('/')
            if topic in TOPICS:
                add_message(recording, topic, bytes(cdr), logged_ns)
    return recording


def typestore() -> Typestore:
    """ROS's types and this package's, for rosbags."""
    store = get_typestore(Stores.ROS2_KILTED)
    types = {}
    for file in sorted((share_folder() / 'msg').glob('*.msg')):
        types.update(get_types_from_msg(file.read_text(), f'{PACKAGE}/msg/{file.stem}'))
    store.register(types)
    return store


def _type_name(message_type: type) -> str:
    """As ROS writes it: package/msg/Name."""
    return f'{message_type.__module__.split(".")[0]}/msg/{message_type.__name__}'
