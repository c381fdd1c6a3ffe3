"""Makes the pictures of docs/console.md and docs/how_an_operator_drags.md: a drag, as it is seen.

``python -m dragstream_ros.evaluation.operator_pictures docs/images`` starts a simulated robot, the
predictor and the console, drags something in a real browser, and writes console.jpg,
console_phone.jpg and preview.jpg. Needs playwright and Chromium (apt install chromium).
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import sys
import tempfile
import time
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image, PointCloud2

from dragstream_ros.adapters.image import array_from_image
from dragstream_ros.adapters.truth_cloud import points_from_cloud
from dragstream_ros.evaluation.console_load import GRAPH, free_port
from dragstream_ros.evaluation.drawing import resize
from dragstream_ros.evaluation.listener import Listener
from dragstream_ros.evaluation.picture_files import write_picture
from dragstream_ros.evaluation.run_guard import keep_to_this_machine
from dragstream_ros.msg import PredictionInfo
from dragstream_ros.runner import NodeGroup
from dragstream_ros.transport import set_up_transport

TOPICS = {'truth/points': PointCloud2, 'prediction/info': PredictionInfo, 'preview/image': Image}
WINDOWS: dict[str, dict[str, Any]] = {
    'console': {'viewport': {'width': 1280, 'height': 860}},
    'console_phone': {'viewport': {'width': 390, 'height': 844}, 'device_scale_factor': 2,
                      'has_touch': True, 'is_mobile': True}}
N_GRIPPERS = 2          # the first things of the simulation; the last one is the table
DRAG_SHARE = 0.18       # length, of the picture's width
EDGE_SHARE = 0.22       # nothing nearer to the edge is dragged
PREVIEW_AT_SECS = (0.2, 0.5, 0.7, 1.0)
PREVIEW_SIDE_PX = 300
TRIES = 20
SHOWN_SECS = 8.0        # until a drag is seen up to its end


def main() -> int:
    """Write the pictures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', type=pathlib.Path, help='where the pictures go')
    parser.add_argument('--seed', type=int, default=0, help='which simulated tabletop')
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright
    keep_to_this_machine()
    set_up_transport()
    robot = _Robot()
    port = str(free_port())
    with tempfile.TemporaryFile('w') as log, Listener(TOPICS, robot.hear), \
            NodeGroup(GRAPH, said={'port': port, 'seed': str(args.seed)}, log=log), \
            sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which('chromium'), args=['--no-sandbox', '--disable-gpu'])
        for name, window in WINDOWS.items():
            page = browser.new_context(**window).new_page()
            page.goto(f'http://127.0.0.1:{port}/')
            page.wait_for_selector('#prediction-view[data-state=shown]', timeout=60_000)
            if not any(_photograph(page, robot, args.images / f'{name}.jpg')
                       for _ in range(TRIES)):
                print(f'No drag was seen to its end for {name}.', file=sys.stderr)
                return 1
            page.close()
    write_picture(args.images / 'preview.jpg', robot.preview_strip())
    return 0


def _photograph(page: Any, robot: _Robot, file: pathlib.Path) -> bool:
    """Drag something to the left; if its prediction is seen up to the end, keep a picture."""
    start = robot.something_to_drag()
    if start is None:
        time.sleep(0.5)
        return False
    box = page.locator('#camera').bounding_box()
    x, y = box['x'] + start[0] * box['width'], box['y'] + start[1] * box['height']
    page.mouse.move(x, y)
    page.mouse.down()
    for share in np.linspace(0, 1, 12):  # in a bow, as a hand does
        page.mouse.move(x - DRAG_SHARE * box['width'] * share,
                        y - 0.05 * box['width'] * np.sin(share * np.pi * 0.7))
        page.wait_for_timeout(30)
    deadline = time.monotonic() + SHOWN_SECS
    is_seen = False
    while time.monotonic() < deadline and not is_seen:
        page.wait_for_timeout(40)
        is_seen = (
            re.match(r'(0\.9|1\.0) s ahead, dragged', page.inner_text('#prediction-words'))
            is not None and not page.is_visible('#problem') and robot.has_preview)
    if is_seen:
        page.screenshot(path=file, type='jpeg', quality=88)
    page.mouse.up()
    page.wait_for_timeout(2500)
    return is_seen


class _Robot:
    """What is heard of the robot, in the listener's thread: where things are, and the preview."""

    def __init__(self) -> None:
        self._points: PointCloud2 | None = None
        self._info: PredictionInfo | None = None
        self._previews: dict[float, np.ndarray] = {}

    def hear(self, topic: str, cdr: bytes, arrival_ns: int) -> None:
        message = deserialize_message(cdr, TOPICS[topic])
        if topic == 'truth/points':
            self._points = message
        elif topic == 'prediction/info':
            self._info = message
        elif self._info is not None and self._info.drag_id:
            self._previews[round(self._info.offset_secs, 1)] = array_from_image(message)

    @property
    def has_preview(self) -> bool:
        """Every frame of the strip has come."""
        return all(secs in self._previews for secs in PREVIEW_AT_SECS)

    def preview_strip(self) -> np.ndarray:
        """Frames of a dragged preview beside each other, (H, W, 3) uint8 RGB."""
        return np.hstack([resize(self._previews[secs], (PREVIEW_SIDE_PX, PREVIEW_SIDE_PX))
                          for secs in PREVIEW_AT_SECS])

    def something_to_drag(self) -> tuple[float, float] | None:
        """Where the freest object is that can be seen whole, as shares of the picture's sides."""
        if self._points is None:
            return None
        truth = points_from_cloud(self._points)
        places = truth.points_px[0] / np.array(truth.image_size)
        things = [np.flatnonzero(truth.point_thing == thing)
                  for thing in range(truth.point_thing.max())]
        grippers = places[[own[0] for own in things[:N_GRIPPERS]]]
        free = [places[own[0]] for own in things[N_GRIPPERS:]
                if truth.point_visible[own].all()
                and EDGE_SHARE < places[own[0]].min() and places[own[0]].max() < 1 - EDGE_SHARE]
        if not free:
            return None
        best = max(free, key=lambda place: np.linalg.norm(grippers - place, axis=1).min())
        return float(best[0]), float(best[1])


if __name__ == '__main__':
    sys.exit(main())
