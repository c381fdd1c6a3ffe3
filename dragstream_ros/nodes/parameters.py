"""The predictor's parameters: declared, checked and documented from predictor_parameters.yaml."""

from __future__ import annotations

import math
import pathlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import yaml

from dragstream_ros.worker.protocol import StreamSettings

YAML = pathlib.Path(__file__).with_name('predictor_parameters.yaml')


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The values in force; every field is described in predictor_parameters.yaml."""

    autostart: bool
    world_model: str
    weights_folder: str
    memory_budget_gb: float
    keep_up: bool
    min_speed: float
    worker_silent_secs: float
    image_transport: Literal['raw', 'compressed']
    image_reliability: Literal['as_offered', 'reliable', 'best_effort']
    image_timeout_secs: float
    mode: Literal['anchored', 'free_running']
    control: Literal['conditioned', 'guidance']
    replay: Literal['preview', 'follow']
    profile: Literal['fast', 'code', 'paper']
    anchor_rate_hz: float
    horizon_secs: float
    seed: int
    planning_share: float
    drag_timeout_secs: float
    jpeg_quality: int
    preview_scale: int

    @property
    def stream_settings(self) -> StreamSettings:
        """What the worker needs to know."""
        return StreamSettings(
            mode=self.mode, control=self.control, replay=self.replay, profile=self.profile,
            anchor_rate_hz=self.anchor_rate_hz, horizon_secs=self.horizon_secs, seed=self.seed,
        )

    def changed(self, values: Mapping[str, Any]) -> Parameters:
        """The same with other values; what is none of ours is left alone."""
        return replace(self, **{name: values[name] for name in values if name in specs()})


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One entry of the YAML file; limits are inclusive."""

    name: str
    default: bool | int | float | str
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    is_live: bool = False

    @property
    def type_name(self) -> str:
        """As in ROS's documentation."""
        return {bool: 'bool', int: 'int', float: 'double', str: 'string'}[type(self.default)]

    @property
    def allowed(self) -> str:
        """The choices or the range, for people; empty: anything of the type."""
        if self.limits:
            return f'{self.limits[0]:g} to {self.limits[1]:g}'
        return ', '.join(self.choices)

    def trouble(self, value: object) -> str:
        """What is wrong with a value, as one sentence; empty: nothing."""
        is_number = isinstance(value, float | int)
        if isinstance(value, float) and not math.isfinite(value):
            return f'{self.name} must be a finite number.'
        if self.limits and is_number and not self.limits[0] <= value <= self.limits[1]:  # type: ignore[operator]
            return f'{self.name} must be {self.allowed}, not {value:g}.'
        if self.choices and value not in self.choices:
            return f'{self.name} must be one of {self.allowed}, not {value!r}.'
        return ''


@cache
def specs() -> dict[str, Spec]:
    """All parameters by name, in the order of the file."""
    with YAML.open() as file:
        entries = yaml.safe_load(file)
    return {
        name: Spec(
            name=name,
            default=entry['default'],
            description=entry['description'],
            limits=tuple(entry['range']) if 'range' in entry else None,
            choices=tuple(entry.get('choices', ())),
            is_live=entry.get('live', False),
        )
        for name, entry in entries.items()
    }


def declare_parameters(node: Any) -> Parameters:
    """Declare all parameters on an rclpy node, with range and description; returns their values.

    :raises rclpy.exceptions.InvalidParameterValueException: a value given at start is not allowed
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
    from rclpy.exceptions import InvalidParameterValueException

    values = {}
    for spec in specs().values():
        descriptor = ParameterDescriptor(
            description=spec.description, additional_constraints=spec.allowed)
        if spec.limits and isinstance(spec.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=spec.limits[0], to_value=spec.limits[1])]
        elif spec.limits:
            low, high = map(int, spec.limits)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        values[spec.name] = node.declare_parameter(spec.name, spec.default, descriptor).value
        if trouble := spec.trouble(values[spec.name]):
            raise InvalidParameterValueException(spec.name, values[spec.name], trouble)
    return Parameters(**values)


def refusal(changes: Mapping[str, object], *, is_configured: bool) -> str:
    """Why these changes cannot be made, as one sentence; empty: they can."""
    for name, value in changes.items():
        spec = specs().get(name)
        if spec is None:
            continue
        if trouble := spec.trouble(value):
            return trouble
        if is_configured and not spec.is_live:
            return f'{name} can be changed only while the node is unconfigured; clean it up first.'
    return ''


def documentation() -> str:
    """The text of docs/parameters.md."""
    lines = [
        '# Parameters of the predictor',
        '',
        'Made from `dragstream_ros/nodes/predictor_parameters.yaml` by',
        '`python3 -m dragstream_ros.nodes.parameters > docs/parameters.md`; change it there.',
        '',
        'A *live* parameter can be changed at any time, all others only while the node is',
        'unconfigured. Changing how the stream predicts (`mode` to `seed`) starts the prediction',
        'over. The QoS of every output can be overridden: `qos_overrides.<topic>.publisher.depth`,',
        '`.history` and `.reliability`.',
    ]
    for spec in specs().values():
        default = f'`{spec.default}`' if spec.default != '' else 'empty'
        facts = [spec.type_name, f'default {default}']
        if spec.allowed:
            facts.append(spec.allowed)
        if spec.is_live:
            facts.append('live')
        lines += ['', f'## {spec.name}', '', '; '.join(facts) + '.', '', spec.description]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.stdout.write(documentation())
