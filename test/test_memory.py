"""Large messages come and go in memory that is kept."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from dragstream_ros.core.memory import within_memory
from dragstream_ros.errors import DragStreamError, ErrorCode

TAKE_AND_FREE = """
import resource
from dragstream_ros.memory import keep_freed_memory
{call}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    copies = [bytearray(921_600) for _ in range(4)]  # as DDS and Python make of one image
    del copies
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(call: str) -> int:
    done = subprocess.run(
        [sys.executable, '-c', TAKE_AND_FREE.format(call=call)], capture_output=True, text=True,
        check=True)
    return int(done.stdout)


def test_images_that_come_and_go_cost_no_new_pages():
    assert 10 * page_faults('keep_freed_memory()') < page_faults('')


@pytest.mark.parametrize('allocate', [np.empty, torch.empty, lambda size: bytearray(size)])
def test_too_little_memory_is_told_whoever_wanted_it(allocate):
    with pytest.raises(DragStreamError) as refused:
        within_memory(lambda: allocate(10 ** 16), 'Too much.')
    assert refused.value.code == ErrorCode.OUT_OF_MEMORY and str(refused.value) == 'Too much.'


def test_other_troubles_are_not_taken_for_too_little_memory():
    with pytest.raises(RuntimeError, match='must match'):
        within_memory(lambda: torch.zeros(2) + torch.zeros(3), 'Too much.')
