"""Large messages come and go in memory that is kept."""

import subprocess
import sys

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
