"""The GPU benchmark's numbers as Markdown tables."""
from __future__ import annotations

from typing import Any

from dragstream_ros.evaluation.markdown import table

RAN = 'ran'     # in the place of every number of a rehearsal


def describe(report: dict[str, Any]) -> str:
    """One text: the device, the grid, the parts."""
    return '\n\n'.join([_header(report), _grid(report), _parts(report), _sizes(report)])


def _header(report: dict[str, Any]) -> str:
    device, code = report['device'], report['code']
    commit = 'no checkout' if code['commit'] is None else (
        code['commit'][:10] + (' + changes' if code['dirty'] else ''))
    made = f'torch {device["torch"]}, {report["date"]}, commit {commit}'
    if report['rehearsal']:
        return (f'**A rehearsal without a GPU**: the benchmark ran on a CPU with a toy of the '
                f'model, at toy sizes. Its times say nothing of any GPU and are not shown. {made}.')
    return (f'{device["name"]}, {device["memory_gb"]:.0f} GB, driver {device["driver"]}, '
            f'CUDA {device["cuda"]}, {made}. {report["dtype"]}, random weights of unit variance. '
            f'Attainable: {report["attainable_flop_per_sec"] / 1e12:.0f} TFLOP/s in a large matrix '
            f'product, {report["attainable_bytes_per_sec"] / 1e12:.2f} TB/s in a large copy.')


def _grid(report: dict[str, Any]) -> str:
    show = _Shown(report['rehearsal'])
    rows = []
    for row in report['grid']:
        drag, peak = row.get('drag_secs'), row.get('peak_bytes')
        rows.append([
            *_place(row), row['way'], row['how'], show(row['frames_per_sec'], '.1f'),
            show(row['frames_per_sec'] / row['derived_frames_per_sec'], '.2f')
            if row['how'] == 'measured' else '',
            show(row.get('first_frame_secs'), '.2f'),
            f'{show(drag["p50"], ".2f")} / {show(drag["p95"], ".2f")}' if drag else '',
            show(None if peak is None else peak / 1e9, '.1f')])
    return table(['size', 'window', 'way', 'how', 'frames/s', 'measured / derived',
                  'first frame, s', 'drag to frame, s, p50 / p95', 'peak, GB'], rows)


def _parts(report: dict[str, Any]) -> str:
    show = _Shown(report['rehearsal'])
    return table(
        ['size', 'window', 'compiled', 'denoise, ms', 'of attainable', 'commit, ms',
         'guidance a chunk, ms', 'iteration fast / code / naive, ms', 'fast / naive',
         'fast of attainable', 'planned, GB'],
        [[*_place(row), 'yes' if row['compiled'] else 'no',
          show(1e3 * row['denoise'], '.1f'), show(row['denoise_share'], '.0%'),
          show(1e3 * row['commit'], '.1f'), show(1e3 * row['guide'], '.0f'),
          ' / '.join(show(1e3 * row['iterations'][name], '.0f')
                     for name in ('fast', 'code', 'naive')),
          show(row['fast_of_naive'], '.2f'), show(row['fast_share'], '.0%'),
          show(row['planned_bytes'] / 1e9, '.1f')] for row in report['parts']])


def _sizes(report: dict[str, Any]) -> str:
    show = _Shown(report['rehearsal'])
    return table(
        ['size', 'encode a chunk, ms', 'decode, Wan, ms', 'decode, tiny, ms'],
        [[_size(row), *(show(1e3 * row[name], '.1f')
                        for name in ('encode', 'decode_wan', 'decode_tiny'))]
         for row in report['sizes']])


class _Shown:
    """Formats numbers, but those of a rehearsal, which nobody shall take for a GPU's."""

    def __init__(self, rehearsal: bool) -> None:
        self._rehearsal = rehearsal

    def __call__(self, number: float | None, form: str) -> str:
        if number is None:
            return ''
        return RAN if self._rehearsal else format(number, form)


def _place(row: dict[str, Any]) -> list[str]:
    return [_size(row), str(row['window'])]


def _size(row: dict[str, Any]) -> str:
    return '{}x{}'.format(*row['image_size'])
