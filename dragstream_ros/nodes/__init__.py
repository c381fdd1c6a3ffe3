"""ROS 2 nodes: wiring, lifecycle and timers; the work is done elsewhere."""

import os

# Before NumPy is loaded, for a node and its worker: BLAS threads that spin while they wait for a
# core make a matrix product twenty times slower where other work has the cores.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
