"""The predictor's process with a Wan model, from a folder of small random weights."""

from __future__ import annotations

import pytest
import torch
from predictor_harness import Bench, PredictorProcess, claimed_domain
from tiny_wan import write_tiny_wan

from dragstream_ros.errors import ErrorCode


@pytest.mark.parametrize('world_model', ['self_forcing', 'anyflow_far'])
def test_it_predicts_what_is_dragged_from_its_weights_once_they_are_there(
        tmp_path, world_model) -> None:
    torch.set_num_threads(1)
    is_late = world_model == 'self_forcing'
    if not is_late:
        write_tiny_wan(tmp_path, world_model)
    with claimed_domain() as domain:
        predictor = PredictorProcess(world_model=world_model, weights_folder=tmp_path,
                                     horizon_secs=0.5)
        bench = Bench(domain)
        try:
            if is_late:
                bench.until(lambda: bench.problem(ErrorCode.WEIGHTS_MISSING), 120.0)
                assert 'model.json' in bench.problem(ErrorCode.WEIGHTS_MISSING).message
                write_tiny_wan(tmp_path, world_model)
            bench.until(bench.clips, 120.0, filming=True)
            assert len(bench.clips()[0].frames) == 12
            bench.drag()
            bench.until(lambda: bench.clips(drag_id='a'), 120.0, filming=True)
        finally:
            bench.close()
            predictor.kill()
