"""Small plots as SVG text, coloured by the page's style: a system's name is its class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

Estimates = Sequence[Mapping[str, Any]]     # {mean, low, high}, None where there is none


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A start on a timeline; target: the id of what is shown of it on the page, if anything."""

    x: float
    y: float
    kind: str
    title: str
    target: str = ''


@dataclass(frozen=True)
class Axes:
    """Where data lies in a plot of width x height units; the margins hold the numbers."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float = 340
    height: float = 190
    left: float = 40
    right: float = 10
    top: float = 10
    bottom: float = 28

    def x(self, value: float) -> float:
        low, high = self.x_range
        share = (value - low) / (high - low)
        return round(self.left + share * (self.width - self.left - self.right), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        share = (value - low) / (high - low)
        return round(self.height - self.bottom
                     - share * (self.height - self.top - self.bottom), 1)

    def svg(self, content: str, *, x_title: str, label: str) -> str:
        """The plot around its content; label is for those who cannot see it."""
        lines = [
            f'<line class="grid" x1="{self.left}" x2="{self.width - self.right}" '
            f'y1="{self.y(tick)}" y2="{self.y(tick)}"/>'
            f'<text class="tick" text-anchor="end" x="{self.left - 6}" y="{self.y(tick) + 3.5}">'
            f'{tick:g}</text>' for tick in ticks(*self.y_range)]
        lines += [
            f'<text class="tick" text-anchor="middle" x="{self.x(tick)}" '
            f'y="{self.height - self.bottom + 14}">{tick:g}</text>'
            for tick in ticks(*self.x_range, most=7)]
        lines.append(
            f'<text class="tick" text-anchor="end" x="{self.width - self.right}" '
            f'y="{self.height - 2}">{escape(x_title)}</text>')
        return (f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
                f'aria-label="{escape(label)}">{"".join(lines)}{content}</svg>')


def growth_plot(curves: Mapping[str, Estimates], *, period_secs: float, label: str) -> str:
    """A curve with its band for each system, a value per step of the horizon."""
    shown = [value for steps in curves.values() for step in steps
             for value in (step['mean'], step['low'], step['high']) if value is not None]
    n_steps = max(len(steps) for steps in curves.values())
    axes = Axes((0.0, n_steps * period_secs), _padded(shown))
    parts = []
    for system, steps in curves.items():
        known = [(axes.x((index + 1) * period_secs), step) for index, step in enumerate(steps)
                 if step['mean'] is not None]
        upper = [f'{x},{axes.y(step["high"])}' for x, step in known if step['high'] is not None]
        lower = [f'{x},{axes.y(step["low"])}' for x, step in known if step['low'] is not None]
        parts.append(f'<polygon class="band {system}" points="{" ".join(upper + lower[::-1])}"/>')
        line = ' '.join(f'{x},{axes.y(step["mean"])}' for x, step in known)
        parts.append(f'<polyline class="curve {system}" points="{line}"/>')
    return axes.svg(''.join(parts), x_title='s after the start', label=label)


def histogram(values: Mapping[str, Sequence[float]], *, x_title: str, label: str) -> str:
    """How often values fall where, for each kind of them; bars stand before one another."""
    everything = [value for found in values.values() for value in found]
    edges = np.linspace(0.0, max(everything) * 1.05, 31)
    counts = {name: np.histogram(found, edges)[0] for name, found in values.items()}
    most = max(int(found.max()) for found in counts.values())
    axes = Axes((0.0, float(edges[-1])), (0.0, most * 1.05), width=1060)
    bars = [
        f'<rect class="bar {name}" x="{axes.x(left)}" y="{axes.y(count)}" '
        f'width="{axes.x(right) - axes.x(left) - 1:.1f}" '
        f'height="{axes.y(0) - axes.y(count):.1f}"><title>{count}</title></rect>'
        for name, found in counts.items()
        for left, right, count in zip(edges[:-1], edges[1:], found) if count]
    return axes.svg(''.join(bars), x_title=x_title, label=label)


def timeline(dots: Sequence[Dot], *, y_range: tuple[float, float], label: str) -> str:
    """Every start of a recording: when, and how good; dots with a target lead there."""
    last = max(dot.x for dot in dots)
    axes = Axes((0.0, max(last * 1.02, 1.0)), y_range, width=1060, height=120)
    circles = []
    for dot in dots:
        circle = (f'<circle class="dot {dot.kind}" cx="{axes.x(dot.x)}" cy="{axes.y(dot.y)}" '
                  f'r="{6 if dot.target else 3.5}"><title>{escape(dot.title)}</title></circle>')
        circles.append(f'<a href="#{escape(dot.target)}">{circle}</a>' if dot.target else circle)
    return axes.svg(''.join(circles), x_title='s after the first picture', label=label)


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most so many."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step) + 1)]


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.5
    return (0.0 if 0 <= low < 0.3 * high else low - room), high + room
