"""From what the standard ROS 2 tools publish to drags: one file per tool, none with a node."""
