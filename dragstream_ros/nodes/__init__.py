"""ROS 2 nodes: wiring, lifecycle and timers; the work is done elsewhere."""
