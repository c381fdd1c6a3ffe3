"""The region that an operator means by touching a point: the thing, where it is known, or a race.

What things look like was learnt in the simulation (thing_net.py): a box with its faces and stripes,
an arm with its hand.  A touch of what looks like none of them is left to grow_region.py, which
knows nothing but that an outline is where colours change.
"""

from __future__ import annotations

import numpy as np

from dragstream_ros.core.mask_pixels import is_on
from dragstream_ros.masks.grow_region import grow_region, joined
from dragstream_ros.masks.known_thing import known_thing
from dragstream_ros.masks.thing_finder import find_things


def touched_region(
    image: np.ndarray, *points_px: np.ndarray, fallback_radius_px: float = 6.0
) -> np.ndarray:
    """The region (H, W) bool around a point of an (H, W, 3) uint8 RGB picture; never empty.

    The picture must not be changed afterwards: what was found in it is remembered.
    points_px and fallback_radius_px: see grow_region.  Of things that are known, the first that all
    points are on, if any: a touch of a link, turned about a point of the whole, means the whole.
    """
    things = [known_thing(likely, point) for likely, point in zip(
        find_things(image).likelihood(*points_px), points_px, strict=True)]
    for thing in things:
        if thing is not None and all(is_on(thing, point) for point in points_px):
            return thing
    if things[0] is None:
        return grow_region(image, *points_px, fallback_radius_px=fallback_radius_px)
    return joined(things[0], things[1:])
