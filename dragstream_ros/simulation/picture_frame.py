"""Where a picture's content lies between its black bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PictureFrame:
    """A picture of ``size`` whose middle is ``content``; both are (width, height)."""

    size: tuple[int, int]
    content: tuple[int, int]

    @classmethod
    def fit(cls, size: tuple[int, int], aspect: float) -> PictureFrame:
        """The largest content of ``aspect`` (width / height) that fits, in whole even pixels."""
        width, height = size
        if aspect >= width / height:
            return cls(size, (width, min(height, 2 * round(width / aspect / 2))))
        return cls(size, (min(width, 2 * round(height * aspect / 2)), height))

    @property
    def corner(self) -> tuple[int, int]:
        """Pixel (x, y) of the picture at which the content begins."""
        return ((self.size[0] - self.content[0]) // 2, (self.size[1] - self.content[1]) // 2)

    def paste(self, content: np.ndarray) -> np.ndarray:
        """The whole picture, (H, W) or (H, W, 3), zero (black) outside ``content``."""
        if self.size == self.content:
            return content
        whole = np.zeros((self.size[1], self.size[0], *content.shape[2:]), content.dtype)
        x, y = self.corner
        whole[y:y + content.shape[0], x:x + content.shape[1]] = content
        return whole
