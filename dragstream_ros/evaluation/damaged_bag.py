"""What can still be read of a bag that its metadata, or the end of a file, has been lost of.

A recorder that was killed leaves an MCAP file without its end, which holds the index, and often a
folder without metadata.yaml. Messages up to the damage are read without either.
"""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

from mcap.exceptions import McapError
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition
from rosbags.interfaces import MessageDefinitionFormat as Format
from rosbags.rosbag2 import Reader

Messages = Iterator[tuple[Connection, int, bytes]]


class TruncatedMcap:
    """An MCAP file without its end, with what rosbags' Reader has of a whole one."""

    ros_distro = None

    def __init__(self, path: pathlib.Path) -> None:
        """Count the messages, which is to read the file once.

        :raises ValueError: nothing can be read
        """
        self._path = path
        channels: dict[int, Channel] = {}
        schemas: dict[int, Schema] = {}
        counts: Counter[int] = Counter()
        times_ns: list[int] = []
        for record in self._records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                counts[record.channel_id] += 1
                times_ns = [*times_ns[:1], record.log_time]
        if not counts:
            raise ValueError('it holds no message that can be read')
        self.message_count = counts.total()
        self.start_time = times_ns[0]
        self.duration = times_ns[-1] - times_ns[0]
        self.connections = [
            Connection(
                id=number, topic=channel.topic, msgtype=schemas[channel.schema_id].name,
                msgdef=MessageDefinition(Format.NONE, ''), digest='', msgcount=counts[number],
                ext=ConnectionExtRosbag2(channel.message_encoding, []), owner=self)
            for number, channel in channels.items() if channel.schema_id in schemas]

    def messages(self, connections: Collection[Connection]) -> Messages:
        """Give the messages of some connections, in the order of the file."""
        wanted = {connection.id: connection for connection in connections}
        for record in self._records():
            if isinstance(record, Message) and record.channel_id in wanted:
                yield wanted[record.channel_id], record.log_time, record.data

    def close(self) -> None:
        """Files are open only while messages are read."""

    def _records(self) -> Iterator[object]:
        with self._path.open('rb') as file:
            yield from _readable_records(file)


class DamagedBag:
    """The readable files of a folder, one after the other, as one bag."""

    ros_distro = None

    def __init__(self, folder: pathlib.Path) -> None:
        """Open what can be opened; raises ValueError if that is nothing."""
        parts = [part for part in map(open_file, _files(folder)) if part is not None]
        if not parts:
            raise ValueError('none of its files can be read')
        self._parts = sorted(parts, key=lambda part: part.start_time)
        self.message_count = sum(part.message_count for part in parts)
        ends = [part.start_time + part.duration for part in parts]
        self.duration = max(ends) - self._parts[0].start_time
        self.connections = _merged([found for part in self._parts for found in part.connections])

    def messages(self, connections: Collection[Connection]) -> Messages:
        """Give the messages on the topics of some connections."""
        topics = {connection.topic for connection in connections}
        for part in self._parts:
            wanted = [found for found in part.connections if found.topic in topics]
            if wanted:
                yield from part.messages(wanted)

    def close(self) -> None:
        """Close all files."""
        for part in self._parts:
            part.close()


def open_file(path: pathlib.Path) -> Reader | TruncatedMcap | None:
    """Open one file of a bag, whole or truncated; None if nothing of it can be read."""
    try:
        reader = Reader(path)
        reader.open()
        if reader.message_count:
            return reader
        reader.close()
    except Exception:  # rosbags raises all kinds; it may still be a truncated file
        pass
    try:
        return TruncatedMcap(path)
    except (ValueError, McapError, OSError):
        return None


def _merged(connections: Sequence[Connection]) -> list[Connection]:
    """One connection a topic, with the messages of all."""
    counts: Counter[str] = Counter()
    for found in connections:
        counts[found.topic] += found.msgcount
    by_topic = {found.topic: found for found in connections}
    return [found._replace(msgcount=counts[topic]) for topic, found in by_topic.items()]


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in ('.mcap', '.db3'))


def _readable_records(file: BinaryIO) -> Iterator[object]:
    """The records up to the first that is broken."""
    try:
        yield from StreamReader(file).records
    except Exception:  # a broken record ends in whatever its bytes happen to look like
        return
