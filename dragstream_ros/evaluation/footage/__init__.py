"""Predictions judged along recorded footage: bags and videos in, numbers and a report out."""
