"""What of a thing that stands on a table is its top, and what its sides.

Both are of one colour, mostly, and the sides are darker, or have a colour of their own; they go
down from the top as far everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOWEST_SIDES_PX = 2         # lower ones are as well turned with the top
LEAST_TOP_SHARE = 0.35      # of what is held
LEAST_CREASE = 20.0         # mean step of colour across it, levels, below which there is none
UNLIT = 0.3                 # what a step to another colour counts; one to a shade counts 1 more
SIDE_SHADES = 0.2, 0.93     # of sides that face the camera, in the levels of the top above
SAME_HUE, SAME_SHADE = 15.0, 0.12   # levels, and share: how alike a side is all the way down
SHADES = (0.3, 1.1)         # of sides, in the levels of the top: what is unlike that is no side
OTHER_LEVELS = 40.0     # off the top's colour in shade: sides have their own,
MOST_OF_THEM = 0.7      # if so many of their pixels are nearer to that
INSIDE_PX = 1               # from a crease on a pixel has the colour of one face alone


@dataclass(frozen=True)
class Sides:
    """px: how far down they go in the picture, 0: none are seen.

    shade: their levels, in those of the top above. colour: their own, in 0..1, if it is not that.
    """

    px: int = 0
    shade: float = 1.0
    colour: tuple[float, float, float] | None = None

    @classmethod
    def of(cls, picture: np.ndarray, thing: np.ndarray) -> Sides:
        """Of a thing (H, W) bool in a picture (H, W, 3) uint8 RGB."""
        px = _height_px(picture, thing)
        if not px:
            return cls()
        top = top_of(thing, px)
        shade = _shade(picture, top, px)
        return cls(px, shade, _own_colour(picture, top, px, shade))

    def top(self, picture: np.ndarray, held: np.ndarray, behind: np.ndarray,
            ) -> tuple[np.ndarray, np.ndarray]:
        """The tops (H, W) bool of what is held and of what of it is behind others, both as well.

        What is right above others may be both: only the light tells it from the sides.
        """
        whole, top = top_of(held | behind, self.px), top_of(held, self.px)
        likely = whole & held & ~top
        if top.any() and self.shade < SIDE_SHADES[1]:
            light = picture.astype(np.float32).sum(-1)
            likely &= light > (1 + self.shade) / 2 * np.median(light[top])
        return top | likely, whole & behind


def top_of(held: np.ndarray, sides_px: int) -> np.ndarray:
    """What has so many pixels of the thing below it: top and sides are the top moved down."""
    height = held.shape[0]
    top = held.copy()
    for down in range(1, sides_px + 1):
        top[:height - down] &= held[down:]
        top[height - down:] = False
    return top


def _crease(top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lowest pixels of a top (H, W) bool."""
    rows, columns = np.nonzero(top[:-1] & ~top[1:])
    return rows, columns


def _height_px(picture: np.ndarray, held: np.ndarray) -> int:
    """How far down the sides go: so far that there is the greatest step of colour above them.

    A step from a colour to its shade counts more than one to another colour: a stripe is no edge.
    """
    levels = picture.astype(np.float32)
    # From a pixel to the next below; an edge may be three pixels wide, and then is in its middle.
    step = np.zeros(held.shape, np.float32)
    step[1:-2] = 0.5 * (np.linalg.norm(levels[3:] - levels[:-3], axis=-1)
                        + np.linalg.norm(levels[2:-1] - levels[1:-2], axis=-1))
    found, greatest = 0, LEAST_CREASE
    for sides_px in range(LOWEST_SIDES_PX, held.shape[0]):
        top = top_of(held, sides_px)
        if top.sum() <= LEAST_TOP_SHARE * held.sum():      # or nothing is held
            break
        crease = step[_crease(top)].mean() * (UNLIT + _lit_alike(levels, top, sides_px))
        if crease > greatest:
            found, greatest = sides_px, float(crease)
    return found


def _lit_alike(levels: np.ndarray, top: np.ndarray, sides_px: int) -> float:
    """The share of a crease below which there is the colour above it, in one shade."""
    rows, columns = _crease(top)
    above = levels[np.maximum(rows - INSIDE_PX, 0), columns][:, None]
    down = np.arange(1 + INSIDE_PX, max(sides_px, 1 + INSIDE_PX) + 1)
    below = levels[np.minimum(rows[:, None] + down, len(levels) - 1), columns[:, None]]
    shades = (below * above).sum(-1) / (above ** 2).sum(-1).clip(1)
    shade = np.median(shades, 1)
    off = np.linalg.norm(below - shades[..., None] * above, axis=-1)
    return float((
        (shade > SIDE_SHADES[0]) & (shade < SIDE_SHADES[1]) & (np.median(off, 1) < SAME_HUE)
        & (np.abs(shades - shade[:, None]).mean(1) < SAME_SHADE)).mean())


def _shade(picture: np.ndarray, top: np.ndarray, sides_px: int) -> float:
    """Levels half-way down the sides, in those of the top above."""
    rows, columns = _crease(top)
    light = picture.astype(np.float32).sum(-1) + 1
    above = light[np.maximum(rows - INSIDE_PX, 0), columns]
    below = light[np.minimum(rows + INSIDE_PX + sides_px // 2, len(light) - 1), columns]
    return float(np.clip(np.median(below / above), *SHADES))


def _own_colour(picture: np.ndarray, top: np.ndarray, sides_px: int, shade: float,
                ) -> tuple[float, float, float] | None:
    """That of all sides, in 0..1, where they are not what is above them, in shade; else None."""
    rows, columns = _crease(top)
    levels = picture.astype(np.float32)
    above = levels[np.maximum(rows - INSIDE_PX, 0), columns]
    down = np.arange(1 + INSIDE_PX, max(sides_px, 2 + INSIDE_PX))
    below = levels[np.minimum(rows[:, None] + down, len(levels) - 1), columns[:, None]]
    off = np.median(np.linalg.norm(below - shade * above[:, None], axis=-1))
    red, green, blue = own = np.median(below.reshape(-1, 3), 0)
    is_one = np.quantile(np.linalg.norm(below - own, axis=-1), MOST_OF_THEM) <= off
    return (red / 255, green / 255, blue / 255) if off >= OTHER_LEVELS and is_one else None
