"""What belongs to the thing at a point of a picture, for things that the network knows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.masks import thing_net
from dragstream_ros.masks.once_per_picture import OncePerPicture


@dataclass(frozen=True, eq=False)
class ThingFinder:
    """described: the network's features of a picture, which is in its frame as the box says."""

    described: np.ndarray
    box: Letterbox

    @classmethod
    def of(cls, picture: np.ndarray) -> ThingFinder:
        """Describe (H, W, 3) uint8 RGB; takes some 20 ms, once."""
        box = Letterbox(picture.shape[1::-1], (thing_net.SIDE_PX,) * 2)
        return cls(thing_net.features(box.apply(picture), thing_net.weights()), box)

    def likelihood(self, *points_px: np.ndarray) -> np.ndarray:
        """How likely each pixel is of the thing at each point (x, y): (n, H, W) float32 logits."""
        left, top, width, height = self.box.content_box
        pixels = np.rint(self.box.to_target(np.stack(points_px))).astype(int)
        pixels = pixels.clip((left, top), (left + width - 1, top + height - 1))
        likely = thing_net.likelihood(self.described, pixels, thing_net.weights())
        content = likely[:, top:top + height, left:left + width]
        if self.box.source_size == (width, height):
            return content
        return np.stack([cv2.resize(one, self.box.source_size, interpolation=cv2.INTER_LINEAR)
                         for one in content])


find_things = OncePerPicture(ThingFinder.of)
