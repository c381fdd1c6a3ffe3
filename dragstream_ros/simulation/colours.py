"""Colours of objects, RGB 0..1."""

from __future__ import annotations

import colorsys

import numpy as np

Colour = tuple[float, float, float]


def vivid(rng: np.random.Generator, hue: float) -> Colour:
    return colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(0.6, 1.0), rng.uniform(0.65, 1.0))


def accent(rng: np.random.Generator, colour: Colour) -> Colour:
    """White, black or another hue: stands out against ``colour``."""
    if rng.uniform() < 0.4:
        return (0.95, 0.95, 0.92) if rng.uniform() < 0.6 else (0.1, 0.1, 0.12)
    hue = colorsys.rgb_to_hsv(*colour)[0]
    return vivid(rng, hue + rng.uniform(0.3, 0.7))
