"""Fills the page of a report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jinja2
import numpy as np

from dragstream_ros.evaluation.footage import plots
from dragstream_ros.evaluation.footage.report import words
from dragstream_ros.evaluation.footage.score import MEASURES
from dragstream_ros.evaluation.footage.summary import SYSTEMS

TITLES = {
    'dragged': 'predicted, dragged',
    'undragged': 'predicted, not dragged',
    'constant_flow': 'constant flow',
    'copy_last': 'last picture held',
    'autoencoder': 'truth through the autoencoder',
}
MOST_TIMELINES = 20


def render_report(
    results: dict[str, Any], timing: dict[str, Any], strips: Sequence[tuple[str, bytes]]
) -> bytes:
    """The page, UTF-8.

    results, timing: what results.json and timing.json hold. strips: key and WebP (see strip.py) of
    the starts that are shown, the worst first.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, ''), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters['number'] = _number
    summary = results['summary']
    subject = 'dragged' if summary['dragged_starts']['n'] else 'undragged'
    main = summary['dragged_starts' if subject == 'dragged' else 'all_starts']
    cards = _cards(results['starts'], strips)
    page = environment.get_template('page.html').render(
        results=results, timing=timing, measures=[asdict(measure) for measure in MEASURES],
        systems=SYSTEMS, titles=TITLES, summary=summary, main=main,
        subject=subject, verdict=words.verdict(main, subject),
        facts=words.facts(main, timing['latency_ms'], subject,
                          results['config']['window']['horizon_secs']),
        notes=words.notes(results), made=words.made(results, timing),
        worst=cards[:(len(cards) + 1) // 2], best=cards[:(len(cards) - 1) // 2:-1],
        growth=_growth_plots(main, results['frame_period_secs']),
        timelines=_timelines(results['starts'], {card['key'] for card in cards}),
        latencies=_latency_plot(timing['starts']))
    return page.encode()


def _cards(
    starts: Sequence[dict[str, Any]], strips: Sequence[tuple[str, bytes]]
) -> list[dict[str, Any]]:
    """What is shown of each start that has pictures, in the order of the pictures."""
    by_key = {start['key']: start for start in starts}
    cards = []
    for key, strip in strips:
        start = by_key[key]
        n_steps = len(start['scores'][start['shown']]['psnr_db'])
        columns = [('recorded', 0)]
        if start['shown'] == 'dragged':
            columns.append((TITLES['dragged'], 1))
        cards.append({
            **start, 'id': f'start-{key}', 'n_steps': n_steps,
            'copy_last_db': _mean(start['scores']['copy_last']['psnr_db']),
            'off_path_px': _mean(start['scores'][start['shown']]['objmc_px']),
            'columns': [*columns, (TITLES['undragged'], 2)],
            'strip': base64.b64encode(strip).decode()})
    return cards


def _growth_plots(group: dict[str, Any], period_secs: float) -> list[dict[str, Any]]:
    """A plot per measure that has values."""
    found = []
    for measure in MEASURES:
        curves = {system: measures[measure.name]['steps']
                  for system, measures in group['systems'].items() if measure.name in measures}
        if curves:
            svg = plots.growth_plot(curves, period_secs=period_secs, label=measure.title)
            found.append({**asdict(measure), 'svg': svg})
    return found


def _timelines(starts: Sequence[dict[str, Any]], shown: set[str]) -> list[dict[str, str]]:
    values = [start['psnr_db'] for start in starts if start['psnr_db'] is not None]
    y_range = min(values) - 1.0, max(values) + 1.0
    names = list(dict.fromkeys(start['footage'] for start in starts))
    found = []
    for name in names[:MOST_TIMELINES]:
        dots = [
            plots.Dot(x=start['start_secs'], y=start['psnr_db'], kind=start['shown'],
                      title=f'at {start["start_secs"]:g} s: {start["psnr_db"]:.1f} dB',
                      target=f'start-{start["key"]}' if start['key'] in shown else '')
            for start in starts if start['footage'] == name and start['psnr_db'] is not None]
        found.append({'name': name, 'svg': plots.timeline(dots, y_range=y_range, label=name)})
    return found


def _latency_plot(timings: Sequence[dict[str, Any]]) -> str:
    values = {
        system: [timing[system]['horizon_ms'] for timing in timings if system in timing]
        for system in ('undragged', 'dragged')}
    return plots.histogram({name: found for name, found in values.items() if found},
                           x_title='ms', label='latency of a whole prediction')


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _number(value: float | None, digits: int) -> str:
    if value is None or not np.isfinite(value):
        return '-'
    return f'{value:.{digits}f}'.replace('-', '\N{MINUS SIGN}')
