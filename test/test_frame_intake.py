"""Which camera frames the worker keeps while it is busy with a step."""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque

import pytest
from session_maker import NS, raw_frame
from stub_world_model import IMAGE_SIZE

from dragstream_ros.worker.frame_intake import BUSY_SECS, HISTORY_SECS, FrameIntake
from dragstream_ros.worker.mailbox import RawFrame


class Camera:
    """A mailbox's reading end that never loses a frame."""

    n_dropped = 0

    def __init__(self) -> None:
        self.waiting: deque[RawFrame] = deque()
        # Never closed: the thread of the intake lives as long as the process.
        self._event_fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._event_fd

    def take(self) -> RawFrame | None:
        if self.waiting:
            return self.waiting.popleft()
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event_fd)
        return None

    def film(self, intake: FrameIntake, *t_secs: float, **fields) -> None:
        self.waiting.extend(raw_frame(t, **fields) for t in t_secs)
        os.eventfd_write(self._event_fd, 1)
        n_kept = 0
        while n_kept < len(t_secs):
            assert select.select([intake], [], [], 10.0)[0]
            n_kept += os.eventfd_read(intake.fileno())


def kept_secs(intake: FrameIntake) -> list[float]:
    frames, problems = intake.look()
    assert not problems
    return [frame.stamp_ns / NS for frame in frames]


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
def intake(camera: Camera) -> FrameIntake:
    return FrameIntake(camera, model_size=IMAGE_SIZE)


def test_the_last_seconds_are_kept(camera, intake):
    for t_secs in range(100, 105):
        camera.film(intake, t_secs)
        kept = kept_secs(intake)
    assert kept == [103 - HISTORY_SECS, 102, 103, 104]  # counted from the look before


def test_a_long_step_does_not_push_out_what_was_dragged_on_when_it_began(camera, intake):
    camera.film(intake, 100, 101)
    assert kept_secs(intake) == [100, 101]
    camera.film(intake, *range(102, 106))
    assert kept_secs(intake) == [100, 101, 102, 103, 104, 105]
    camera.film(intake, 106)
    assert kept_secs(intake)[0] == 105 - HISTORY_SECS


def test_a_step_without_end_does_not_fill_the_memory(camera, intake):
    camera.film(intake, 100)
    kept_secs(intake)
    camera.film(intake, *range(101, 150))
    assert kept_secs(intake)[0] == 149 - BUSY_SECS - HISTORY_SECS


def test_another_stream_starts_anew(camera, intake):
    camera.film(intake, 100, 101)
    kept_secs(intake)
    camera.film(intake, 50)
    assert kept_secs(intake) == [50]
    camera.film(intake, 51, generation=1)
    assert kept_secs(intake) == [51]
