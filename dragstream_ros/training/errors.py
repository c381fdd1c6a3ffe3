"""What ends a training."""
from __future__ import annotations


class TrainingError(Exception):
    """The text is one sentence or two: what is wrong and what to do."""
