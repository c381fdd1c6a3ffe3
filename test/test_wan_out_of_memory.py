"""Out of memory, injected where it may come: a code, the memory back, and the next image served."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny_wan import SIZE, load_tiny_wan, write_tiny_wan

from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.frame_intake import ModelFrame, model_frame
from dragstream_ros.worker.mailbox import RawFrame
from dragstream_ros.worker.protocol import Chunk, Problem, StreamSettings
from dragstream_ros.worker.session import PredictionSession
from dragstream_ros.world_models import load_world_model
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel
from dragstream_ros.world_models.wan.transformer import CausalWan

PERIOD_NS = 62_500_000


@pytest.fixture(scope='module')
def model(tmp_path_factory) -> SelfForcingWorldModel:
    torch.set_num_threads(1)
    return load_tiny_wan(tmp_path_factory.mktemp('wan'))


@pytest.fixture
def session(model) -> PredictionSession:
    def make_stream(settings: StreamSettings, locate: Callable) -> DragStream:
        return DragStream(model, config=StreamConfig(horizon_secs=0.5), locate=locate)

    return PredictionSession(
        model_size=SIZE, frame_period_secs=model.frame_period_secs,
        settings=StreamSettings(), make_stream=make_stream)


def frames(*numbers: int) -> list[ModelFrame]:
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE[::-1], 3), np.uint8)
    return [model_frame(RawFrame(
        data=pixels.tobytes(), width=SIZE[0], height=SIZE[1], step=3 * SIZE[0],
        stamp_ns=1_000_000_000 + number * PERIOD_NS, arrival_ns=number, generation=0), SIZE)
        for number in numbers]


def no_memory(*_: object, **__: object) -> None:
    raise torch.OutOfMemoryError('CUDA out of memory (injected)')


def the_code(events: list) -> ErrorCode:
    (problem,) = (event for event in events if isinstance(event, Problem))
    assert problem.sentence.endswith('.') and 'CUDA' not in problem.sentence
    return problem.code


def test_at_load_it_is_an_error_that_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr('dragstream_ros.world_models.wan.model.load_part', no_memory)
    with pytest.raises(DragStreamError, match='does not fit') as refusal:
        load_world_model('self_forcing', str(write_tiny_wan(tmp_path)))
    assert refusal.value.code == ErrorCode.OUT_OF_MEMORY


def test_with_the_first_image_the_session_says_so_and_takes_the_next(session, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(CausalWan, 'remember', no_memory)
        assert the_code(session.feed(frames(0))) == ErrorCode.OUT_OF_MEMORY
        assert session.step() == [] and session.context_bytes == 0
    assert session.feed(frames(0, 1)) == []
    (chunk,) = session.step()
    assert isinstance(chunk, Chunk) and chunk.source_stamp_ns == frames(1)[0].stamp_ns


def test_in_the_first_chunk_the_past_is_given_back_and_built_anew(session, monkeypatch) -> None:
    session.feed(frames(0))
    page = weakref.ref(session._stream._past.context.pages[0])
    with monkeypatch.context() as patch:
        patch.setattr(CausalWan, 'denoise', no_memory)
        assert the_code(session.step()) == ErrorCode.OUT_OF_MEMORY
    assert page() is None and session.context_bytes == 0
    assert session.step() == []
    session.feed(frames(0, 1))
    assert isinstance(session.step()[0], Chunk)


def test_in_mid_stream_the_epoch_ends_and_another_begins(session, monkeypatch) -> None:
    session.feed(frames(*range(5)))
    (first,) = session.step()
    with monkeypatch.context() as patch:
        patch.setattr(CausalWan, 'remember', no_memory)
        events = session.feed(frames(*range(9)))
    # The frame that did not fit, and none of those that had room before it.
    assert the_code(events) == ErrorCode.OUT_OF_MEMORY and session.context_bytes == 0
    session.feed(frames(*range(10)))
    (after,) = session.step()
    assert isinstance(first, Chunk) and isinstance(after, Chunk)
    assert after.epoch > first.epoch and after.source_stamp_ns == frames(9)[0].stamp_ns
