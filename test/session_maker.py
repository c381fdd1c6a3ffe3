"""A prediction session around the stub world model, and frames and drags for it."""

from __future__ import annotations

import numpy as np
import pytest
from stub_world_model import IMAGE_SIZE, StubWorldModel

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.errors import ErrorCode
from dragstream_ros.worker.frame_intake import ModelFrame, model_frame
from dragstream_ros.worker.mailbox import RawFrame
from dragstream_ros.worker.protocol import (
    GoalDone,
    Problem,
    PushDrag,
    StreamSettings,
)
from dragstream_ros.worker.session import PredictionSession

NS = 1_000_000_000
CAMERA_SIZE = (128, 96)
TEXTURE = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def raw_frame(t_secs: float = 0.0, *, image: np.ndarray = TEXTURE, generation: int = 0) -> RawFrame:
    height, width = image.shape[:2]
    return RawFrame(
        data=image.tobytes(), width=width, height=height, step=width * 3,
        stamp_ns=round(t_secs * NS), arrival_ns=round(t_secs * NS) + 7, generation=generation,
    )


def frames(*t_secs: float, **fields) -> list[ModelFrame]:
    return [model_frame(raw_frame(t, **fields), IMAGE_SIZE) for t in t_secs]


def drag(*path_px, t_secs: float = 0.0, **fields) -> DragCommand:
    return DragCommand(**{
        'drag_id': 'a', 'operator_id': '', 'mode': DragMode.ANIMATE, 'image_size': CAMERA_SIZE,
        'handles': (DragHandle(path_px=np.array(path_px, np.float64)),),
        'stamp_ns': round(t_secs * NS), **fields,
    })


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_session(clock=Clock(), first_epoch: int = 0, planning_share: float = 0.5, lanes=None,
                 **settings) -> PredictionSession:
    model = StubWorldModel()
    return PredictionSession(
        model_size=model.image_size, frame_period_secs=model.frame_period_secs,
        settings=StreamSettings(**settings), make_stream=model.make_stream,
        first_epoch=first_epoch, planning_share=planning_share, lanes=lanes, clock=clock)


@pytest.fixture
def session(clock) -> PredictionSession:
    return make_session(clock)


def push(session, command, generation: int = 0):
    return session.handle(PushDrag(command=command, generation=generation))


def run(session) -> list:
    events = []
    while done := session.step():
        events += done
    return events


def codes(events) -> list[ErrorCode]:
    return [event.code for event in events if isinstance(event, Problem | GoalDone)]
