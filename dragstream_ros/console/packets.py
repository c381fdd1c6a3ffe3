"""Pictures on their way to a page: a small JSON header and the JPEGs behind it, in one message.

Four bytes (little-endian) say how long the header is; its ``sizes`` say how long each JPEG is.
Stamps are text: nanoseconds are more than a page's numbers can hold.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

_LENGTH = struct.Struct('<I')


def pack(header: dict[str, object], jpegs: Sequence[bytes]) -> bytes:
    """Make one binary message; ``sizes`` is added to the header."""
    text = json.dumps({**header, 'sizes': [len(jpeg) for jpeg in jpegs]}).encode()
    return b''.join([_LENGTH.pack(len(text)), text, *jpegs])


def unpack(packet: bytes) -> tuple[dict[str, object], list[bytes]]:
    """Read what pack() made, as the page does."""
    (length,) = _LENGTH.unpack_from(packet)
    at = _LENGTH.size + length
    header = json.loads(packet[_LENGTH.size:at])
    jpegs = []
    for size in header['sizes']:
        jpegs.append(packet[at:at + size])
        at += size
    return header, jpegs
