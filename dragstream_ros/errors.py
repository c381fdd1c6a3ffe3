"""What can go wrong, as a number for programs and one sentence for people."""

from __future__ import annotations

import enum


class ErrorCode(enum.IntEnum):
    """The codes of ``msg/PredictionInfo.msg``, where each is explained; a test compares the two."""

    OK = 0

    IMAGE_MALFORMED = 10
    IMAGE_ENCODING_UNSUPPORTED = 11
    IMAGE_DECODE_FAILED = 12
    IMAGE_STALLED = 13
    IMAGE_SIZE_CHANGED = 14
    CLOCK_JUMPED_BACK = 15

    DRAG_EMPTY = 20
    DRAG_NOT_FINITE = 21
    DRAG_OUTSIDE_IMAGE = 22
    DRAG_STALE = 23
    DRAG_BEFORE_FIRST_IMAGE = 24
    DRAG_WRONG_SIZE = 25
    DRAG_PATH_LEAVES_IMAGE = 26
    DRAG_INVALID = 27
    DRAG_LOST = 28

    WEIGHTS_MISSING = 30
    WEIGHTS_UNREADABLE = 31
    WEIGHTS_MISMATCH = 32

    WORKER_DIED = 40
    WORKER_SLOW = 41
    OUT_OF_MEMORY = 42
    TOO_SLOW = 43

    BUSY = 50
    CANCELLED = 51
    DEADLINE_PASSED = 52
    GOAL_INVALID = 53

    @property
    def is_warning(self) -> bool:
        """True if the work goes on in spite of it."""
        return self in _WARNINGS


_WARNINGS = frozenset({
    ErrorCode.IMAGE_SIZE_CHANGED,
    ErrorCode.CLOCK_JUMPED_BACK,
    ErrorCode.DRAG_PATH_LEAVES_IMAGE,
    ErrorCode.WORKER_SLOW,
})


class DragStreamError(Exception):
    """Something is wrong with an input, the weights or the worker.

    :param code: what kind of trouble
    :param sentence: what is wrong and what to do, in one sentence; also the exception's text
    """

    def __init__(self, code: ErrorCode, sentence: str) -> None:
        super().__init__(code, sentence)  # both, so that it survives pickling between processes
        self.code = ErrorCode(code)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
