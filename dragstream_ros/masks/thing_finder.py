"""What belongs to the thing at a point of a picture, for things that the network knows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.masks import thing_net
from dragstream_ros.masks.known_thing import is_sure
from dragstream_ros.masks.once_per_picture import OncePerPicture

THINNEST_PX = 1.5       # from a pixel to what is of no new thing, to look for one there
MOST_THINGS = 40


@dataclass(frozen=True, eq=False)
class ThingFinder:
    """What the network says of a picture, which is in its frame of 128x128 as the box says.

    queries: (E + 1, 128, 128), of every pixel, for what belongs to it, see thing_net.
    things: (128, 128) int32, the thing that each pixel shows, from 1 on; 0: none, or not surely.
    likely: (n, 128, 128) float32, how likely each pixel is of each thing: logits.
    """

    described: np.ndarray
    queries: np.ndarray
    things: np.ndarray
    likely: np.ndarray
    box: Letterbox

    @classmethod
    def of(cls, picture: np.ndarray) -> ThingFinder:
        """Describe (H, W, 3) uint8 RGB; takes some 20 ms, once."""
        box = Letterbox(picture.shape[1::-1], (thing_net.SIDE_PX,) * 2)
        described = thing_net.features(box.apply(picture), thing_net.weights())
        queries = thing_net.queries(described, thing_net.weights())
        return cls(described, queries, *_all_things(described, queries), box)

    def likelihood(self, *points_px: np.ndarray) -> np.ndarray:
        """How likely each pixel is of the thing at each point (x, y): (n, H, W) float32 logits."""
        left, top, width, height = self.box.content_box
        pixels = np.rint(self.box.to_target(np.stack(points_px))).astype(int)
        pixels = pixels.clip((left, top), (left + width - 1, top + height - 1))
        likely = np.stack([self._likely_at(x, y) for x, y in pixels])
        content = likely[:, top:top + height, left:left + width]
        if self.box.source_size == (width, height):
            return content
        return np.stack([cv2.resize(one, self.box.source_size, interpolation=cv2.INTER_LINEAR)
                         for one in content])

    def shown(self) -> np.ndarray:
        """The things, as numbered, that the picture itself shows: (H, W) int32."""
        left, top, width, height = self.box.content_box
        content = self.things[top:top + height, left:left + width]
        return cv2.resize(content, self.box.source_size, interpolation=cv2.INTER_NEAREST)

    def _likely_at(self, x: int, y: int) -> np.ndarray:
        thing = self.things[y, x]
        return self.likely[thing - 1] if thing else thing_net.likelihood(
            self.described, self.queries[:, y, x])


find_things = OncePerPicture(ThingFinder.of)


def _all_things(described: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every thing of a picture: ThingFinder's things, and likely."""
    left = (queries[:-1] * described).sum(0) + queries[-1] > 0    # a pixel of a thing finds itself
    found: list[np.ndarray] = []
    while len(found) < MOST_THINGS:
        inside = cv2.distanceTransform(left.astype(np.uint8), cv2.DIST_L2, 3)
        y, x = np.unravel_index(inside.argmax(), inside.shape)
        if inside[y, x] < THINNEST_PX:
            break
        touched = left & (thing_net.likelihood(described, queries[:, y, x]) > 0)
        touched[y, x] = True
        # What all its pixels say together is surer than what one of them does.
        found.append(thing_net.likelihood(described, queries[:, touched].mean(1)))
        left &= ~touched & (found[-1] <= 0)
    likely = np.stack(found) if found else np.zeros((0, *left.shape), np.float32)
    best = np.concatenate([np.zeros((1, *left.shape), np.float32), likely]).argmax(0)
    for number in np.unique(best[best > 0]):
        if not is_sure(likely[number - 1], best == number):
            best[best == number] = 0
    return best.astype(np.int32), likely
