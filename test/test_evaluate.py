"""``dragstream evaluate`` as a user runs it, with the bundled world model on small bags."""

import json

import pytest
from bag_maker import write_bag
from command_line import finish, start


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp('evaluate')
    bag = write_bag(folder / 'bag', secs=5.0)
    done = finish(start('evaluate', bag, '--horizon', 1, '--output', folder / 'result'))
    return folder, done


def test_a_bag_becomes_numbers_and_a_report(evaluated):
    folder, (status, out, complaints) = evaluated
    assert status == 0, complaints
    assert 'starts judged' in out
    results = json.loads((folder / 'result' / 'results.json').read_text())
    assert [start['start_secs'] for start in results['starts']] == pytest.approx([1.0, 2.0, 3.0])
    assert set(results['summary']['all_starts']['systems']) == {
        'undragged', 'constant_flow', 'copy_last', 'autoencoder'}
    assert (folder / 'result' / 'report.html').stat().st_size > 1000
