import pickle
import re

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PredictionInfo


def test_codes_have_the_names_and_numbers_of_the_message():
    constants = {
        name: getattr(PredictionInfo, name)
        for name in dir(PredictionInfo)
        if re.fullmatch(r'[A-Z][A-Z_]*', name) and not name.startswith('SLOT')
    }
    assert constants == {code.name: code.value for code in ErrorCode}


def test_an_error_is_its_sentence_and_keeps_its_code_between_processes():
    error = pickle.loads(pickle.dumps(DragStreamError(ErrorCode.DRAG_STALE, 'Too old; try again.')))
    assert str(error) == 'Too old; try again.'
    assert error.code is ErrorCode.DRAG_STALE
    assert error.sentence == 'Too old; try again.'


def test_warnings_are_those_after_which_work_goes_on():
    assert {code.name for code in ErrorCode if code.is_warning} == {
        'IMAGE_SIZE_CHANGED', 'CLOCK_JUMPED_BACK', 'DRAG_PATH_LEAVES_IMAGE', 'WORKER_SLOW',
    }
