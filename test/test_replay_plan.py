"""Drags that are decided before a replay: on the command line, or in a file."""

import math

import numpy as np
import pytest

from dragstream_ros.evaluation.drag_plan import DragPlanError, load_drags, parse_drag


def test_a_drag_on_the_command_line_is_points_and_a_time():
    drag = parse_drag('320,240,400,240,400,300@2.5')
    assert drag.at_secs == 2.5 and drag.duration_secs == 1.0
    assert drag.path_px == pytest.approx(np.array([(320, 240), (400, 240), (400, 300)]))
    assert parse_drag('320,240,400,240').at_secs == 1.0


@pytest.mark.parametrize('text', ['', '@2.0', '320', '320,240,400', 'a,b', '1,2,3,4@soon'])
def test_what_is_no_drag_is_refused_in_one_sentence(text):
    with pytest.raises(DragPlanError) as caught:
        parse_drag(text)
    assert str(caught.value).endswith('.')


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(DragPlanError, match='not finite'):
        parse_drag(f'{math.nan},2,3,4')


def test_drags_in_a_file_may_have_a_duration(tmp_path):
    path = tmp_path / 'drags.yaml'
    path.write_text(
        '- {at_secs: 1, path: [[10, 20], [30, 20]], duration_secs: 0.5}\n'
        '- {at_secs: 4, path: [[1, 2], [3, 4]]}\n')
    first, second = load_drags(path)
    assert (first.at_secs, first.duration_secs) == (1.0, 0.5)
    assert (second.at_secs, second.duration_secs) == (4.0, 1.0)
    assert second.path_px == pytest.approx(np.array([(1, 2), (3, 4)]))


@pytest.mark.parametrize('text, complaint', [
    ('{at_secs: 1}', 'must be a list'),
    ('- {at_secs: 1}', 'drag 0 is no drag'),
    ('- {path: []}', 'points of an x and a y'),
    ('- 3', 'drag 0 is no drag'),
    ('- {at_secs: 1, path: [[1, 2, 3]]}', 'points of an x and a y'),
    ('- {at_secs: [', 'cannot be read'),
])
def test_a_file_without_drags_is_refused_in_one_sentence(tmp_path, text, complaint):
    path = tmp_path / 'drags.yaml'
    path.write_text(text)
    with pytest.raises(DragPlanError, match=complaint) as caught:
        load_drags(path)
    assert '\n' not in str(caught.value)
    with pytest.raises(DragPlanError, match='cannot be read'):
        load_drags(tmp_path / 'nowhere.yaml')
