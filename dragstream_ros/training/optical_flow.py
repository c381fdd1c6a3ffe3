"""The flow of recorded frames, which no simulation tells: found in the pictures, and doubted.

Between neighbours dense flow (DIS) is found in both directions; where they disagree, it is not
learnt from. Over several frames the steps are put together, since a search over a long way goes
astray, and what was carried all the way must still look alike. What does not, and stays as it is
from now on, is background that has been uncovered: a hole.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.training.episodes import SeenFlow

STRIDE = 2              # of the kept flow, in the frames' pixels
ENLARGED = 2            # what is searched: its smallest patches are of 8 px
AGREE_PX = 0.5          # both directions, and more for long ways:
AGREE_SHARE = 0.1
ALIKE_LEVELS = 20.0     # of 255, in the mean of the channels: light changes on the way


@dataclass(frozen=True, eq=False)
class FlowSteps:
    """Flow from each of T frames back to the one before, in places a stride apart.

    displacement_px: (T, h, w, 2) float16; agree: (T, h, w) bool. Of the first frame: none.
    """

    displacement_px: np.ndarray
    agree: np.ndarray

    @classmethod
    def find(cls, frames: Sequence[np.ndarray]) -> FlowSteps:
        """Of (H, W, 3) uint8 RGB frames: takes some twenty milliseconds for each."""
        height, width = (size // STRIDE for size in frames[0].shape[:2])
        steps = [(np.zeros((height, width, 2), np.float16), np.ones((height, width), bool)),
                 *map(_find_step, frames[1:], frames[:-1])]
        return cls(*(np.stack(parts) for parts in zip(*steps)))

    def between(self, frames: np.ndarray, now: int, before: int) -> SeenFlow:
        """Put the steps of frames (T, H, W, 3) together, from ``now`` back to ``before``."""
        here = _places(self.agree.shape[1:])
        displacement = np.zeros((*self.agree.shape[1:], 2), np.float32)
        agree = np.ones(self.agree.shape[1:], bool)
        for index in range(now, before, -1):
            there = here - displacement / STRIDE
            agree &= _look(self.agree[index], there)
            displacement += _remap(self.displacement_px[index].astype(np.float32), there)
        shown, was, after = (_shrunk(frames[index]) for index in (
            now, before, min(now + 1, len(frames) - 1)))
        is_alike = _alike(_remap(was, here - displacement / STRIDE), shown)
        hidden = ~is_alike & ~_alike(was, shown) & _alike(shown, after)
        return SeenFlow(displacement, hidden, hidden | (agree & is_alike))


def _find_step(now: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    back, forth = _search(now, before), _search(before, now)
    apart = np.linalg.norm(back + _remap(forth, _places(now.shape[:2]) + back), axis=-1)
    agree = apart < AGREE_PX + AGREE_SHARE * np.linalg.norm(back, axis=-1)
    every = slice(STRIDE // 2, None, STRIDE)
    return -back[every, every].astype(np.float16), agree[every, every]


def _search(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where each pixel of one (H, W, 3) is in the other, relative to itself: (H, W, 2) float32."""
    greys = [cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), None, fx=ENLARGED, fy=ENLARGED,
                        interpolation=cv2.INTER_CUBIC) for picture in (one, other)]
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = finder.calc(*greys, None)  # type: ignore[call-overload]
    return np.asarray(cv2.resize(flow, one.shape[1::-1], interpolation=cv2.INTER_AREA) / ENLARGED)


def _places(shape: tuple[int, ...]) -> np.ndarray:
    """(h, w, 2) float32: each place's (x, y)."""
    return np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).astype(np.float32)


def _remap(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return cv2.remap(values, places.astype(np.float32), None,  # type: ignore[call-overload]
                     cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _look(flags: np.ndarray, places: np.ndarray) -> np.ndarray:
    height, width = flags.shape
    x, y = np.rint(places).astype(int).transpose(2, 0, 1)
    return np.asarray(flags[y.clip(0, height - 1), x.clip(0, width - 1)])


def _shrunk(frame: np.ndarray) -> np.ndarray:
    size = frame.shape[1] // STRIDE, frame.shape[0] // STRIDE
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(one - other).mean(-1) < ALIKE_LEVELS)
