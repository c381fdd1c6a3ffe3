"""Randomly drawn objects with a hinge: a box with a lid, and two bars that bend."""

from __future__ import annotations

import numpy as np

from dragstream_ros.simulation.colours import Colour, accent
from dragstream_ros.simulation.object_shape import Limb, ObjectShape, Part

KNOB_M = 0.008
"""Half width of the knob that a hand opens a lid by."""
_WALL_M, _LID_M, _FLOOR_M = 0.005, 0.004, 0.008
_OPEN_RAD, _BENT_RAD = 1.65, 1.9


def lidded_box(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    """A block whose front is hollow, under a lid that opens up and backwards.

    The back, y > hinge, is solid: what is grabbed there moves the whole, lid and all.
    """
    long, short = rng.uniform(0.037, 0.043) * scale, rng.uniform(0.038, 0.044) * scale
    tall, hinge = rng.uniform(0.018, 0.026), 0.2 * short
    lid_colour, inside = accent(rng, colour), (0.13, 0.12, 0.12)
    block, hollow = (short - hinge) / 2, (short + hinge) / 2
    parts = (
        Part('box', (long - 5e-4, short - 5e-4, _FLOOR_M), (0, 0, _FLOOR_M), inside),
        Part('box', (long, block, tall), (0, hinge + block, tall), colour, False),
        Part('box', (long, _WALL_M / 2, tall), (0, _WALL_M / 2 - short, tall), colour, False),
        *(Part('box', (_WALL_M / 2, hollow, tall),
               (side * (long - _WALL_M / 2), hinge - hollow, tall), colour, False)
          for side in (-1, 1)))
    reach = 2 * hollow
    knob = (0.0, 0.012 - reach, 2 * _LID_M + KNOB_M)
    limb = Limb(
        parts=(Part('box', (long + 1e-3, hollow, _LID_M), (0, -hollow, _LID_M), lid_colour, False),
               Part('box', (KNOB_M, 0.005, KNOB_M), knob, accent(rng, lid_colour), False)),
        hinge=(0.0, hinge, 2 * tall), axis=(-1.0, 0.0, 0.0), range=(0.0, _OPEN_RAD),
        angle=float(rng.choice([0.0, rng.uniform(0.6, 1.0) * _OPEN_RAD], p=[0.65, 0.35])),
        tip=knob,
        points=np.array([(0.75 * side * long, along * reach, 2 * _LID_M)
                         for side, along in ((-1, -0.85), (1, -0.85), (-0.3, -0.4))]))
    back = hinge + 1.1 * block
    return ObjectShape(
        name=name, colour=colour, height=2 * tall, radius=float(np.hypot(long, short)),
        parts=parts, grip_width=2 * long, grip_angle=0.0, grip_offset=(0.0, back), limb=limb,
        points=np.array([(0, back, 2 * tall), (0.75 * long, back, 2 * tall),
                         (-0.75 * long, back, 2 * tall), (0.3 * long, back, 2 * tall)]))


def two_bars(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    """Two bars on an upright pin, about which the second one bends."""
    wide, tall = rng.uniform(0.020, 0.024) * scale, rng.uniform(0.014, 0.022)
    long = rng.uniform(0.054, 0.064) * scale
    low = tall - 0.001     # a little lower, so that which is on top is plain to see
    second = colour if rng.uniform() < 0.3 else accent(rng, colour)
    pin = Part('cylinder', (0.5 * wide, 0.001, 0), (0, 0, 2 * tall), accent(rng, second), False)

    def bar(side: float, half_height: float, paint: Colour) -> tuple[Part, ...]:
        middle = (side * long / 2, 0, half_height)
        return (Part('box', (long / 2, wide, half_height), middle, paint),
                Part('cylinder', (wide, half_height, 0), (0, 0, half_height), paint, False))

    limb = Limb(
        parts=bar(1, low, second), hinge=(0.0, 0.0, 0.0), axis=(0.0, 0.0, 1.0),
        range=(-_BENT_RAD, _BENT_RAD), angle=rng.uniform(-1.4, 1.4), tip=(0.8 * long, wide, low),
        points=np.array([(along * long, across * wide, 2 * low)
                         for along, across in ((0.85, 0.0), (0.6, 0.6), (0.6, -0.6))]))
    return ObjectShape(
        name=name, colour=colour, height=2 * tall, radius=float(np.hypot(long, wide)),
        parts=(*bar(-1, tall, colour), pin), grip_width=2 * wide, grip_angle=np.pi / 2,
        grip_offset=(-0.6 * long, 0.0), lever=(0.8 * long, wide), limb=limb,
        points=np.array([(along * long, across * wide, 2 * tall)
                         for along, across in ((0, 0), (-0.85, 0), (-0.55, 0.6), (-0.55, -0.6))]))
