"""The streaming, draggable predictor: torch and numpy only, no ROS, no OpenCV."""
