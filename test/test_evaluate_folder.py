"""The folder of an evaluation: what is kept of every start, and the pictures of both ends."""

import pytest

from dragstream_ros.evaluation.footage.case import Judged
from dragstream_ros.evaluation.footage.errors import EvaluationError
from dragstream_ros.evaluation.footage.result_folder import STRIPS_PER_END, ResultFolder

QUESTION = {'seed': 0}


def judged(number, psnr_db):
    return Judged(key=f'bag.{number:05d}', case={'psnr_db': psnr_db}, timing={'observe_ms': 1.0},
                  strip=b'webp of %d' % number)


def filled(path, values):
    folder = ResultFolder(path, question=QUESTION, resume=False)
    for number, value in enumerate(values):
        folder.add(judged(number, value))
    return folder


def test_verdicts_of_all_and_pictures_of_the_worst_and_the_best_are_kept(tmp_path):
    values = [float((7 * number) % 23) for number in range(23)]
    folder = filled(tmp_path / 'result', values)
    assert [folder.case(key)['psnr_db'] for key in folder.keys()] == values
    shown = [folder.case(key)['psnr_db'] for key, _ in folder.strips()]
    assert shown == [0.0, 1.0, 2.0, 3.0, 4.0, 18.0, 19.0, 20.0, 21.0, 22.0]
    assert len(list((tmp_path / 'result' / 'cases').glob('*.webp'))) == 2 * STRIPS_PER_END


def test_it_goes_on_with_what_is_there_also_after_a_kill_at_any_point(tmp_path):
    filled(tmp_path / 'result', [10.0, 20.0, 15.0])
    cases = tmp_path / 'result' / 'cases'
    (cases / 'bag.00003.webp').write_bytes(b'whose verdict was not written any more')
    (cases / 'bag.00003.part77.json').write_text('{"ca')
    folder = ResultFolder(tmp_path / 'result', question=QUESTION, resume=True)
    assert folder.keys() == ['bag.00000', 'bag.00001', 'bag.00002']
    assert [key for key, _ in folder.strips()] == ['bag.00000', 'bag.00002', 'bag.00001']


def test_more_pictures_than_are_shown_are_cleared_away(tmp_path):
    filled(tmp_path / 'result', [float(value) for value in range(11)])
    middle = tmp_path / 'result' / 'cases' / 'bag.00005.webp'
    middle.write_bytes(b'left by a kill before it was cleared away')
    folder = ResultFolder(tmp_path / 'result', question=QUESTION, resume=True)
    assert len(folder.strips()) == 2 * STRIPS_PER_END and not middle.exists()


def test_another_question_needs_another_folder(tmp_path):
    filled(tmp_path / 'result', [1.0])
    with pytest.raises(EvaluationError, match='holds results already'):
        ResultFolder(tmp_path / 'result', question=QUESTION, resume=False)
    with pytest.raises(EvaluationError, match='made from other footage, weights or settings'):
        ResultFolder(tmp_path / 'result', question={'seed': 1}, resume=True)
