"""How much of each object does a picture show? Counted by colours, wherever the object may be.

A prediction that was told nothing need not put a thing where it truly goes, but must not lose it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.evaluation.colours import ALIKE, core, grown, nearest, to_lab

COLOUR_STEP = 4.0       # of a palette: twice what is just visible
APART = 12.5            # nearer than this to another thing's colours, one tells nothing
LEAST_AREA_PX = 60      # of an object that is seen
LEAST_COUNTED = 0.5     # of its pixels: with fewer in colours of its own, it cannot be counted


class ColourArea:
    """Counts the pixels that show an object by colours that nothing else in its scene has.

    frames: (n, H, W, 3) uint8 RGB, true pictures; masks: (n, H, W) bool, where they show it.
    """

    def __init__(self, frames: np.ndarray, masks: np.ndarray) -> None:
        lab = to_lab(frames)
        # A pixel at the edge of a mask is a mixture, neither of the object nor of what is behind.
        own = np.concatenate([picture[core(mask)] for picture, mask in zip(lab, masks)])
        rest = np.concatenate([picture[~grown(mask, 1)] for picture, mask in zip(lab, masks)])
        self._own, self._rest = _palette(own), _palette(rest)
        self._own = self._own[nearest(self._own, self._rest) > APART]

    def __call__(self, picture: np.ndarray) -> int:
        """How many pixels of (H, W, 3) uint8 RGB look like the object and like nothing else."""
        if not len(self._own):
            return 0
        pixels = to_lab(picture).reshape(-1, 3)
        distance = nearest(pixels, self._own)
        near = distance < ALIKE
        return int(np.count_nonzero(distance[near] < nearest(pixels[near], self._rest)))


class SceneObjects:
    """The objects that are seen, and can be counted, in all of some true pictures of a scene.

    frames: (n, H, W, 3) uint8 RGB; masks: (n, H, W) uint8, with a label for each thing; objects:
    the labels of objects. ``labels`` are those counted, ``n_seen`` how many are seen.
    """

    def __init__(self, frames: np.ndarray, masks: np.ndarray, objects: Sequence[int]) -> None:
        own = {label: masks == label for label in objects}
        seen = {label: mask for label, mask in own.items()
                if (mask.sum((1, 2)) >= LEAST_AREA_PX).all()}
        areas = {label: ColourArea(frames, mask) for label, mask in seen.items()}
        self._areas = {
            label: area for label, area in areas.items()
            if all(area(frame) >= LEAST_COUNTED * mask.sum()
                   for frame, mask in zip(frames, own[label]))}
        self.labels = tuple(self._areas)
        self.n_seen = len(seen)

    def areas_px(self, picture: np.ndarray) -> np.ndarray:
        """(len(labels),) how many pixels of (H, W, 3) uint8 RGB show each."""
        return np.array([area(picture) for area in self._areas.values()], np.float64)


def _palette(colours: np.ndarray) -> np.ndarray:
    """The different ones (m, 3) among colours (n, 3)."""
    steps = np.unique(np.round(colours / COLOUR_STEP), axis=0)
    return np.asarray(steps * COLOUR_STEP, np.float32)
