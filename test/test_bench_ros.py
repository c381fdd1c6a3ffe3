"""Latency over DDS: the real predictor process with a stub for a model."""

from __future__ import annotations

import pytest

from dragstream_ros.evaluation.ros_latency import (
    RosBenchError,
    RosLatencyConfig,
    run_ros_latency,
)

SHORT = RosLatencyConfig(
    secs=4.0, parameter_calls=20, image_size=(160, 120), world_model='stub_world_model:load')


@pytest.fixture(autouse=True)
def stub_is_found(ros_domain, monkeypatch, request):
    monkeypatch.setenv('PYTHONPATH', str(request.path.parent))


def test_latency_is_split_into_ros_and_the_rest():
    found = run_ros_latency(SHORT)
    total, ros = found['image_to_prediction_ms'], found['ros_ms']
    assert 0 < ros['p50'] < total['p50'] + found['ros_parts_ms']['node']['p50']
    assert found['dragged_predictions'] >= 2
    assert found['predictions'] > found['dragged_predictions']
    assert found['parameter_calls'] >= 15
    assert 0 < found['parameter_service_ms']['p50'] < 1000
    assert found['longest_callback_ms'] > 0
    assert found['problems'] == []


def test_a_graph_that_does_not_predict_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr('dragstream_ros.evaluation.ros_latency.FIRST_PREDICTION_SECS', 6.0)
    config = RosLatencyConfig(world_model='stub_world_model:load', weights_folder=str(tmp_path))
    with pytest.raises(RosBenchError, match='Nothing was predicted'):
        run_ros_latency(config)
