"""NumPy's linear algebra on one thread, for this process and its children."""

import os


def keep_blas_to_one_thread() -> None:
    """Call it before NumPy is imported; who has set OPENBLAS_NUM_THREADS knows better.

    Threads that spin while they wait for a core make a matrix product twenty times slower where
    other work has the cores, and what is shared out here is larger (lanes.py).
    """
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
