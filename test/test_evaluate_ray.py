"""``dragstream evaluate --engine ray`` on a real cluster of two workers, one of which is lost."""

import time

import pytest
from bag_maker import write_bag
from command_line import finish, start

DONE, FAILED = 0, 1


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp('footage') / 'bag', secs=6.0)


@pytest.fixture(scope='module')
def evaluate(bag, tmp_path_factory):
    """Give evaluate(words): results.json's bytes of a run in a folder of its own."""
    def evaluate(*words, meanwhile=lambda output: None):
        output = tmp_path_factory.mktemp('evaluate') / 'result'
        running = start('evaluate', bag, '--horizon', 1, '--output', output, *words)
        meanwhile(output)
        status, _, complaints = finish(running)
        assert status == DONE, complaints
        return (output / 'results.json').read_bytes()

    return evaluate


@pytest.fixture
def cluster(monkeypatch):
    """A head that does no work, and two workers with a processor each."""
    pytest.importorskip('ray', reason='Ray is an optional extra')
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True,
                      head_node_args={'num_cpus': 0, 'include_dashboard': False})
    cluster.workers = [cluster.add_node(num_cpus=1) for _ in range(2)]
    monkeypatch.setenv('RAY_ADDRESS', cluster.address)
    yield cluster
    cluster.shutdown()


@pytest.mark.alone
def test_a_cluster_gives_the_numbers_of_one_computer_also_when_a_worker_is_lost(cluster, evaluate):
    def lose_a_worker(output):
        deadline = time.monotonic() + 90
        while not list(output.glob('cases/*')) and time.monotonic() < deadline:
            time.sleep(0.1)
        cluster.remove_node(cluster.workers[0], allow_graceful=False)

    spread = evaluate('--engine', 'ray', meanwhile=lose_a_worker)
    assert spread == evaluate('--jobs', 1)


def test_no_cluster_is_one_sentence(bag, tmp_path, monkeypatch):
    pytest.importorskip('ray', reason='Ray is an optional extra')
    monkeypatch.setenv('RAY_ADDRESS', '127.0.0.1:1')
    status, _, complaints = finish(start(
        'evaluate', bag, '--engine', 'ray', '--output', tmp_path / 'result'))
    assert status == FAILED and 'ray start --head' in complaints
