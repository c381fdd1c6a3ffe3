"""The tabletop without graphics: a bundled bag of one episode, with its ground truth beside it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dragstream_ros.simulation.camera import Intrinsics
from dragstream_ros.simulation.picture_frame import PictureFrame
from dragstream_ros.simulation.truth import Thing, Truth, visible_points

IMAGE_TOPIC = '/camera/image/compressed'
INFO_TOPIC = '/camera/camera_info'
BAG, TRUTH, DRAGS = 'tabletop', 'truth.npz', 'drags.json'


def recorded_folder() -> Path:
    """The folder in the package that holds the bag ``tabletop`` (rosbag2, MCAP), ``truth.npz`` and
    ``drags.json``; ``record.py`` says what is in them."""
    return Path(str(resources.files('dragstream_ros.simulation'))) / 'recorded'


class RecordedTabletop:
    """Plays the recording forwards and backwards without end, so that nothing ever jumps.

    ``seed`` chooses where it starts. Pictures and points are resized to ``image_size``, (width,
    height), with black bars where the shape differs.
    """

    def __init__(
            self, seed: int = 0, *, image_size: tuple[int, int] = (256, 256),
            folder: Path | None = None) -> None:
        folder = folder or recorded_folder()
        self._jpegs, info = _read_bag(folder / BAG)
        truth = np.load(folder / TRUTH)
        self._own_size = (int(info.width), int(info.height))
        self._frame = PictureFrame.fit(image_size, info.width / info.height)
        self._scale = self._frame.content[0] / info.width
        self._intrinsics = Intrinsics(
            focal_px=float(info.k[0]) * self._scale,
            centre_px=tuple(self._shown(np.array([info.k[2], info.k[5]])).tolist()))
        self._points_px = self._shown(truth['points_px']).astype(np.float32)
        self._masks = truth['masks']
        self.point_thing: np.ndarray = truth['point_thing']
        self.things = [
            Thing(name, kind, (red, green, blue))
            for name, kind, (red, green, blue) in json.loads(str(truth['things']))]
        self._period_secs = float(truth['stamps_secs'][1])
        self._last = len(self._jpegs) - 1
        self._start = int(np.random.default_rng(seed).integers(2 * self._last))
        self._time_secs = 0.0

    @property
    def description(self) -> str:
        return f'recorded tabletop, {self._last * self._period_secs:.0f} s played to and fro'

    @property
    def image_size(self) -> tuple[int, int]:
        return self._frame.size

    @property
    def intrinsics(self) -> Intrinsics:
        return self._intrinsics

    @property
    def time_secs(self) -> float:
        return self._time_secs

    def step(self, dt_secs: float) -> None:
        self._time_secs += dt_secs

    def render(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        bgr = cv2.imdecode(self._jpegs[self._index()], cv2.IMREAD_COLOR)
        assert bgr is not None, 'the bundled recording is damaged'
        return self._resized(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), cv2.INTER_AREA)

    def truth(self) -> Truth:
        index = self._index()
        mask = self._resized(self._masks[index], cv2.INTER_NEAREST)
        points_px = self._points_px[index]
        visible = visible_points(
            points_px, self.point_thing, mask, background=len(self.things) - 1)
        return Truth(
            time_secs=self._time_secs, points_px=points_px, point_visible=visible,
            point_thing=self.point_thing, mask=mask, things=self.things)

    def look_ahead(self, secs: float, *, rate_hz: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
        """As TabletopScene.look_ahead; points between two recorded frames are interpolated."""
        offsets_secs = np.arange(round(secs * rate_hz) + 1) / rate_hz
        places = self._played(self._count() + offsets_secs / self._period_secs)
        before = np.minimum(places.astype(int), self._last - 1)
        share = (places - before)[:, None, None]
        points = (1 - share) * self._points_px[before] + share * self._points_px[before + 1]
        return offsets_secs, points.astype(np.float32)

    def close(self) -> None:
        """Nothing to give back."""

    def _count(self) -> int:
        """Frames played so far."""
        return round(self._time_secs / self._period_secs) + self._start

    def _played(self, count: Any) -> Any:
        """Place in the recording, in frames, after playing ``count`` frames to and fro."""
        return self._last - np.abs(self._last - np.mod(count, 2 * self._last))

    def _index(self) -> int:
        return int(self._played(self._count()))

    def _shown(self, points_px: np.ndarray) -> Any:
        """Pixels of the recording to pixels of the picture that is shown."""
        return (points_px + 0.5) * self._scale - 0.5 + self._frame.corner

    def _resized(self, picture: np.ndarray, interpolation: int) -> np.ndarray:
        if self._frame.content == self._own_size:
            return self._frame.paste(picture)
        if self._scale > 1 and interpolation == cv2.INTER_AREA:
            interpolation = cv2.INTER_LINEAR
        return self._frame.paste(
            cv2.resize(picture, self._frame.content, interpolation=interpolation))


def _read_bag(folder: Path) -> tuple[list[np.ndarray], Any]:
    """The JPEG pictures and the first CameraInfo."""
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    typestore = get_typestore(Stores.ROS2_HUMBLE)
    jpegs, infos = [], []
    with AnyReader([folder], default_typestore=typestore) as reader:
        for connection, _, raw in reader.messages():
            message: Any = reader.deserialize(raw, connection.msgtype)
            if connection.topic == IMAGE_TOPIC:
                jpegs.append(message.data)
            elif connection.topic == INFO_TOPIC:
                infos.append(message)
    return jpegs, infos[0]
