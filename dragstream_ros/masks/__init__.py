"""Regions in camera pictures, with OpenCV: grown from a point, and followed from frame to frame."""
