"""The planning benchmark's numbers as Markdown tables for people."""

from __future__ import annotations

from typing import Any


def plan_tables(result: dict[str, Any]) -> str:
    """Who reached the goal, what branches take, and what goals cost the live stream."""
    parts = []
    for group, systems in result['summary'].items():
        n = next(iter(systems.values()))['n']
        parts.append(_table(
            [f'{group} ({n})', 'reached [95 %]', 'distance at the end, px [95 %]',
             'further off than straight, px [95 %]', 's per decision'],
            [_row(name, found) for name, found in systems.items()]))
    branches, load = result['branches'], result['load']
    parts.append(
        f'A branch, a chunk on its way: {branches["computed_bytes"] / 1024:.0f} KiB of its own '
        f'computed, {branches["measured_bytes"] / 1024:.0f} KiB measured; it shares '
        f'{branches["shared_bytes"] / 1024:.0f} KiB.')
    parts.append(
        f'{load["candidates"]} candidates of 1 s, with nothing beside them: '
        f'{load["answer_secs"]:.1f} s.')
    parts.append(_table(
        ['planning_share', 'live chunks/s', 'of those alone', 'bound', 'futures/s'],
        [[f'{found["planning_share"]:g}', f'{found["live_hz"]:.2f}',
          f'{100 * found["live_hz"] / load["alone_hz"]:.0f} %',
          f'{100 * found["bound_hz"] / load["alone_hz"]:.0f} %', f'{found["futures_hz"]:.2f}']
         for found in load['shares']]))
    return '\n\n'.join(parts)


def _row(name: str, found: dict[str, Any]) -> list[str]:
    success, secs = found['success'], found['median_secs']
    more = found.get('more_than_straight_px')
    return [
        name,
        f'{100 * success["value"]:.0f} % [{100 * success["low"]:.0f}, {100 * success["high"]:.0f}]',
        _interval(found['distance_px']), '' if more is None else _interval(more),
        '' if secs is None else f'{secs:.1f}']


def _interval(values: dict[str, float]) -> str:
    return f'{values["value"]:.1f} [{values["low"]:.1f}, {values["high"]:.1f}]'


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
