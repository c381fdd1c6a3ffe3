"""ROS stamps as integer nanoseconds and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time

NS_PER_SEC = 1_000_000_000


def ns_from_stamp(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    return stamp.sec * NS_PER_SEC + stamp.nanosec


def stamp_from_ns(stamp_ns: int) -> Time:
    """Return nanoseconds as a stamp."""
    from builtin_interfaces.msg import Time

    sec, nanosec = divmod(stamp_ns, NS_PER_SEC)
    return Time(sec=sec, nanosec=nanosec)
