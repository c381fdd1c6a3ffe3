"""The numbers of planning as Markdown tables for people."""

from __future__ import annotations

from typing import Any


def plan_tables(result: dict[str, Any]) -> str:
    """Who brought things where the goal has them."""
    return '\n\n'.join(
        _table([group, 'n', 'reached [95 %]', 'distance at the end, px [95 %]',
                'further than random, px', 'further than the simulator, px', 'CPU s per decision'],
               [_row(name, found) for name, found in systems.items()])
        for group, systems in result['summary'].items())


def _row(name: str, found: dict[str, Any]) -> list[str]:
    success, secs, further = found['success'], found['median_cpu_secs'], found['further_than_px']
    return [
        name, str(found['n']),
        f'{100 * success["value"]:.0f} % [{100 * success["low"]:.0f}, {100 * success["high"]:.0f}]',
        _interval(found['distance_px']), _interval(further.get('random')),
        _interval(further.get('simulator')), '' if secs is None else f'{secs:.1f}']


def _interval(values: dict[str, float] | None) -> str:
    if values is None:
        return ''
    return f'{values["value"]:.1f} [{values["low"]:.1f}, {values["high"]:.1f}]'


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
