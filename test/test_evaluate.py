"""``dragstream evaluate`` as a user runs it, with the bundled world model on small bags."""

import json
import multiprocessing
import shutil
import signal
import time

import pytest
from bag_maker import write_bag
from command_line import finish, start
from evaluate_here import CrewHere
from recording_maker import drag

from dragstream_ros import cli
from dragstream_ros.evaluation.footage import evaluate

DONE, FAILED, WORSE, INCOMPLETE, STOPPED = 0, 1, 3, 4, 130


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp('footage') / 'bag', secs=5.0)


@pytest.fixture(scope='module')
def evaluated(bag, tmp_path_factory):
    """What one run over the bag has left."""
    output = tmp_path_factory.mktemp('evaluate') / 'result'
    status, out, complaints = finish(
        start('evaluate', bag, '--horizon', 1, '--jobs', 2, '--output', output))
    assert status == DONE, complaints
    assert '3 starts judged' in out
    return output


def read(output, name='results.json'):
    return json.loads((output / name).read_text())


def test_a_bag_becomes_numbers(evaluated):
    results = read(evaluated)
    assert [start['start_secs'] for start in results['starts']] == pytest.approx([1, 2, 3])
    assert all(start['shown'] == 'dragged' for start in results['starts'])
    systems = results['summary']['dragged_starts']['systems']
    assert set(systems) == {'dragged', 'undragged', 'constant_flow', 'copy_last', 'autoencoder'}
    for name, measures in systems.items():
        wanted = {'psnr_db', 'moving_psnr_db', 'ssim', 'abs_difference', 'objmc_px', 'response',
                  'lost', 'background', 'flow_warp'} | ({'drift'} if 'dragged' in name else set())
        assert set(measures) == wanted
        assert all(len(measure['steps']) == 10 for measure in measures.values())
    assert results['config']['window']['horizon_secs'] == 1.0
    assert systems['copy_last']['flow_warp']['horizon']['mean'] == 0.0
    assert len(results['weights_sha256']) == len(results['footage']['bag']['sha256']) == 64


def test_what_is_dragged_goes_where_it_truly_went(evaluated):
    """The square of the bag goes 12.8 px a second, in pictures of 128 px."""
    systems = read(evaluated)['summary']['dragged_starts']['systems']
    off_path_px = {name: found['objmc_px']['horizon']['mean'] for name, found in systems.items()}
    assert off_path_px['autoencoder'] < 2.0
    assert off_path_px['dragged'] < off_path_px['copy_last']
    assert systems['dragged']['response']['horizon']['mean'] > 0.5


def test_times_are_kept_apart_with_machine_and_date(evaluated):
    timing = read(evaluated, 'timing.json')
    assert timing['latency_ms']['dragged_horizon_ms']['p95'] > 0
    assert len(timing['starts']) == 3 and timing['machine']['cores'] and timing['date']
    assert '_ms' not in (evaluated / 'results.json').read_text()


def test_scores_are_a_table_for_data_stores_too(evaluated):
    parquet = pytest.importorskip('pyarrow.parquet')
    rows = parquet.read_table(evaluated / 'starts.parquet').to_pylist()
    starts = read(evaluated)['starts']
    assert len(rows) == 3 * 5 * 10     # starts, systems, steps
    row = next(row for row in rows if row['system'] == 'dragged' and row['start'] == 'bag.00001'
               and row['horizon_secs'] == pytest.approx(0.3))
    assert row['footage'] == 'bag' and row['is_dragged'] and row['start_secs'] == 2.0
    assert row['psnr_db'] == pytest.approx(starts[1]['scores']['dragged']['psnr_db'][2])
    assert {row['drift'] for row in rows if row['system'] == 'copy_last'} == {None}


@pytest.fixture
def run(monkeypatch, capsys):
    """Give run(words): status and complaints."""
    monkeypatch.setattr(evaluate, 'Crew', CrewHere)

    def run(*words):
        status = cli.main(['evaluate', *map(str, words)])
        return status, capsys.readouterr().err

    return run


def test_stopped_and_resumed_with_other_jobs_it_ends_in_the_same_bytes(
        bag, evaluated, run, tmp_path):
    words = ('evaluate', bag, '--horizon', 1, '--jobs', 1, '--output', tmp_path / 'result')
    process = start(*words)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob('result/cases/bag.*.json')) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    status, _, complaints = finish(process)
    assert (status, complaints) == (
        STOPPED, 'dragstream evaluate: stopped; what is done is kept, --resume goes on.\n')
    assert 1 <= len(list(tmp_path.glob('result/cases/bag.*.json'))) < 3
    assert not (tmp_path / 'result' / 'results.json').exists()

    assert run(*words[1:], '--resume') == (DONE, '')
    assert (tmp_path / 'result' / 'results.json').read_bytes() == (
        evaluated / 'results.json').read_bytes()


def test_a_folder_with_results_is_not_written_over(bag, evaluated, run):
    before = (evaluated / 'results.json').read_bytes()
    status, complaints = run(bag, '--horizon', 1, '--output', evaluated)
    assert status == FAILED and 'holds results already' in complaints
    status, complaints = run(bag, '--horizon', 2, '--output', evaluated, '--resume')
    assert status == FAILED and 'made from other footage, weights or settings' in complaints
    assert (evaluated / 'results.json').read_bytes() == before


def test_a_broken_bound_and_footage_that_cannot_be_read_show_in_the_status(
        bag, evaluated, run, tmp_path):
    again = ('--horizon', 1, '--output', evaluated, '--resume')
    (tmp_path / 'notes.txt').write_text('not a bag')
    status, complaints = run(bag, tmp_path / 'notes.txt', *again)
    assert status == INCOMPLETE and 'is neither a bag nor a video' in complaints
    status, complaints = run(bag, *again, '--fail-under', 'psnr_db=5', '--fail-under', 'ssim=1.1')
    assert status == WORSE and 'dragged.ssim is' in complaints and 'under 1.1' in complaints
    assert 'psnr_db' not in complaints


@pytest.mark.parametrize('words, sentence', [
    (('nothing',), 'There is no nothing'),
    (('BAG', '--fail-under', 'beauty=1'), 'is no bound'),
    (('BAG', '--drags', 'nothing.yaml'), 'cannot be read'),
    (('BAG', '--horizon', '9'), 'has no 10 s of pictures in a row'),
    (('BAG', '--horizon', '-1'), 'must be positive'),
])
def test_what_cannot_be_done_is_said_in_one_sentence(words, sentence, bag, run, tmp_path):
    status, complaints = run(*(bag if word == 'BAG' else word for word in words),
                             '--output', tmp_path / 'result')
    assert status == FAILED and sentence in complaints


def test_an_unknown_world_model_is_said_by_the_process_that_wants_it(bag, tmp_path, capsys):
    status = cli.main(['evaluate', str(bag), '--world-model', 'other', '--jobs', '1',
                       '--output', str(tmp_path / 'result')])
    assert status == FAILED and 'There is no world model called' in capsys.readouterr().err


def test_a_process_that_dies_is_said_and_all_others_end(bag, tmp_path, capsys):
    status = cli.main(['evaluate', str(bag), '--world-model', 'evaluate_here:die', '--jobs', '1',
                       '--output', str(tmp_path / 'result')])
    assert status == FAILED and 'has died' in capsys.readouterr().err
    assert multiprocessing.active_children() == []


def test_half_written_verdicts_are_made_anew(bag, evaluated, run, tmp_path):
    output = tmp_path / 'result'
    shutil.copytree(evaluated, output)
    first, *_ = sorted((output / 'cases').glob('bag.*.json'))
    first.rename(first.with_suffix('.part77.json'))
    (output / 'results.json').unlink()
    assert run(bag, '--horizon', 1, '--output', output, '--resume') == (DONE, '')
    assert (output / 'results.json').read_bytes() == (evaluated / 'results.json').read_bytes()


def test_drags_can_be_given_and_say_where_starts_are(bag, run, tmp_path):
    drags = tmp_path / 'drags.yaml'
    drags.write_text('[{at_secs: 2.5, path: [[20, 26], [40, 26]]}, {at_secs: 3, path: [[99, 1]]}]')
    status, complaints = run(
        bag, '--drags', drags, '--horizon', 1, '--output', tmp_path / 'result')
    assert status == INCOMPLETE, complaints     # the second begins outside of the picture
    only, = read(tmp_path / 'result')['starts']
    assert only['start_secs'] == pytest.approx(2.5)
    # 20 of 64 px become 40 of 128.
    assert only['handles'][0]['asked_px'][-1] == pytest.approx([80.5, 52.5])
    problem, = read(tmp_path / 'result')['footage']['bag']['problems']
    assert problem.startswith('A drag was left out: ')


def test_drags_that_were_recorded_are_made_again(run, tmp_path):
    recorded = [
        drag('one', 3.0, (10, 24), (20, 24)), drag('one', 3.0, (10, 24), (30, 24), phase=1),
        drag('one', 3.0, phase=2), drag('taken back', 4.0, (5, 5), (9, 9)),
        drag('taken back', 4.0, phase=3), drag('outside', 4.0, (99, 9)),
        drag('of a clock that is 40 s ahead', 43.0, (10, 24), (30, 24))]
    bag = write_bag(tmp_path / 'bag', secs=5.0, drags=recorded)
    status, complaints = run(
        bag, '--drags', 'recorded', '--horizon', 1, '--output', tmp_path / 'result')
    assert status == INCOMPLETE, complaints
    results = read(tmp_path / 'result')
    only, = results['starts']
    assert only['start_secs'] == pytest.approx(2.0)     # the first image is of 1.0 s
    asked_px = only['handles'][0]['asked_px']
    assert asked_px[-1][0] - asked_px[0][0] == pytest.approx(40.0)
    footage = results['footage']['bag']
    assert 'A recorded drag was left out' in footage['problems'][0]
    assert any('1 of 2 drags were left out' in note for note in footage['notes'])


def test_drags_of_another_clock_are_told(run, tmp_path):
    bag = write_bag(tmp_path / 'bag', secs=5.0, drags=[drag('one', 0.0, (10, 24), (20, 24))])
    status, complaints = run(bag, '--drags', 'recorded', '--output', tmp_path / 'result')
    assert status == FAILED and "is 1.0 s before the first image's" in complaints


def test_where_no_drags_were_recorded_that_is_said(bag, run, tmp_path):
    status, complaints = run(bag, '--drags', 'recorded', '--output', tmp_path / 'result')
    assert status == FAILED and 'bag holds no drags' in complaints
