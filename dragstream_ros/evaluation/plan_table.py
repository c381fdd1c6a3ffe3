"""The numbers of planning as Markdown tables for people."""

from __future__ import annotations

from typing import Any

from dragstream_ros.evaluation.markdown import table


def plan_tables(result: dict[str, Any]) -> str:
    """Who brought things where the goal has them."""
    return '\n\n'.join(
        table([group, 'n', 'reached [95 %]', 'distance at the end, px [95 %]',
               'further than random, px', 'further than the simulator, px', 'CPU s per decision'],
              [_row(name, found) for name, found in systems.items()])
        for group, systems in result['summary'].items())


def goal_tables(result: dict[str, Any]) -> str:
    """How soon goals are answered, what they cost the live stream and memory, what was lost."""
    branches, load, goals = result['branches'], result['load'], result['goals']
    codes = ', '.join(f'{count} {code}' for code, count in sorted(goals['codes'].items()))
    return '\n\n'.join([
        f'{goals["candidates"]} candidates of 1 s, sent and answered over ROS: '
        f'{goals["alone_secs"]:.1f} s with nothing beside them ({goals["alone_cpu_secs"]:.1f} s of '
        f'CPU time), {goals["beside_secs"]:.1f} s beside the live prediction.',
        f'A branch, a chunk on its way: {branches["computed_bytes"] / 1024:.0f} KiB of its own '
        f'computed, {branches["measured_bytes"] / 1024:.0f} KiB measured; it shares '
        f'{branches["shared_bytes"] / 1024:.0f} KiB.',
        f'{goals["goals"]} goals, cancelled, hurried and beside a planner that is killed: {codes}; '
        f'{goals["lost"]} without an answer. Live chunks/s: {goals["live_alone_hz"]:.2f} alone, '
        f'{goals["live_mean_hz"]:.2f} beside them, {goals["live_lowest_hz"]:.2f} in the worst '
        f'{goals["window_secs"]:g} s; bound '
        f'{(1 - goals["planning_share"]) * goals["live_alone_hz"]:.2f}. The worker has grown by '
        f'{goals["worker_grew_mb"]:.1f} MB.',
        table(['planning_share', 'live chunks/s alone', 'beside goals', 'kept', 'bound',
               'futures/s'],
              [[f'{found["planning_share"]:g}', f'{found["alone_hz"]:.2f}',
                f'{found["live_hz"]:.2f}', f'{100 * found["live_hz"] / found["alone_hz"]:.0f} %',
                f'{100 - 100 * found["planning_share"]:.0f} %',
                f'{found["futures_hz"]:.2f}'] for found in load])])


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
