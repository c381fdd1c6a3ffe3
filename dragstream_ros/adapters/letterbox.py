"""A camera's picture in a model's frame: aspect kept, black bars, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Size = tuple[int, int]  # (width, height), px


@dataclass(frozen=True)
class Letterbox:
    """Maps pictures, points and masks between a source and a target picture size.

    Source is the camera's picture, target the model's. The *content* is the part of the target that
    the picture fills, between the bars; what is published is the content alone. Pixels: x right,
    y down, (0, 0) is the centre of the top-left pixel.
    """

    source_size: Size
    target_size: Size

    @property
    def content_size(self) -> Size:
        """The size of the picture in the target: the largest of its aspect, in whole pixels."""
        (source_width, source_height), (width, height) = self.source_size, self.target_size
        scale = min(width / source_width, height / source_height)
        return max(1, round(source_width * scale)), max(1, round(source_height * scale))

    @property
    def content_box(self) -> tuple[int, int, int, int]:
        """(left, top, width, height) of the content in the target, px."""
        (width, height), (content_width, content_height) = self.target_size, self.content_size
        left, top = (width - content_width) // 2, (height - content_height) // 2
        return left, top, content_width, content_height

    @property
    def scale(self) -> float:
        """Target pixels per source pixel, for lengths that have no direction such as a radius."""
        return float(np.sqrt(np.prod(self._ratio)))

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Put an (H, W, 3) or (H, W) uint8 picture of source size into a black target frame."""
        self._require_size(image, self.source_size)
        left, top, width, height = self.content_box
        framed = np.zeros((*self.target_size[::-1], *image.shape[2:]), image.dtype)
        # Averaging while shrinking keeps thin things; linear while growing keeps edges smooth.
        shrinks = width < self.source_size[0]
        framed[top : top + height, left : left + width] = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        return framed

    def apply_mask(self, mask: np.ndarray) -> np.ndarray:
        """Map an (H, W) bool mask of source size to target size; what was not empty stays so."""
        framed = self.apply(mask.astype(np.uint8) * 255) >= 128
        if mask.any() and not framed.any():
            x, y = np.rint(self.to_target(np.argwhere(mask).mean(axis=0)[::-1])).astype(int)
            framed[y, x] = True
        return framed

    def crop(self, frames: np.ndarray) -> np.ndarray:
        """Cut the bars off (..., H, W, 3) frames of target size: a view of content size."""
        left, top, width, height = self.content_box
        return frames[..., top : top + height, left : left + width, :]

    def to_target(self, points_px: np.ndarray) -> np.ndarray:
        """Map points (..., 2) from source pixels to target pixels."""
        return (np.asarray(points_px, np.float64) + 0.5) * self._ratio - 0.5 + self._corner

    def to_source(self, points_px: np.ndarray) -> np.ndarray:
        """Map points (..., 2) from target pixels to source pixels."""
        return (np.asarray(points_px, np.float64) - self._corner + 0.5) / self._ratio - 0.5

    def target_to_content(self, points_px: np.ndarray) -> np.ndarray:
        """Map points (..., 2) from target pixels to those of cropped frames."""
        return np.asarray(points_px, np.float64) - self._corner

    @property
    def _ratio(self) -> np.ndarray:
        # Per axis: content is in whole pixels, so the two differ by up to half a pixel's worth.
        return np.array(self.content_size) / np.array(self.source_size)

    @property
    def _corner(self) -> np.ndarray:
        return np.array(self.content_box[:2], np.float64)

    def _require_size(self, image: np.ndarray, size: Size) -> None:
        if image.shape[1::-1] != size:
            raise ValueError(f'the picture is {image.shape[1::-1]}, the letterbox is for {size}')
