"""The scores as one long table in Parquet, for data stores; pyarrow is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dragstream_ros.evaluation.footage.score import MEASURES

try:
    import pyarrow
    from pyarrow import parquet
except ImportError:
    pyarrow = None


def parquet_table(starts: Sequence[dict[str, Any]], *, period_secs: float) -> bytes | None:
    """A row for each start, system and step of the horizon; None where there is no pyarrow.

    :param starts: as in results.json
    """
    if pyarrow is None:
        return None
    numbers = [(measure.name, pyarrow.float32()) for measure in MEASURES]
    schema = pyarrow.schema([
        ('footage', pyarrow.string()), ('start', pyarrow.string()),
        ('start_secs', pyarrow.float64()), ('stamp_ns', pyarrow.int64()),
        ('is_dragged', pyarrow.bool_()), ('system', pyarrow.string()),
        ('horizon_secs', pyarrow.float32()), *numbers])
    rows = [row for start in starts for row in _rows(start, period_secs)]
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), buffer)
    return bytes(buffer.getvalue())


def _rows(start: dict[str, Any], period_secs: float) -> list[dict[str, Any]]:
    shared = {
        'footage': start['footage'], 'start': start['key'], 'start_secs': start['start_secs'],
        'stamp_ns': start['stamp_ns'], 'is_dragged': bool(start['handles'])}
    return [
        {**shared, 'system': system, 'horizon_secs': period_secs * (step + 1),
         **{name: values[step] for name, values in scores.items()}}
        for system, scores in start['scores'].items() for step in range(len(scores['psnr_db']))]
