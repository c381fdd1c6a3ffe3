"""Plots of the drag benchmark as SVG files: what iterations give and cost, and how streams wear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from dragstream_ros.evaluation.footage.plots import Axes

COLOURS = ('#b05010', '#146eb4', '#3c8c50', '#8c50a0', '#707478')
PANEL_WIDTH, PANEL_HEIGHT, TITLE_HEIGHT = 340, 190, 40
STYLE = """
text { font: 11px sans-serif; fill: #22262b }
.title { font-weight: bold }
.tick { fill: #70767d }
.grid { stroke: #dadbd6 }
.curve { fill: none; stroke-width: 2 }
"""

Curve = Sequence[tuple[float, float]]       # points (x, y)
Panel = tuple[str, str]                     # what is plotted, and the SVG


def write_plots(folder: Path, part: str, result: dict[str, Any]) -> None:
    """Write those of a part of the benchmark, if it has any."""
    for name, plot in PLOTS.get(part, {}).items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(plot(result))


def drift_plot(result: dict[str, Any]) -> str:
    """Sharpness, objects kept and Frechet distance against the chunk, a curve for each system."""
    systems = result['drift']
    return _sheet(list(systems), [
        (title, _panel([
            [(look['chunk'], look[key]) for look in looks if look[key] is not None]
            for looks in systems.values()], x_title='chunk', label=title))
        for title, key in (('sharpness', 'sharpness'), ('objects kept, share', 'objects_kept'),
                           ('Frechet-VAE', 'frechet'))])


def rate_plot(result: dict[str, Any]) -> str:
    """End-point error and ObjMC against iterations and seconds, each profile at its best rate."""
    undragged, *rows = result['rows']
    best = result['best']
    shown = {name: [undragged, *(row for row in rows if row['profile'] == name
                                 and row['rate'] == best[name]['rate'])] for name in best}

    def panel(x: str, y: Callable[[dict[str, Any]], float | None], x_title: str) -> str:
        curves = [
            [(row[x], value) for row in found if (value := y(row)) is not None]
            for found in shown.values()]
        return _panel(curves, x_title=x_title, label=x_title)

    def objmc(row: dict[str, Any]) -> float | None:
        return None if row['objmc_px'] is None else float(row['objmc_px']['value'])

    return _sheet([f'{name}, rate {row["rate"]:g}' for name, row in best.items()], [
        (f'{title} against {against}', panel(x, y, unit))
        for title, y in (('end-point error, px,', lambda row: row['error_px']),
                         ('ObjMC, px,', objmc))
        for x, against, unit in (('iterations', 'iterations', 'iterations per segment'),
                                 ('secs', 'time', 's per predicted s'))])


def _panel(curves: Sequence[Curve], *, x_title: str, label: str) -> str:
    points = [point for curve in curves for point in curve]
    x_most, y_most = (max(values) or 1.0 for values in zip(*points))
    axes = Axes((0.0, 1.05 * x_most), (0.0, 1.08 * y_most), width=PANEL_WIDTH,
                height=PANEL_HEIGHT)
    lines = []
    for colour, curve in zip(COLOURS, curves):
        at = [(axes.x(x), axes.y(y)) for x, y in sorted(curve)]
        way = ' '.join(f'{x},{y}' for x, y in at)
        lines.append(f'<polyline class="curve" stroke="{colour}" points="{way}"/>')
        lines += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in at]
    return axes.svg(''.join(lines), x_title=x_title, label=label)


def _sheet(names: Sequence[str], panels: Sequence[Panel], *, across: int = 2) -> str:
    """All panels on white, under the names of the curves."""
    width = across * PANEL_WIDTH
    rows = -(-len(panels) // across)
    height = TITLE_HEIGHT + rows * (PANEL_HEIGHT + TITLE_HEIGHT)
    parts = []
    for number, (colour, name) in enumerate(zip(COLOURS, names)):
        x = 20 + number * (width - 20) / len(names)
        parts.append(f'<rect x="{x:.0f}" y="14" width="14" height="4" fill="{colour}"/>'
                     f'<text x="{x + 20:.0f}" y="20">{escape(name)}</text>')
    for number, (title, svg) in enumerate(panels):
        x = number % across * PANEL_WIDTH
        y = TITLE_HEIGHT + number // across * (PANEL_HEIGHT + TITLE_HEIGHT)
        place = f'<svg x="{x}" y="{y + 22}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}"'
        parts.append(f'<text class="title" x="{x + 20}" y="{y + 14}">{escape(title)}</text>'
                     + svg.replace('<svg', place, 1))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
            f'<style>{STYLE}</style><rect width="{width}" height="{height}" fill="white"/>'
            f'{"".join(parts)}</svg>\n')


PLOTS: Mapping[str, Mapping[str, Callable[[dict[str, Any]], str]]] = {
    'drags': {'drift.svg': drift_plot}, 'rates': {'rates.svg': rate_plot}}
