"""Wan 2.1 as a streaming world model."""
