"""The web console: a page to drag on in the camera picture. No ROS and no torch in here."""
