"""The child process that holds the world model, and what the node needs to feed and mind it.

Nothing in here imports ROS: the child must start, run and die without it.
"""
