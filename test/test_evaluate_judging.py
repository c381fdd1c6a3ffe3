"""Drags found in motion, how predictions are measured, and how many starts become one number."""

import cv2
import numpy as np
import pytest

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.evaluation.flow_warp import flow_warp_difference
from dragstream_ros.evaluation.footage import plots
from dragstream_ros.evaluation.footage.drag_files import read_drags
from dragstream_ros.evaluation.footage.errors import EvaluationError
from dragstream_ros.evaluation.footage.observed_drags import observe_drags
from dragstream_ros.evaluation.footage.score import MEASURES, Scorer
from dragstream_ros.evaluation.footage.summary import mean_with_interval, summarise
from dragstream_ros.evaluation.footage.thresholds import parse_threshold
from dragstream_ros.evaluation.footage.yardsticks import constant_flow, copy_last

PERIOD_SECS = 0.1
SIZE = (128, 96)
N_STEPS = 10


def texture(seed, size):
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 4, size[0] // 4, 3), np.uint8)
    return cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)


def film(*, steps_px=((2.0, 0.0),), count=N_STEPS + 1):
    """(count, H, W, 3): patches of 24 px on a calm table, each with its own step a picture."""
    frames = []
    for index in range(count):
        frame = texture(0, SIZE) // 8 + 100
        for number, step in enumerate(steps_px):
            left, top = np.rint((10 + index * step[0], 10 + 44 * number + index * step[1]))
            frame[int(top):int(top) + 24, int(left):int(left) + 24] = texture(1 + number, (24, 24))
        frames.append(frame)
    return np.stack(frames)


def test_what_moves_becomes_a_handle_and_its_track_the_path():
    frames = film()
    handle, = observe_drags(frames[0], list(frames[1:]), period_secs=PERIOD_SECS)
    assert (handle.path_px[0] >= 9).all() and (handle.path_px[0] <= 35).all()
    assert handle.path_px[-1] - handle.path_px[0] == pytest.approx([20.0, 0.0], abs=0.5)
    assert handle.times_secs == pytest.approx(np.arange(11) * PERIOD_SECS)


def test_two_things_become_two_handles_the_farthest_first():
    frames = film(steps_px=((1.0, 0.0), (3.0, 0.0)))
    first, second = observe_drags(frames[0], list(frames[1:]), period_secs=PERIOD_SECS)
    assert first.path_px[-1][0] - first.path_px[0][0] == pytest.approx(30.0, abs=0.5)
    assert second.path_px[-1][0] - second.path_px[0][0] == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize('steps_px', [((0.0, 0.0),), ((0.2, 0.1),)], ids=['still', 'trembling'])
def test_what_stays_is_not_dragged(steps_px):
    frames = film(steps_px=steps_px)
    assert observe_drags(frames[0], list(frames[1:]), period_secs=PERIOD_SECS) == ()


def test_nothing_is_found_in_a_blank_picture():
    blank = np.zeros((96, 128, 3), np.uint8)
    assert observe_drags(blank, [blank] * 5, period_secs=PERIOD_SECS) == ()


def test_a_missing_picture_leaves_a_gap_in_the_times_only():
    frames = film()
    future = [*frames[1:4], None, *frames[5:]]
    handle, = observe_drags(frames[0], future, period_secs=PERIOD_SECS)
    assert 0.4 not in np.round(handle.times_secs, 3)
    assert handle.path_px[-1] - handle.path_px[0] == pytest.approx([20.0, 0.0], abs=0.5)


@pytest.fixture
def scorer():
    frames = film()
    handle, = observe_drags(frames[0], list(frames[1:]), period_secs=PERIOD_SECS)
    return Scorer(frames[0], list(frames[1:]), handle.path_px[None])


def test_the_truth_is_on_its_path_and_alike(scorer):
    scores = scorer.score(film()[1:])
    assert max(scores['objmc_px']) < 0.5
    assert scores['response'][-1] == pytest.approx(1.0, abs=0.03)
    assert min(scores['psnr_db']) > 60 and min(scores['ssim']) > 0.999
    assert max(scores['lost']) == 0.0
    assert max(scores['background']) == 0.0 and max(scores['abs_difference']) == 0.0


def test_a_picture_that_is_held_goes_no_part_of_the_way(scorer):
    scores = scorer.score(copy_last(film()[0], N_STEPS))
    assert scores['objmc_px'] == pytest.approx(2.0 * np.arange(1, 11), abs=0.3)
    assert np.isnan(scores['response'][0])      # 2 px are too few to tell
    assert scores['response'][1:] == pytest.approx([0.0] * 9, abs=0.01)
    assert scores['moving_psnr_db'][-1] < scores['psnr_db'][-1]


def test_half_of_the_way_is_half(scorer):
    scores = scorer.score(film(steps_px=((1.0, 0.0),))[1:])
    assert scores['response'][-1] == pytest.approx(0.5, abs=0.03)


def test_a_point_that_has_gone_is_lost_and_counts_where_it_was_last_seen(scorer):
    blank = np.full_like(film()[1:], 100)
    scores = scorer.score(blank)
    assert scores['lost'] == [1.0] * N_STEPS
    assert scores['objmc_px'] == pytest.approx(2.0 * np.arange(1, 11), abs=0.3)


def test_a_background_that_brightens_is_counted_in_levels(scorer):
    scores = scorer.score(film()[1:] + np.uint8(5))
    assert scores['background'] == pytest.approx([5.0] * N_STEPS)


def test_where_no_picture_was_recorded_nothing_is_compared():
    frames = film()
    scorer = Scorer(frames[0], [None, *frames[2:]], np.zeros((0, N_STEPS + 1, 2)))
    scores = scorer.score(frames[1:])
    assert np.isnan(scores['psnr_db'][0]) and np.isfinite(scores['psnr_db'][1])
    assert np.isnan(scores['objmc_px']).all()


def test_a_video_that_goes_along_its_own_motion_does_not_flicker(scorer):
    held, moving = copy_last(film()[0], N_STEPS), film()[1:]
    flicker = moving + (np.arange(N_STEPS) % 2 * 10).astype(np.uint8)[:, None, None, None]
    held, moving, flicker = (
        np.mean(scorer.score(frames)['flow_warp']) for frames in (held, moving, flicker))
    assert held == 0.0
    assert moving < 2.0
    assert 8.0 < flicker - moving < 11.0


def test_where_nothing_can_be_followed_flicker_has_no_value():
    one, other = (np.random.default_rng(seed).integers(0, 255, (96, 128, 3), np.uint8)
                  for seed in (0, 1))
    assert flow_warp_difference(one, one) == 0.0
    assert np.isnan(flow_warp_difference(one, other)) or flow_warp_difference(one, other) > 30


def test_constant_flow_goes_on_as_before():
    frames = film(count=8)
    flowing = constant_flow(frames[2], frames[3], 4)
    held = copy_last(frames[3], 4)
    ahead = film(count=8)[4:8]

    def error(pictures):
        return np.abs(pictures.astype(float) - ahead).mean(axis=(1, 2, 3))

    assert (error(flowing) < 0.7 * error(held)).all()


def test_a_mean_has_an_interval_that_holds_the_truth_and_leaves_out_what_is_missing():
    values = np.random.default_rng(1).normal(3.0, 1.0, (200, 1))
    values[:50] = np.nan
    found, = mean_with_interval(values)
    assert found['n'] == 150
    assert found['low'] < 3.0 < found['high'] and found['high'] - found['low'] < 0.5
    few, none = mean_with_interval(np.array([[1.0, np.nan], [2.0, np.nan]]))
    assert few == {'n': 2, 'mean': 1.5, 'low': None, 'high': None}
    assert none == {'n': 0, 'mean': None, 'low': None, 'high': None}


def start(psnr_db, *, is_dragged):
    systems = {'undragged': psnr_db, 'copy_last': 20.0, 'constant_flow': 21.0, 'autoencoder': 30.0}
    if is_dragged:
        systems['dragged'] = psnr_db + 2.0
    return {'handles': [{}] * is_dragged, 'scores': {
        name: {'psnr_db': [value, value]} for name, value in systems.items()}}


def test_gains_are_paired_and_only_dragged_starts_count_for_them():
    summary = summarise([*(start(value, is_dragged=True) for value in (10.0, 20.0, 30.0)),
                         start(50.0, is_dragged=False)])
    assert (summary['all_starts']['n'], summary['dragged_starts']['n']) == (4, 3)
    gain = summary['dragged_starts']['gains']['undragged']['psnr_db']
    assert (gain['low'], gain['mean'], gain['high']) == (2.0, 2.0, 2.0)
    undragged = summary['all_starts']['systems']['undragged']['psnr_db']
    assert undragged['horizon']['mean'] == 27.5 and len(undragged['steps']) == 2


def test_a_bound_is_broken_by_what_is_worse_in_the_measures_own_sense():
    summary = summarise([start(20.0, is_dragged=True)] * 3)
    assert parse_threshold('psnr_db=22').complaint(summary) is None
    assert parse_threshold('psnr_db=22.5').complaint(summary) == (
        'dragged.psnr_db is 22, under 22.5.')
    assert 'no value' in (parse_threshold('undragged.ssim=0.5').complaint(summary) or '')
    far = {'dragged_starts': {'systems': {'dragged': {'objmc_px': {'horizon': {'mean': 4.0}}}}}}
    assert parse_threshold('objmc_px=3').complaint(far) == 'dragged.objmc_px is 4, over 3.'
    assert parse_threshold('objmc_px=5').complaint(far) is None


@pytest.mark.parametrize('text', ['psnr_db', 'psnr_db=', 'psnr_db=nan', 'sharpness=3',
                                  'nobody.psnr_db=3', '=3'])
def test_what_is_no_bound_is_refused(text):
    with pytest.raises(EvaluationError, match='must be like dragged.psnr_db=18'):
        parse_threshold(text)


def test_given_drags_of_one_moment_go_together_at_constant_speed(tmp_path):
    file = tmp_path / 'drags.yaml'
    file.write_text('- {at_secs: 2, path: [[0, 0], [30, 0], [30, 10]], duration_secs: 2}\n'
                    '- {at_secs: 2, path: [[5, 5]]}\n- {at_secs: 1, path: [[1, 1], [2, 2]]}\n')
    drags = read_drags(str(file))
    assert drags.at_secs == (1.0, 2.0)
    command = drags.command(2.0, Letterbox((64, 48), (128, 128)), stamp_ns=7, duration_secs=3.0)
    moving, staying = command.handles
    assert moving.times_secs.tolist() == [0.0, 1.5, 2.0]
    assert moving.path_px.tolist() == [[0.5, 16.5], [60.5, 16.5], [60.5, 36.5]]
    assert staying.path_px.tolist() == [[10.5, 26.5]]
    assert (command.stamp_ns, command.duration_secs) == (7, 3.0)


@pytest.mark.parametrize('low, high', [(0.0, 1.0), (-3.2, 0.1), (17.0, 17.4), (0.0, 12345.0)])
def test_axes_have_a_few_round_numbers(low, high):
    found = plots.ticks(low, high)
    assert 2 <= len(found) <= 6 and low <= found[0] and found[-1] <= high
    assert len({round(b - a, 9) for a, b in zip(found, found[1:])}) == 1


def test_plots_are_well_formed_pictures_of_what_they_are_given():
    from xml.etree import ElementTree
    estimates = [{'mean': 1.0, 'low': 0.5, 'high': 2.0}, {'mean': None, 'low': None, 'high': None},
                 {'mean': 3.0, 'low': 2.0, 'high': 4.0}]
    drawn = [
        plots.growth_plot({'dragged': estimates}, period_secs=0.1, label='a & b'),
        plots.histogram({'dragged': [1.0, 2.0, 2.0]}, x_title='ms', label='times'),
        plots.timeline([plots.Dot(x=1.0, y=20.0, kind='dragged', title='<1 s>', target='start-a')],
                       y_range=(10.0, 30.0), label='bag')]
    curves, bars, dots = map(ElementTree.fromstring, drawn)
    assert len(curves.find('polyline').get('points').split()) == 2
    assert [int(bar.find('title').text) for bar in bars.findall('rect')] == [1, 2]
    assert dots.find('a').get('href') == '#start-a'


def test_every_measure_has_a_name_that_people_understand():
    assert len({measure.title for measure in MEASURES}) == len(MEASURES)
    assert all(measure.meaning and measure.digits for measure in MEASURES)
