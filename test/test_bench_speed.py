"""Timing and steadiness of a stream, on an untrained model: what is counted, and how."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import torch

from dragstream_ros.core.stream import StreamConfig
from dragstream_ros.evaluation import flatness
from dragstream_ros.evaluation.speed import SpeedConfig, time_free_run, time_system
from dragstream_ros.evaluation.table_film import camera_frames
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel


@pytest.fixture(scope='module')
def model() -> TabletopWorldModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return TabletopWorldModel().eval().requires_grad_(False)


def test_the_camera_moves_and_keeps_its_rate():
    frames = camera_frames((160, 120), rate_hz=20)
    (first, start_ns), (second, next_ns) = next(frames), next(frames)
    assert first.shape == (120, 160, 3) and first.dtype == np.uint8
    assert (first != second).any()
    assert next_ns - start_ns == 50_000_000


def test_predicted_seconds_per_second_count_the_horizon_and_all_the_work(model):
    config = SpeedConfig(predictions=2, warm_up=1, horizon_secs=0.4)
    started = time.perf_counter()
    found = time_system(model, None, config)
    secs = time.perf_counter() - started
    total_ms = found['ms_per_prediction']['total']
    assert found['predicted_secs_per_sec'] == pytest.approx(0.4 / (total_ms['p50'] / 1e3))
    assert 2 * total_ms['p50'] / 1e3 < secs
    parts = ('denoise', 'commit', 'decode')
    assert 0 < sum(found['ms_per_prediction'][part]['p50'] for part in parts) <= total_ms['max']
    assert found['ms_per_prediction']['guide']['max'] == 0


def test_a_guided_prediction_spends_time_on_guidance(model):
    found = time_system(model, 'guidance', SpeedConfig(predictions=1, warm_up=0, horizon_secs=0.4))
    assert found['ms_per_prediction']['guide']['p50'] > 0


def test_a_free_run_takes_no_camera_and_counts_whole_chunks(model):
    found = time_free_run(model, SpeedConfig(predictions=2, warm_up=1, horizon_secs=0.9))
    total_ms = found['ms_per_prediction']['total']
    assert found['predicted_secs_per_sec'] == pytest.approx(1.0 / (total_ms['p50'] / 1e3))
    assert found['ms_per_prediction']['encode']['max'] == 0 < found['ms_per_chunk']['p50']


@pytest.mark.parametrize('mode', ['free_running', 'anchored'])
def test_a_leak_shows_as_a_slope_of_memory(model, mode, monkeypatch):
    leaked = itertools.count(step=1000)
    monkeypatch.setattr(flatness, 'resident_bytes', lambda: next(leaked))
    found = flatness.measure_stream(
        model, StreamConfig(mode=mode, horizon_secs=0.4), 8, flatness.FlatnessConfig())
    assert found['chunks'] == 8
    assert found['slope_resident_bytes_per_chunk']['value'] == pytest.approx(1000)
    assert found['mean_ms_per_chunk'] > 0 and found['context_bytes']['last'] > 0
