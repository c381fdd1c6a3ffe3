"""Reads the camera of a rosbag2 bag: finds its topics, gives its messages in the order of time."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from dragstream_ros.evaluation.damaged_bag import DamagedBag, TruncatedMcap, open_file

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'

AnyReader = Reader | DamagedBag | TruncatedMcap


class BagError(Exception):
    """A bag that cannot be used; the text is one sentence: what is wrong and what to do."""


@dataclass(frozen=True, kw_only=True)
class BagMessage:
    """One message as it was recorded.

    logged_ns: when, on the recorder's clock. type: IMAGE, COMPRESSED_IMAGE or CAMERA_INFO, or what
    was asked for.
    cdr: the serialised message, as a publisher takes it.
    """

    logged_ns: int
    type: str
    cdr: bytes

    @property
    def stamp_ns(self) -> int:
        """The stamp in the header, which the message must begin with."""
        return stamp_of(self.cdr)


@dataclass(frozen=True, kw_only=True)
class ImageBag:
    """What there is of a camera in a bag. See open_image_bag.

    is_synthetic: the bag was written by the library rosbags, not by a ROS recorder.
    is_calibrated: its first camera_info has a focal length.
    problems: what was found damaged and is made do without, whole sentences; with salvage only.
    """

    path: pathlib.Path
    image_topic: str
    image_type: str
    n_images: int
    camera_info_topic: str | None
    duration_secs: float
    is_synthetic: bool
    is_calibrated: bool
    problems: tuple[str, ...] = ()

    @property
    def is_compressed(self) -> bool:
        return self.image_type == COMPRESSED_IMAGE

    @property
    def image_rate_hz(self) -> float:
        """Images per second, on average."""
        return (self.n_images - 1) / self.duration_secs if self.duration_secs > 0 else 0.0

    def messages(self) -> Iterator[BagMessage]:
        """Give the images and camera_info, oldest first.

        :raises BagError: the bag is damaged; what lies before the damage has been given
        """
        topics = {self.image_topic, self.camera_info_topic}
        yield from self._read(lambda connection: connection.topic in topics)

    def messages_of(self, type_name: str) -> Iterator[BagMessage]:
        """Give all messages of a type, oldest first; raises BagError as messages() does."""
        yield from self._read(lambda connection: _type(connection) == type_name)

    def _read(self, is_wanted: Callable[[Connection], bool]) -> Iterator[BagMessage]:
        with _reading(self.path, salvage=bool(self.problems)) as (reader, _):
            connections = [found for found in reader.connections if is_wanted(found)]
            if not connections:     # to rosbags, none means all
                return
            try:
                for connection, logged_ns, cdr in reader.messages(connections):
                    if not _is_plain(cdr):
                        raise ValueError('its messages are compressed, which only metadata.yaml '
                                         'can tell; please name its folder')
                    yield BagMessage(
                        logged_ns=logged_ns, type=_type(connection), cdr=bytes(cdr))
            except Exception as error:  # a damaged file makes rosbags raise all kinds
                raise _damaged(self.path, error) from error


def open_image_bag(
    path: pathlib.Path, *, image_topic: str = '', salvage: bool = False
) -> ImageBag:
    """Look into a rosbag2 bag, MCAP or sqlite3: its folder, or one of its files.

    :param image_topic: empty: the only one of an image type
    :param salvage: of a damaged bag, give what can be read
    :raises BagError: not a readable bag, or not clear which images are meant
    """
    with _reading(path, salvage=salvage) as (reader, problems):
        images = {
            connection.topic: connection for connection in reader.connections
            if _type(connection) in (IMAGE, COMPRESSED_IMAGE) and connection.msgcount}
        if not images:
            raise BagError(f'{path} holds no camera images (Image or CompressedImage).')
        if not image_topic and len(images) > 1:
            raise BagError(
                f'{path} holds several image topics; please choose one of '
                f'{", ".join(sorted(images))}.')
        image_topic = image_topic or next(iter(images))
        if image_topic not in images:
            raise BagError(
                f'{path} has no images on {image_topic}; there are {", ".join(sorted(images))}.')
        chosen = images[image_topic]
        info_topic = _camera_info_topic(reader.connections, image_topic)
        return ImageBag(
            path=path,
            image_topic=image_topic,
            image_type=_type(chosen),
            n_images=chosen.msgcount,
            camera_info_topic=info_topic,
            duration_secs=reader.duration / 1e9,
            is_synthetic=reader.ros_distro == 'rosbags',
            is_calibrated=_is_calibrated(reader, info_topic),
            problems=problems,
        )


@functools.cache
def typestore() -> Typestore:
    """What is needed to read messages; to make it takes time, as rosbags compiles it."""
    return get_typestore(Stores.ROS2_KILTED)


def stamp_of(cdr: bytes) -> int:
    """Return the stamp, in ns, of a serialised message that begins with a Header."""
    little_endian = cdr[1] & 1
    sec, nanosec = struct.unpack_from('<iI' if little_endian else '>iI', cdr, 4)
    return sec * 1_000_000_000 + nanosec


def _is_plain(cdr: bytes) -> bool:
    """Serialised messages begin with 0, then 0 or 1 for the byte order; compressed ones do not."""
    return len(cdr) >= 12 and cdr[0] == 0 and cdr[1] in (0, 1)


def _camera_info_topic(connections: list[Connection], image_topic: str) -> str | None:
    """The calibration beside the images, as image_transport names it; or the only one."""
    topics = [found.topic for found in connections if _type(found) == CAMERA_INFO]
    base = image_topic.removesuffix('/compressed')
    beside = f'{base.rpartition("/")[0]}/camera_info'
    if beside in topics:
        return beside
    return topics[0] if len(topics) == 1 else None


def _is_calibrated(reader: AnyReader, info_topic: str | None) -> bool:
    connections = [found for found in reader.connections if found.topic == info_topic]
    for _, _, cdr in reader.messages(connections) if connections else ():
        if not _is_plain(cdr):
            break
        return bool(typestore().deserialize_cdr(cdr, CAMERA_INFO).k[0])  # type: ignore[attr-defined]
    return False


def _type(connection: Connection) -> str:
    """The type's name; some recorders leave out its middle."""
    package, _, name = connection.msgtype.rpartition('/')
    return f'{package.removesuffix("/msg")}/msg/{name}'


@contextlib.contextmanager
def _reading(path: pathlib.Path, *, salvage: bool) -> Iterator[tuple[AnyReader, tuple[str, ...]]]:
    """Open a bag; gives what was found damaged with it, whole sentences."""
    with contextlib.ExitStack() as opened:
        salvaged = _open_damaged(path) if salvage and path.exists() else None
        if salvaged is not None:
            opened.callback(salvaged.close)
        try:
            reader = _open_whole(path)
        except BagError as error:
            if salvaged is None:
                raise
            yield salvaged, (f'{error} What can be read without was used.',)
            return
        opened.callback(reader.close)
        if salvaged is not None and salvaged.message_count != reader.message_count:
            yield salvaged, (
                f'The metadata.yaml of {path} is wrong: it counts {reader.message_count} messages, '
                f'the files hold {salvaged.message_count}. The files were used without it.',)
            return
        yield reader, ()


def _open_whole(path: pathlib.Path) -> Reader:
    if not path.exists():
        raise BagError(f'There is no bag {path}.')
    if path.is_dir() and not (path / 'metadata.yaml').exists():
        raise BagError(f'{path} is no bag: it has no metadata.yaml; if its recorder was killed, '
                       'please name the .mcap or .db3 file itself.')
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:  # a damaged file makes rosbags raise all kinds
        raise _damaged(path, error) from error
    return reader


def _open_damaged(path: pathlib.Path) -> AnyReader | None:
    try:
        return DamagedBag(path) if path.is_dir() else open_file(path)
    except ValueError:
        return None


def _damaged(path: pathlib.Path, error: Exception) -> BagError:
    reason = ' '.join(str(error).split()).rstrip('.') or type(error).__name__
    return BagError(f'{path} is no rosbag2 bag, or is damaged: {reason}.')
