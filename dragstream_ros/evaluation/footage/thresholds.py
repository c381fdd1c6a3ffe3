"""Bounds that an evaluation must keep, for a robot team's CI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dragstream_ros.evaluation.footage.errors import EvaluationError
from dragstream_ros.evaluation.footage.score import MEASURES
from dragstream_ros.evaluation.footage.summary import SYSTEMS


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The mean of a measure of a system must not be worse than value."""

    system: str
    measure: str
    value: float

    def complaint(self, summary: dict[str, Any]) -> str | None:
        """What is wrong, in a sentence, or None. Looks where something was dragged, if anything."""
        group = summary['dragged_starts' if self.system == 'dragged' else 'all_starts']
        found = group.get('systems', {}).get(self.system, {}).get(self.measure)
        name = f'{self.system}.{self.measure}'
        if found is None:
            return f'{name} has no value here: nothing of the kind was measured.'
        mean, better = found['horizon']['mean'], _measures()[self.measure].higher_is_better
        if mean < self.value if better else mean > self.value:
            return f'{name} is {mean:g}, {"under" if better else "over"} {self.value:g}.'
        return None


def parse_threshold(text: str) -> Threshold:
    """Read 'SYSTEM.MEASURE=VALUE', or without SYSTEM of 'dragged'; raises EvaluationError."""
    name, equals, value = text.partition('=')
    system, dot, measure = name.rpartition('.')
    system = system or 'dragged'
    try:
        number = float(value)
    except ValueError:
        number = float('nan')
    if not equals or number != number or system not in SYSTEMS or measure not in _measures():
        raise EvaluationError(
            f'{text!r} is no bound: it must be like dragged.psnr_db=18, with one of '
            f'{", ".join(SYSTEMS)} and one of {", ".join(_measures())}.')
    return Threshold(system=system, measure=measure, value=number)


def _measures() -> dict[str, Any]:
    return {measure.name: measure for measure in MEASURES}
