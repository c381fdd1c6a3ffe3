"""The parameters: one YAML file is declaration, check and documentation."""

from __future__ import annotations

import dataclasses
import math
import pathlib

import pytest
import yaml

from dragstream_ros.nodes.parameters import Parameters, Spec, documentation, refusal, specs

REPOSITORY = pathlib.Path(__file__).parents[1]


def test_every_parameter_is_a_field_and_every_field_a_parameter():
    assert list(specs()) == [field.name for field in dataclasses.fields(Parameters)]


def test_every_parameter_is_described_and_its_default_is_allowed():
    for spec in specs().values():
        assert spec.description.endswith('.'), spec.name
        assert spec.trouble(spec.default) == ''
        assert spec.limits or not isinstance(spec.default, float), f'{spec.name} needs a range'


def test_the_documentation_is_up_to_date():
    assert (REPOSITORY / 'docs' / 'parameters.md').read_text() == documentation(), (
        'run python3 -m dragstream_ros.nodes.parameters > docs/parameters.md')


def test_the_example_configuration_holds_allowed_values():
    entries = yaml.safe_load((REPOSITORY / 'config' / 'predictor.yaml').read_text())
    values = entries['/**/predictor']['ros__parameters']
    assert refusal(values, is_configured=False) == ''
    for name, value in values.items():
        assert type(value) is type(specs()[name].default), name


@pytest.mark.parametrize(('value', 'word'), [
    (math.nan, 'finite'), (math.inf, 'finite'), (0.05, '0.1 to 2'), (2.1, '0.1 to 2'), (1.0, '')])
def test_a_number_outside_its_range_is_refused(value, word):
    spec = Spec(name='x', default=1.0, description='', limits=(0.1, 2.0))
    assert word in spec.trouble(value) and bool(word) == bool(spec.trouble(value))


def test_a_word_that_is_no_choice_is_refused_with_the_choices():
    spec = Spec(name='x', default='a', description='', choices=('a', 'b'))
    assert spec.trouble('b') == '' and 'a, b' in spec.trouble('c')


def test_only_live_parameters_can_be_changed_while_configured():
    assert refusal({'horizon_secs': 2.0}, is_configured=True) == ''
    assert 'unconfigured' in refusal({'image_transport': 'raw'}, is_configured=True)
    assert refusal({'image_transport': 'raw'}, is_configured=False) == ''


def test_parameters_of_others_are_left_alone():
    assert refusal({'use_sim_time': True}, is_configured=True) == ''
    values = Parameters(**{name: spec.default for name, spec in specs().items()})
    assert values.changed({'use_sim_time': True, 'seed': 3}).seed == 3
