"""Record the episode that is bundled for machines without graphics.

``python -m dragstream_ros.simulation.record [--seed N]`` writes, into the package,

- ``recorded/tabletop/``: a rosbag2 bag (MCAP) with JPEG pictures and camera_info; stamps are
  simulated time from 1 s on;
- ``recorded/truth.npz``: stamps_secs (T,) from 0, points_px (T, P, 2), point_thing (P,), masks
  (T, H, W), and things, JSON text of [name, kind, colour];
- ``recorded/drags.json``: what the teleoperator did, as drags an operator could have given: a list
  of {stamp_ns, thing, path_px, times_secs, centre_px}, centre_px null unless the thing turns.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dragstream_ros.simulation.camera import Intrinsics
from dragstream_ros.simulation.intent import find_intents
from dragstream_ros.simulation.recorded import (
    BAG,
    DRAGS,
    IMAGE_TOPIC,
    INFO_TOPIC,
    TRUTH,
    recorded_folder,
)
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.truth import Truth

SEED = 1_000_014
"""Both arms at work among five objects; as all seeds from a million on, never trained on."""
START_NS = 1_000_000_000
FRAME_ID = 'camera_optical_frame'
DRAG_EVERY_SECS = 1.0
DRAG_SECS = 1.0
MIN_TRAVEL_PX = 8.0


def record(
        folder: Path, *, seed: int, secs: float = 10.0, rate_hz: float = 20.0,
        image_size: tuple[int, int] = (256, 256), jpeg_quality: int = 82) -> None:
    """Write bag, truth and drags into ``folder``, replacing what is there."""
    scene = TabletopScene(seed, image_size=image_size)
    frames: list[np.ndarray] = []
    truths: list[Truth] = []
    drags: list[dict[str, Any]] = []
    count, every = round(secs * rate_hz) + 1, round(DRAG_EVERY_SECS * rate_hz)
    for index in range(count):
        frames.append(scene.render())
        truths.append(scene.truth())
        if index % every == 0 and index / rate_hz + DRAG_SECS <= secs:
            drags += _drags(scene, truths[-1], _stamp_ns(index, rate_hz))
        scene.step(1 / rate_hz)
    folder.mkdir(parents=True, exist_ok=True)
    _write_bag(folder / BAG, frames, scene.intrinsics, rate_hz, jpeg_quality)
    np.savez_compressed(
        folder / TRUTH, stamps_secs=np.arange(count) / rate_hz,
        points_px=np.stack([truth.points_px for truth in truths]),
        point_thing=scene.point_thing, masks=np.stack([truth.mask for truth in truths]),
        things=json.dumps([[thing.name, thing.kind, thing.colour_rgb] for thing in scene.things]))
    (folder / DRAGS).write_text(json.dumps(drags, indent=1) + '\n')
    scene.close()


def _stamp_ns(index: int, rate_hz: float) -> int:
    return START_NS + round(index * 1e9 / rate_hz)


def _drags(scene: TabletopScene, truth: Truth, stamp_ns: int) -> list[dict[str, Any]]:
    offsets_secs, points_px = scene.look_ahead(DRAG_SECS)
    intents = find_intents(
        offsets_secs, points_px, point_visible=truth.point_visible,
        point_thing=truth.point_thing, min_travel_px=MIN_TRAVEL_PX)
    return [
        {'stamp_ns': stamp_ns, 'thing': scene.things[intent.thing].name,
         'path_px': intent.path_px.round(2).tolist(), 'times_secs': intent.times_secs.tolist(),
         'centre_px': None if intent.centre_px is None else intent.centre_px.round(2).tolist()}
        for intent in intents]


def _write_bag(
        folder: Path, frames: list[np.ndarray], intrinsics: Intrinsics, rate_hz: float,
        jpeg_quality: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    typestore = get_typestore(Stores.ROS2_HUMBLE)
    types = typestore.types
    image_type, info_type = 'sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/CameraInfo'
    height, width = frames[0].shape[:2]
    focal, (x, y) = intrinsics.focal_px, intrinsics.centre_px
    region = types['sensor_msgs/msg/RegionOfInterest'](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        images = writer.add_connection(IMAGE_TOPIC, image_type, typestore=typestore)
        infos = writer.add_connection(INFO_TOPIC, info_type, typestore=typestore)
        for index, frame in enumerate(frames):
            stamp_ns = _stamp_ns(index, rate_hz)
            sec, nanosec = divmod(stamp_ns, 1_000_000_000)
            header = types['std_msgs/msg/Header'](
                stamp=types['builtin_interfaces/msg/Time'](sec=sec, nanosec=nanosec),
                frame_id=FRAME_ID)
            info = types[info_type](
                header=header, height=height, width=width, distortion_model='plumb_bob',
                d=np.zeros(5), k=np.array([focal, 0, x, 0, focal, y, 0, 0, 1.0]),
                r=np.eye(3).ravel(),
                p=np.array([focal, 0, x, 0, 0, focal, y, 0, 0, 0, 1.0, 0]), binning_x=0,
                binning_y=0, roi=region)
            bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])[1]
            image = types[image_type](header=header, format='rgb8; jpeg compressed bgr8', data=jpeg)
            for connection, kind, message in (
                    (infos, info_type, info), (images, image_type, image)):
                writer.write(connection, stamp_ns, typestore.serialize_cdr(message, kind))


def main() -> None:
    parser = argparse.ArgumentParser(description='Record the bundled tabletop episode.')
    parser.add_argument('--seed', type=int, default=SEED)
    parser.add_argument('--folder', type=Path, default=recorded_folder())
    arguments = parser.parse_args()
    record(arguments.folder, seed=arguments.seed)
    size = sum(file.stat().st_size for file in arguments.folder.rglob('*') if file.is_file())
    print(f'{arguments.folder}: {size / 1e6:.2f} MB')


if __name__ == '__main__':
    main()
