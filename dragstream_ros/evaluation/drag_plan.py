"""Drags that are decided beforehand: which path, on the image of which moment."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

DEFAULT_AT_SECS = 1.0  # by then the predictor has seen some frames


class DragPlanError(Exception):
    """A planned drag that cannot be read; the text is one sentence."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedDrag:
    """A drag on the first image that is at least at_secs after the first one.

    path_px: (N, 2) in pixels of the camera's images. duration_secs: for the whole path.
    """

    at_secs: float
    path_px: np.ndarray
    duration_secs: float = 1.0


def parse_drag(text: str) -> PlannedDrag:
    """Read 'X,Y,X,Y' or with more points, and '@SECS' after it; raises DragPlanError."""
    path, _, at = text.partition('@')
    numbers = path.split(',')
    points = list(zip(numbers[::2], numbers[1::2])) if len(numbers) % 2 == 0 else None
    return _planned({'at_secs': at or DEFAULT_AT_SECS, 'path': points}, repr(text))


def load_drags(path: pathlib.Path) -> list[PlannedDrag]:
    """Read a YAML list of {at_secs, path: [[x, y], ...], duration_secs}; raises DragPlanError."""
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DragPlanError(f'{path} cannot be read: {" ".join(str(error).split())}.') from error
    if not isinstance(entries, list):
        raise DragPlanError(f'{path} must be a list of drags, each with at_secs and path.')
    return [_planned(entry, f'{path}, drag {number}') for number, entry in enumerate(entries)]


def _planned(entry: Any, name: str) -> PlannedDrag:
    try:
        path_px = np.array(entry['path'], np.float64)
        at_secs = float(entry.get('at_secs', DEFAULT_AT_SECS))
        duration_secs = float(entry.get('duration_secs', 1.0))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DragPlanError(
            f'{name} is no drag; it needs points and a time, as in 320,240,400,240@2.0.') from None
    if path_px.ndim != 2 or path_px.shape[1] != 2 or not len(path_px):
        raise DragPlanError(f'{name} needs points of an x and a y.')
    if not np.isfinite([*path_px.ravel(), at_secs, duration_secs]).all():
        raise DragPlanError(f'{name} has a number that is not finite.')
    return PlannedDrag(at_secs=at_secs, path_px=path_px, duration_secs=duration_secs)
