"""The benchmark's numbers as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def describe_header(report: dict[str, Any]) -> str:
    """Two lines: machine, code, weights."""
    machine, code = report['machine'], report['code']
    commit = 'no checkout' if code['commit'] is None else (
        code['commit'][:10] + (' + changes' if code['dirty'] else ''))
    return (
        f'{machine["cpu"]}, {machine["cores"]} cores, '
        f'{machine["matmul_fp32_gflops_one_thread"]:.0f} GFLOP/s on one, load at start '
        f'{machine["load_average"][0]:.2f}, torch {machine["torch"]}\n'
        f'{report["date"]}, {commit}, weights {report["weights"]["sha256"][:12]}, '
        f'configuration {report["config_sha256"][:12]}')


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return '\n'.join(
        '  '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def _drags(result: dict[str, Any]) -> str:
    parts = []
    for group, found in result['summary'].items():
        rows = []
        for name, values in found['systems'].items():
            success = values['success']
            rows.append([
                name,
                f'{100 * success["value"]:.0f}% [{100 * success["low"]:.0f}, '
                f'{100 * success["high"]:.0f}]',
                *(f'{100 * values[key]:.0f}%' for key in ('arrived', 'left_source', 'kept_area')),
                f'{values["median_error_px"]:.2f}',
                *(f'{values[key]:.2f}' for key in (
                    'median_moved_share', 'median_left_share', 'median_area_ratio')),
                f'{values["median_psnr_db"]:.1f}', f'{values["median_moving_psnr_db"]:.1f}'])
        n = next(iter(found['systems'].values()))['n']
        parts.append(table(
            [f'drags: {group} ({n})', 'success [95%]', 'arrived', 'left', 'area', 'error px',
             'moved', 'remains', 'area x', 'PSNR', 'moving'], rows))
        error = found['locator_error_px']
        parts.append(f'  the locator itself, in true frames half way: {error["value"]:.2f} px off')
        for name, gain in found['gain_over_undragged'].items():
            parts.append(f'  {name} minus undragged, in lengths, paired median: '
                         f'{gain["value"]:+.2f} [{gain["low"]:+.2f}, {gain["high"]:+.2f}]')
        parts.append('')
    return '\n'.join(parts).rstrip()


def _speed(result: dict[str, Any]) -> str:
    parts = ('encode', 'denoise', 'guide', 'commit', 'decode', 'total')
    rows = [
        [name, f'{values["predicted_secs_per_sec"]:.2f}',
         f'{values["predicted_secs_per_cpu_sec"]:.2f}',
         *(f'{values["ms_per_prediction"][part]["p50"]:.0f} / '
           f'{values["ms_per_prediction"][part]["p95"]:.0f}' for part in parts)]
        for name, values in result.items()]
    return table(['speed, one thread', 's per s', 's per CPU s',
                  *(f'{part} ms p50/p95' for part in parts)], rows)


def _flat(result: dict[str, Any]) -> str:
    def interval(values: dict[str, float], unit: float = 1.0) -> str:
        return (f'{values["value"] / unit:+.2f} [{values["low"] / unit:+.2f}, '
                f'{values["high"] / unit:+.2f}]')

    rows = [
        [name, str(values['chunks']), f'{values["mean_ms_per_chunk"]:.1f}',
         interval(values['slope_us_per_chunk']),
         interval(values['slope_resident_bytes_per_chunk'], 1024),
         f'{values["resident_mib"]["first"]:.1f} -> {values["resident_mib"]["last"]:.1f}',
         f'{values["context_bytes"]["last"] / 1024:.0f}']
        for name, values in result.items()]
    return table(['flat', 'chunks', 'ms per chunk', 'slope us/chunk', 'slope KiB/chunk',
                  'resident MiB', 'context KiB'], rows)


def _ros(result: dict[str, Any]) -> str:
    total, ros = result['image_to_prediction_ms'], result['ros_ms']
    service = result['parameter_service_ms']
    return '\n'.join([
        f'ros: {result["predictions"]} predictions, {result["dragged_predictions"]} dragged, '
        f'camera {result["camera_hz"]:.1f} Hz, '
        f'{result["predicted_secs_per_sec"]:.2f} predicted s per s',
        f'  image to prediction: p50 {total["p50"]:.1f} ms, p95 {total["p95"]:.1f}; of that '
        f"ROS's own: p50 {ros['p50']:.1f}, p95 at most {ros['p95']:.1f}",
        f'  longest callback: {result["longest_callback_ms"]:.1f} ms',
        f'  parameter service, {result["parameter_calls"]} calls: p50 {service["p50"]:.1f} ms, '
        f'max {service["max"]:.1f}',
        f'  problems: {"; ".join(result["problems"]) or "none"}'])


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    'drags': _drags, 'speed': _speed, 'flat': _flat, 'ros': _ros}
