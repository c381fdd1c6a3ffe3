"""ROS messages to and from the plain data that the core and the worker use; pure functions."""
