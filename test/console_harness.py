"""A real console, pages in a real browser, a camera, and a predictor with a stub world model."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import rclpy
from predictor_harness import INFO_QOS, PATIENCE, PredictorProcess, claimed_domain
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.console.packets import unpack
from dragstream_ros.msg import Drag, DragHandle, PredictionInfo
from dragstream_ros.transport import set_up_transport

CHROMIUM = shutil.which('chromium') or ''
QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']
CAMERA_HZ = 30.0
WIDTH, HEIGHT = 160, 96
# Textured, so that things can be followed, and dark, so that MARK stands out under any drawing.
SCENE = np.random.default_rng(0).integers(
    0, 60, (HEIGHT // 8, WIDTH // 8, 1), np.uint8).repeat(8, 0).repeat(8, 1).repeat(3, 2)
MARK = (61, 37)  # the middle of a white square, px
MARK_REACH = 4
SCENE[MARK[1] - MARK_REACH:MARK[1] + MARK_REACH + 1,
      MARK[0] - MARK_REACH:MARK[0] + MARK_REACH + 1] = 255


class Robot:
    """A camera, and ears for the drags; rclpy runs in a thread."""

    def __init__(self, domain: int) -> None:
        set_up_transport()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node('robot', context=self._context)
        self.drags: list[Drag] = []
        self.n_watchers = 0
        self._camera = self.node.create_publisher(Image, 'image', QoSProfile(depth=1))
        self.info = self.node.create_publisher(PredictionInfo, 'prediction/info', INFO_QOS)
        self.node.create_subscription(Drag, 'drag', self.drags.append, 100)
        self._image = image_from_array(SCENE, Header(frame_id='eye'))
        self.node.create_timer(1 / CAMERA_HZ, self._film)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _film(self) -> None:
        self._image.header.stamp = self.node.get_clock().now().to_msg()
        self._camera.publish(self._image)
        self.n_watchers = self._camera.get_subscription_count()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def drags_since(self, count: int, *, phase: int) -> list[Drag]:
        return [drag for drag in self.drags[count:] if drag.phase == phase]


class ConsoleProcess:
    """The node as a user starts it, on any free port."""

    def __init__(self, *, environment: dict[str, str] | None = None, **parameters: object) -> None:
        words = [word for name, value in {'port': 0, **parameters}.items()
                 for word in ('-p', f'{name}:={value}')]
        self._log = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'dragstream_ros.nodes.drag_console', '--ros-args', *words],
            stdout=self._log, stderr=self._log, env={**os.environ, **(environment or {})})

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def url(self) -> str:
        """Where its page is, as it says itself."""
        wait_for(lambda: 'Open http' in self.log or self.process.poll() is not None, 30)
        found = re.search(r'Open (http\S+)', self.log)
        assert found, self.log
        return found[1]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(10 * PATIENCE)
        assert 'Traceback' not in self.log, self.log
        return status


@contextlib.contextmanager
def running_console(**parameters: object) -> Iterator[ConsoleProcess]:
    console = ConsoleProcess(**parameters)
    try:
        console.url()
        yield console
        console.end()
    finally:
        if console.process.poll() is None:
            console.process.kill()
            console.process.wait()


@contextlib.contextmanager
def running_predictor() -> Iterator[PredictorProcess]:
    predictor = PredictorProcess()
    try:
        yield predictor
        predictor.end(signal.SIGINT)
    finally:
        predictor.kill()


@contextlib.contextmanager
def running_chromium() -> Iterator:
    sync_api = pytest.importorskip('playwright.sync_api')
    if not CHROMIUM:
        pytest.skip('there is no chromium on this machine; apt install chromium')
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def wait_for(condition: Callable, timeout_secs: float = 10.0, *, page=None):
    """Wait until condition() is true, and return what it is; page: it lives on meanwhile."""
    deadline = time.monotonic() + timeout_secs * PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f'not within {timeout_secs} s'
        if page is None:
            time.sleep(0.05)
        else:
            page.wait_for_timeout(50)
    return result


class Page:
    """A page of the console in a browser window of its own, and what an operator does there."""

    def __init__(self, browser, url: str, **window: object) -> None:
        self.context = browser.new_context(**{'viewport': {'width': 1200, 'height': 900}, **window})
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.said: list[dict] = []
        self.sent: list[dict] = []
        self.clips: list[dict] = []
        self.page.on('pageerror', lambda error: self.errors.append(str(error)))
        self.page.on('console', self._on_console)
        self.page.on('websocket', self._on_socket)
        self.page.goto(url)

    def _on_console(self, message) -> None:
        # A socket that cannot be opened is a complaint of the browser, not of the page.
        if message.type == 'error' and 'WebSocket connection' not in message.text:
            self.errors.append(message.text)

    def _on_socket(self, socket) -> None:
        socket.on('framereceived', self._on_received)
        socket.on('framesent', lambda text: self.sent.append(json.loads(text)))

    def _on_received(self, data) -> None:
        if isinstance(data, str):
            self.said.append(json.loads(data))
            return
        header, _ = unpack(bytes(data))
        if header['stream'] == 'prediction':
            self.clips.append(header)

    def wait(self, condition: Callable, timeout_secs: float = 10.0):
        return wait_for(condition, timeout_secs, page=self.page)

    def text(self, name: str) -> str:
        return self.page.locator(f'#{name}').inner_text()

    def state(self, stream: str) -> str:
        return self.page.locator(f'#{stream}-view').get_attribute('data-state')

    def wait_for_camera(self) -> None:
        self.wait(lambda: self.state('camera') == 'live', 20)

    def place_of_mark(self, stream: str = 'camera') -> tuple[float, float]:
        """Where the middle of the white mark comes to be seen on the screen, in CSS pixels."""
        return self.wait(lambda: self._seen_mark(stream))

    def _seen_mark(self, stream: str) -> tuple[float, float] | None:
        png = self.page.screenshot(scale='device')
        screen = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        density = screen.shape[1] / self.page.evaluate('innerWidth')
        box = self.page.locator(f'#{stream}').bounding_box()
        rim = 3  # of the frame around it
        left, right = (round((box['x'] + x) * density) for x in (rim, box['width'] - rim))
        top, bottom = (round((box['y'] + y) * density) for y in (rim, box['height'] - rim))
        light = np.clip(screen[top:bottom, left:right].astype(float) - 180, 0, None)
        if not light.any():
            return None
        y, x = (np.average(axis, weights=light) for axis in np.indices(light.shape))
        return (left + x + 0.5) / density, (top + y + 0.5) / density

    def css_per_pixel(self, stream: str = 'camera') -> float:
        box = self.page.locator(f'#{stream}').bounding_box()
        return min(box['width'] / WIDTH, box['height'] / HEIGHT)

    def close(self) -> None:
        self.context.close()  # may be so already
        assert self.errors == []


class Hand:
    """An operator's mouse on a page; all places are pixels of the camera picture."""

    def __init__(self, page: Page, robot: Robot) -> None:
        self.page, self.mouse, self.robot = page, page.page.mouse, robot
        self.mark, self.scale = page.place_of_mark(), page.css_per_pixel()
        self.before = len(robot.drags)

    def to(self, x: float, y: float) -> None:
        self.mouse.move(self.mark[0] + (x - MARK[0]) * self.scale,
                        self.mark[1] + (y - MARK[1]) * self.scale, steps=3)

    def press(self, x: float, y: float) -> None:
        self.to(x, y)
        self.mouse.down()

    def drag(self, start: tuple[float, float], target: tuple[float, float]) -> None:
        self.press(*start)
        self.to(*target)
        self.mouse.up()

    def choose(self, label: str) -> None:
        self.page.page.get_by_role('radio', name=label).check()

    def click(self, name: str) -> None:
        self.page.page.locator(f'#{name}').click()

    def all_sent(self, phase: int) -> list[Drag]:
        return self.robot.drags_since(self.before, phase=phase)

    def sent(self, phase: int, count: int = 1) -> Drag:
        """Wait for so many drags of a phase; returns the newest."""
        return self.page.wait(
            lambda: len(drags := self.all_sent(phase)) >= count and drags)[-1]

    def newest(self) -> Drag:
        """The newest drag that has handles."""
        return self.page.wait(
            lambda: [drag for drag in self.robot.drags[self.before:] if drag.handles])[-1]


def xy(point) -> tuple[float, float]:
    return point.x, point.y


def corners(handle: DragHandle) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a handle's outline."""
    xs, ys = zip(*map(xy, handle.mask_polygon.points), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


@pytest.fixture(scope='module')
def domain() -> Iterator[int]:
    with claimed_domain() as number:
        yield number


@pytest.fixture(scope='module')
def browser() -> Iterator:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture(scope='module')
def robot(domain: int) -> Iterator[Robot]:
    robot = Robot(domain)
    yield robot
    robot.close()


@pytest.fixture(scope='module')
def console(browser, domain: int) -> Iterator[ConsoleProcess]:
    with running_console() as process:
        yield process


@pytest.fixture(scope='module')
def predictor(domain: int) -> Iterator[PredictorProcess]:
    with running_predictor() as process:
        yield process


@pytest.fixture
def open_page(browser, console: ConsoleProcess, robot: Robot) -> Iterator[Callable[..., Page]]:
    """Give open_page(**window): a page that shows the camera, closed after the test."""
    pages = []

    def open_one(**window: object) -> Page:
        pages.append(Page(browser, console.url(), **window))
        pages[-1].wait_for_camera()
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()


@pytest.fixture
def hand(open_page: Callable[..., Page], robot: Robot) -> Hand:
    return Hand(open_page(), robot)
