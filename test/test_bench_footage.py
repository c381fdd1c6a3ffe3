"""What an evaluation takes: a short and a longer bag, read and judged for real."""

from __future__ import annotations

from dragstream_ros.evaluation.bench_table import TABLES
from dragstream_ros.evaluation.footage_load import FootageLoadConfig, run_footage_load


def test_time_and_memory_of_a_short_and_a_long_bag_are_measured():
    found = run_footage_load(FootageLoadConfig(
        image_size=(160, 120), rate_hz=10.0, secs=4.0, times_longer=2))
    assert (found['short']['pictures'], found['long']['pictures']) == (40, 80)
    assert found['short']['starts'] == 1 and found['long']['starts'] >= 2
    for one in found.values():
        assert one['taken_secs'] > 0 and 100 < one['peak_memory_mb']['judging'] < 2000
    assert '40 pictures' in TABLES['footage'](found)
