"""``dragstream bench gpu``: rehearsed without a GPU, complete, and never mistaken for one."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from command_line import finish, start

pytest.importorskip('diffusers')
from dragstream_ros.evaluation import gpu_benchmark  # noqa: E402
from dragstream_ros.evaluation.gpu_benchmark import REHEARSAL, _derived  # noqa: E402
from dragstream_ros.evaluation.gpu_model import RandomWan  # noqa: E402
from dragstream_ros.evaluation.gpu_parts import (  # noqa: E402
    AutoencoderTimes,
    NaiveWan,
    TransformerTimes,
    camera_frame,
    full_context,
)
from dragstream_ros.evaluation.gpu_table import describe  # noqa: E402
from dragstream_ros.world_models.wan.config import WanConfig  # noqa: E402

SMALL = WanConfig(image_size=(48, 32), window=9, taps=(0,), decoder='tiny')


@pytest.fixture(scope='module')
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The report and the table of one run from the command line."""
    path = tmp_path_factory.mktemp('gpu') / 'gpu.json'
    status, out, complaints = finish(start('bench', 'gpu', '--quick', '--output', path))
    assert status == 0, complaints
    table = path.with_suffix('.md').read_text()
    assert table.strip() in out
    return json.loads(path.read_text()), table


@pytest.fixture(scope='module')
def parts() -> RandomWan:
    torch.set_num_threads(1)
    return RandomWan.of(REHEARSAL.architecture, torch.device('cpu'), torch.float32)


def numbers(rows: list[dict[str, Any]]) -> list[float]:
    return [value for row in rows for value in row.values() if isinstance(value, float)]


@pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU it is no rehearsal')
def test_a_rehearsal_measures_every_part_and_derives_the_rest(
        rehearsed: tuple[dict[str, Any], str]) -> None:
    report, _ = rehearsed
    assert report['rehearsal'] and report['device']['kind'] == 'cpu'
    assert report['date'] and 'commit' in report['code'] and report['device']['torch']
    assert len(report['sizes']) == len(report['parts']) == 2
    for part in report['parts']:
        assert set(part['iterations']) == {'fast', 'code', 'naive'}
        assert {'denoise', 'commit', 'commit_latent', 'guide', 'denoise_share'} <= set(part)
    assert all(value > 0 for value in numbers(report['sizes']) + numbers(report['grid']))
    ways = [(row['way'], row['how']) for row in report['grid']]
    assert ways == [('free-running', 'measured'), ('anchored', 'derived'), ('guided', 'measured'),
                    ('free-running', 'derived'), ('anchored', 'derived'), ('guided', 'measured')]
    dragged = [row['drag_secs'] for row in report['grid'] if row.get('drag_secs')]
    assert len(dragged) == 2 and all(secs['p50'] <= secs['p95'] for secs in dragged)


@pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU it is no rehearsal')
def test_no_time_of_a_rehearsal_is_shown(rehearsed: tuple[dict[str, Any], str]) -> None:
    report, table = rehearsed
    assert table.startswith('**A rehearsal without a GPU**')
    cells = re.findall(r'(?<=\| )[^|]+(?= \|)', table.split('\n', 1)[1])
    assert not [cell for cell in cells if re.search(r'\d\.\d|\d %|\d+%', cell)]
    gpu = copy.deepcopy(report)
    gpu['rehearsal'] = False
    gpu['device'].update(name='NVIDIA H200', memory_gb=139.0, driver='570.1', cuda='12.8')
    shown = describe(gpu)
    assert shown.startswith('NVIDIA H200, 139 GB, driver 570.1')
    assert 'ran' not in re.findall(r'\w+', shown.split('\n', 1)[1])


def test_what_is_derived_adds_up() -> None:
    times = TransformerTimes(denoise=0.06, commit=0.05, commit_latent=0.02, guide=0.4,
                             iterations={})
    free, anchored, guided = _derived(
        SMALL, AutoencoderTimes(encode=0.07, decode_wan=0.2, decode_tiny=0.01), times)
    assert free['chunk_secs'] == pytest.approx(4 * 0.06 + 0.05 + 0.01)
    assert anchored['chunk_secs'] == pytest.approx(0.30 + 0.07 + 3 * 0.02 + 0.01)
    assert guided['chunk_secs'] == pytest.approx(0.30 + 0.4)
    assert guided['frames_per_sec'] == pytest.approx(12 / 0.7)


@pytest.mark.parametrize('part', ['time_autoencoder', 'time_transformer', 'time_stream'])
def test_what_does_not_fit_is_left_out_of_the_report(
        monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def run_out(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    torch.set_num_threads(1)
    monkeypatch.setattr(gpu_benchmark, part, run_out)
    report = gpu_benchmark.run_gpu_benchmark(
        replace(REHEARSAL, image_sizes=((48, 32),), points=(((48, 32), 9, True),)),
        torch.device('cpu'))
    assert bool(report['sizes']) == (part != 'time_autoencoder')
    assert bool(report['parts']) == (part != 'time_transformer')
    assert {row['how'] for row in report['grid']} <= {'derived'} and describe(report)


def test_random_weights_keep_about_unit_variance(parts: RandomWan) -> None:
    model = parts.world_model(SMALL)
    context = full_context(model)
    x = torch.randn(3, *model.latent_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        estimate = model.denoise(x, 0, model.condition(context, camera_frame(model))).x0
    velocity = x - estimate         # at noise level 1
    assert 0.2 < float(velocity.std()) < 5
    assert all(0.3 < float(page.keys.std()) < 3 for page in model.commit(x, context).pages)


def test_the_naive_variant_predicts_the_same_from_a_copy_of_the_cache(parts: RandomWan) -> None:
    model = parts.world_model(SMALL)
    conditions = model.condition(full_context(model), camera_frame(model))
    x = torch.randn(3, *model.latent_shape)
    with torch.no_grad():
        wanted = model.denoise(x, 1, conditions, taps=(0,))
        found = NaiveWan(model).denoise(x, 1, conditions, taps=(0,), stop_after_taps=True)
    assert found.x0 is not None     # it runs all blocks
    assert torch.equal(found.x0, wanted.x0)
    assert torch.equal(found.taps[0].keys, wanted.taps[0].keys)
