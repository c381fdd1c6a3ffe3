"""ROS 2 nodes: wiring, lifecycle and timers; the work is done elsewhere."""

from dragstream_ros.blas import keep_blas_to_one_thread

keep_blas_to_one_thread()
