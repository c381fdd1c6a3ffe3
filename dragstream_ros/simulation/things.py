"""What stands on the table: randomly drawn objects and grippers, as plain descriptions."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from dragstream_ros.simulation.colours import Colour, accent, vivid
from dragstream_ros.simulation.jointed_things import lidded_box, two_bars
from dragstream_ros.simulation.object_shape import ObjectShape, Part


@dataclass(frozen=True, kw_only=True)
class GripperLook:
    arm: Colour
    palm: Colour
    finger: Colour


def random_gripper(rng: np.random.Generator) -> GripperLook:
    """Greys with one accent on the fingers: unlike the vivid objects, like real robots."""
    grey = rng.choice([rng.uniform(0.1, 0.25), rng.uniform(0.7, 0.95)])
    tint = rng.uniform(-0.04, 0.04, 3)
    arm = tuple(np.clip(grey + tint, 0, 1).tolist())
    palm_grey = rng.uniform(0.72, 0.95) if grey < 0.5 else rng.uniform(0.08, 0.25)
    palm = tuple(np.clip(palm_grey + tint, 0, 1).tolist())
    finger = arm if rng.uniform() < 0.4 else colorsys.hsv_to_rgb(
        rng.uniform(), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.9))
    return GripperLook(arm=arm, palm=palm, finger=finger)


def random_objects(rng: np.random.Generator, *, scale: float = 1.0) -> list[ObjectShape]:
    """Two to five objects of hues that differ."""
    count = int(rng.integers(2, 6))
    hues = rng.uniform() + (np.arange(count) + rng.uniform(-0.25, 0.25, count)) / count
    makers = (_box, _box, _marked_box, _marked_box, _cylinder, _cylinder, _dome, _angle, lidded_box,
              two_bars)
    chosen = rng.integers(len(makers), size=count)
    return [
        makers[which](f'object_{index}', rng, vivid(rng, hue), scale)
        for index, (which, hue) in enumerate(zip(chosen, rng.permutation(hues)))]


def _top_points(height: float, *xys: tuple[float, float]) -> np.ndarray:
    return np.array([(x, y, height) for x, y in xys])


def _box(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    long, short = rng.uniform(0.036, 0.052) * scale, rng.uniform(0.033, 0.040) * scale
    tall = rng.uniform(0.018, 0.030)
    return ObjectShape(
        name=name, colour=colour, height=2 * tall, radius=float(np.hypot(long, short)),
        parts=(Part('box', (long, short, tall), (0, 0, tall), colour),),
        grip_width=2 * short, grip_angle=np.pi / 2, platform=short, lever=(0.75 * long, short),
        points=_top_points(2 * tall, (0, 0), (0.7 * long, 0.7 * short), (-0.7 * long, 0.6 * short),
                           (0.5 * long, -0.7 * short)))


def _marked_box(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    plain = _box(name, rng, colour, scale)
    long, short, tall = plain.parts[0].size
    other = accent(rng, colour)
    if rng.uniform() < 0.5:  # two halves
        parts = tuple(
            Part('box', (long / 2, short, tall), (side * long / 2, 0, tall), paint)
            for side, paint in ((-1, colour), (1, other)))
    else:  # a band around it
        width, place = rng.uniform(0.18, 0.3) * long, rng.uniform(-0.6, 0.6) * long
        band = Part('box', (width, short + 5e-4, tall + 2.5e-4), (place, 0, tall), other, False)
        parts = (plain.parts[0], band)
    return ObjectShape(**{**plain.__dict__, 'parts': parts})


def _cylinder(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    radius, tall = rng.uniform(0.035, 0.045) * scale, rng.uniform(0.02, 0.035)
    parts = [Part('cylinder', (radius, tall, 0), (0, 0, tall), colour)]
    if rng.uniform() < 0.6:  # a bar on its lid shows how it turns
        bar = (0.75 * radius, 0.22 * radius, 5e-4)
        parts.append(Part('box', bar, (0.15 * radius, 0, 2 * tall), accent(rng, colour), False))
    return ObjectShape(
        name=name, colour=colour, height=2 * tall, radius=radius, parts=tuple(parts),
        grip_width=2 * radius, grip_angle=0.0, platform=radius,
        points=_top_points(2 * tall, (0, 0), (0.7 * radius, 0), (-0.35 * radius, 0.6 * radius),
                           (-0.35 * radius, -0.6 * radius)))


def _dome(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    """A ball, or one a bit longer than wide."""
    wide = rng.uniform(0.033, 0.040) * scale
    long, tall = wide * rng.uniform(1.0, 1.35), min(wide, 0.034) * rng.uniform(0.85, 1.0)
    directions = np.array([(0, 0, 1), (0.7, 0, 0.714), (-0.4, 0.5, 0.768), (-0.4, -0.5, 0.768)])
    return ObjectShape(
        name=name, colour=colour, height=2 * tall, radius=long,
        parts=(Part('ellipsoid', (long, wide, tall), (0, 0, tall), colour),),
        grip_width=2 * wide, grip_angle=np.pi / 2,
        points=directions * (long, wide, tall) + (0, 0, tall))


def _angle(name: str, rng: np.random.Generator, colour: Colour, scale: float) -> ObjectShape:
    """Two bars that make an L or a T."""
    long, thick = rng.uniform(0.040, 0.050) * scale, rng.uniform(0.015, 0.019) * scale
    tall, stem = rng.uniform(0.016, 0.026), rng.uniform(0.024, 0.032) * scale
    shift = 0.0 if rng.uniform() < 0.5 else (long - thick)  # T, else L
    second = colour if rng.uniform() < 0.5 else accent(rng, colour)
    bar_y = -(thick + stem) / 2
    parts = (
        Part('box', (long, thick, tall), (0, bar_y, tall), colour),
        Part('box', (thick, stem, tall), (shift, bar_y + thick + stem, tall), second))
    return ObjectShape(
        name=name, colour=colour, height=2 * tall, radius=float(np.hypot(long, thick + stem)),
        parts=parts, grip_width=2 * thick, grip_angle=np.pi / 2, grip_offset=(0.0, bar_y),
        lever=(0.8 * long, thick - bar_y),
        points=_top_points(
            2 * tall, (0.3 * shift, bar_y), (0.8 * long, bar_y), (-0.8 * long, bar_y),
            (shift, bar_y + thick + 1.6 * stem)))
