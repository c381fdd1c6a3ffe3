"""The camera of a rosbag2 bag as footage; of a damaged one, what can be read."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from dragstream_ros.adapters.image import decode_compressed, decode_image
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.given_drags import GivenDrags
from dragstream_ros.evaluation.footage.recorded_drags import drags_of_messages
from dragstream_ros.evaluation.footage.shots import Shot
from dragstream_ros.evaluation.image_bag import (
    COMPRESSED_IMAGE,
    BagError,
    BagMessage,
    open_image_bag,
    typestore,
)

DRAG = 'dragstream_ros/msg/Drag'


class BagFootage:
    """See shots.Footage."""

    def __init__(self, path: pathlib.Path, *, image_topic: str = '') -> None:
        """Look into the bag; raises BagError."""
        self._bag = open_image_bag(path, image_topic=image_topic, salvage=True)
        self.path = path
        self.name = path.resolve().name
        self.duration_secs = self._bag.duration_secs
        self.problems = list(self._bag.problems)
        self.notes = []
        self._has_stamps = True
        if self._bag.is_synthetic:
            self.notes.append('Its transport is synthetic: a program wrote this bag, no recorder.')
        if not self._bag.is_calibrated:
            self.notes.append('Its camera is not calibrated.')

    def shots(self) -> Iterator[Shot]:
        """Give the pictures by the camera's stamps, or by the recorder's where it has none."""
        found_any = False
        try:
            for message in self._bag.messages():
                if message.type != self._bag.image_type:
                    continue
                if not found_any:
                    found_any, self._has_stamps = True, message.stamp_ns > 0
                yield Shot(
                    stamp_ns=message.stamp_ns if self._has_stamps else message.logged_ns,
                    decode=functools.partial(decode_message, message))
        except BagError as error:
            self.problems.append(str(error))
        if not found_any:
            raise FootageError(f'{self.path} holds no image that can be read.')
        if not self._has_stamps:
            self.notes.append('Its images have no stamps: the times are those at which they were '
                              'recorded.')

    def recorded_drags(self) -> GivenDrags:
        """The dragstream_ros/Drag messages of the bag; raises FootageError where there are none."""
        try:
            first = next(self.shots())
            drags, problems = drags_of_messages(
                list(self._bag.messages_of(DRAG)), first_ns=first.stamp_ns,
                has_stamps=self._has_stamps)
        except BagError as error:
            raise FootageError(str(error)) from error
        self.problems += problems
        if not drags.at_secs:
            raise FootageError(f'{self.name} holds no drags ({DRAG}) on its images; please give '
                               '--drags a file, or leave it out.')
        return drags


def decode_message(message: BagMessage) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a serialised Image or CompressedImage; raises DragStreamError."""
    try:
        fields = typestore().deserialize_cdr(message.cdr, message.type)
    except Exception as error:  # rosbags passes on what struct, numpy and it itself raise
        raise DragStreamError(
            ErrorCode.IMAGE_MALFORMED, f'The message is no {message.type}: {error}.') from error
    if message.type == COMPRESSED_IMAGE:
        return decode_compressed(fields.data)  # type: ignore[attr-defined]
    return decode_image(
        fields.data, encoding=fields.encoding,  # type: ignore[attr-defined]
        width=fields.width, height=fields.height, step=fields.step,  # type: ignore[attr-defined]
        is_bigendian=bool(fields.is_bigendian))  # type: ignore[attr-defined]
