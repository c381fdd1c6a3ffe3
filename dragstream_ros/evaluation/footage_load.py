"""How long ``dragstream evaluate`` takes for a bag, and that a longer one takes no more memory."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from std_msgs.msg import Header

from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.adapters.stamp import NS_PER_SEC, stamp_from_ns
from dragstream_ros.simulation.recorded import RecordedTabletop

LONGEST_SECS = 1800.0
START_NS = 1_700_000_000 * NS_PER_SEC


class FootageBenchError(Exception):
    """The evaluation did not work; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class FootageLoadConfig:
    """Raw pictures of image_size (width, height), rate_hz of them a second.

    secs: of the short bag, with a start every second. times_longer: the long bag, with as many
    starts, farther apart: memory may grow with what is read, or with what is judged.
    """

    image_size: tuple[int, int] = (640, 480)
    rate_hz: float = 30.0
    secs: float = 10.0
    times_longer: int = 10
    weights_folder: str = ''


def run_footage_load(config: FootageLoadConfig) -> dict[str, Any]:
    """Write two bags of the recorded tabletop and evaluate them; raises FootageBenchError.

    The long bag takes 28 MB of disk a second, while it is there. Returns plain data for JSON.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        return {
            'short': _evaluate(config, folder, config.secs, every_secs=1.0),
            'long': _evaluate(config, folder, config.secs * config.times_longer,
                              every_secs=config.times_longer)}


def _evaluate(
    config: FootageLoadConfig, folder: pathlib.Path, secs: float, *, every_secs: float
) -> dict[str, Any]:
    bag, output = folder / f'{secs:g}', folder / f'judged_{secs:g}'
    _write_bag(bag, config, secs)
    command = [sys.executable, '-m', 'dragstream_ros.cli', 'evaluate', str(bag), '--every',
               str(every_secs), '--output', str(output)]
    if config.weights_folder:
        command += ['--weights', config.weights_folder]
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=LONGEST_SECS)
    except subprocess.TimeoutExpired as error:
        raise FootageBenchError(
            f'A bag was not evaluated within {LONGEST_SECS:.0f} s; is the computer busy?'
        ) from error
    taken_secs = time.monotonic() - started
    if done.returncode:
        raise FootageBenchError(f'A bag could not be evaluated; {done.stderr.strip()}')
    timing = json.loads((output / 'timing.json').read_text())
    return {
        'bag_secs': secs, 'pictures': round(secs * config.rate_hz),
        'starts': len(timing['starts']), 'taken_secs': taken_secs,
        'peak_memory_mb': timing['peak_memory_mb']}


def _write_bag(folder: pathlib.Path, config: FootageLoadConfig, secs: float) -> None:
    tabletop = RecordedTabletop(image_size=config.image_size)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection(
            '/image', 'sensor_msgs/msg/Image', typestore=get_typestore(Stores.ROS2_KILTED))
        for number in range(round(secs * config.rate_hz)):
            stamp_ns = START_NS + round(number * NS_PER_SEC / config.rate_hz)
            header = Header(stamp=stamp_from_ns(stamp_ns), frame_id='camera')
            image = image_from_array(tabletop.render(), header)
            writer.write(topic, stamp_ns, serialize_message(image))
            tabletop.step(1 / config.rate_hz)
