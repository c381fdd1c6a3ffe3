"""What the model is fitted to: episodes, simulated or recorded, behind one protocol."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class SeenFlow:
    """How far what a picture shows has come since another one, in h x w places of it.

    displacement_px: (h, w, 2) float32, (x, y); hidden: (h, w) bool, it was covered by something
    else then; known: (h, w) bool, both are certain enough to learn from.
    """

    displacement_px: np.ndarray
    hidden: np.ndarray
    known: np.ndarray


@dataclass(frozen=True, eq=False)
class Tracks:
    """Points followed through T frames.

    points_px: (T, P, 2) float32; seen: (P,) bool, it is seen in the first frame and known in all;
    thing: (P,) int, the number of what it is on, -1 for what stays put.
    """

    points_px: np.ndarray
    seen: np.ndarray
    thing: np.ndarray


class Episode(Protocol):
    """What a camera saw for a while, a frame each period, and what there is to know of it."""

    @property
    def frames(self) -> np.ndarray:
        """(T, 128, 128, 3) uint8 RGB."""

    def tracks(self, first: int, count: int) -> Tracks:
        """Points through so many frames from ``first`` on."""

    def things(self, index: int) -> np.ndarray:
        """What of a frame is more than background, (128, 128) bool: it weighs more."""

    def thing_at(self, index: int, point_px: np.ndarray) -> np.ndarray:
        """The thing that is seen at a point (x, y) of a frame, (128, 128) bool."""

    def flow_back(self, now: int, before: int, *, stride: int) -> SeenFlow:
        """Flow at one pixel, the one right below the middle, of every square of the stride."""


def draw_lively(latents: Sequence[torch.Tensor], frames: int,
                rng: np.random.Generator) -> tuple[int, int]:
    """Draw an episode and where in it so many frames begin, never with its first one.

    latents: (T, C, h, w) of each episode. Of two draws the one that changes more: in half of them
    hardly anything moves.
    """
    starts = np.array([max(len(episode) - frames, 0) for episode in latents])

    def draw() -> tuple[int, int]:
        episode = int(rng.choice(len(starts), p=starts / starts.sum()))
        return episode, int(rng.integers(1, starts[episode] + 1))

    def change(at: tuple[int, int]) -> float:
        episode, start = at
        return float((latents[episode][start + frames - 1] - latents[episode][start]).abs().mean())

    return max((draw() for _ in range(2)), key=change)
