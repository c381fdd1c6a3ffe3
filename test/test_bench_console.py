"""What the console costs: the real graph with a stub for a model."""

from __future__ import annotations

import pytest

pytest.importorskip('aiohttp')

from dragstream_ros.evaluation.bench_table import TABLES  # noqa: E402
from dragstream_ros.evaluation.console_load import ConsoleLoadConfig, run_console_load  # noqa: E402


@pytest.mark.alone
def test_answers_pictures_and_the_cost_of_idle_pages_are_measured(ros_domain, monkeypatch, request):
    monkeypatch.setenv('PYTHONPATH', str(request.path.parent))
    found = run_console_load(ConsoleLoadConfig(
        drags=2, idle_pages=3, pairs=1, secs=1.0, settle_secs=0.0,
        world_model='stub_world_model:load'))
    assert found['drags'] == 2 and 0 < found['drag_to_first_frame_secs']['p50'] < 20
    assert 0 < found['camera_hz'] < 40 and 0 < found['idle_camera_hz'] < 40
    [[without, with_pages]] = found['clips_per_sec']
    assert abs(found['console_cores']['value']) < 2  # a difference, of either sign
    assert 'they themselves' in TABLES['console'](found)
    assert found['cost_of_idle_pages']['value'] == pytest.approx(1 - with_pages / without)
