"""Lets a process carry camera images over ROS: as it comes, DDS loses many and malloc is slow."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dragstream_ros.memory import keep_freed_memory
from dragstream_ros.share import config_file

# Fast DDS 3 renamed the variable; where both are known, the old one makes it print a warning.
_DISTRIBUTIONS_WITH_FAST_DDS_2 = ('humble', 'iron', 'jazzy')


def transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add to a process's environment; none where the user has set them.

    The reason is in config/fastdds.xml. They act on participants that are made afterwards.
    """
    old, new = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'
    if old in environment or new in environment:
        return {}
    is_old = environment.get('ROS_DISTRO') in _DISTRIBUTIONS_WITH_FAST_DDS_2
    return {old if is_old else new: str(config_file('fastdds.xml'))}


def set_up_transport() -> None:
    """Make this process able to send and take images; call it before ``rclpy.init``."""
    os.environ.update(transport_environment(os.environ))
    keep_freed_memory()
