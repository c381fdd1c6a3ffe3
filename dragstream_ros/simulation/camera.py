"""The fixed pinhole camera that looks down at the table, and the part of the table it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REFERENCE_WIDTH_PX = 128
"""Sizes and speeds of the simulation are thought of in pixels of a picture this wide."""


@dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """Focal length and principal point (x, y), pixels; (0, 0) is the top-left pixel's centre."""

    focal_px: float
    centre_px: tuple[float, float]

    def moved(self, corner_px: tuple[int, int]) -> Intrinsics:
        """Of a picture in which this one begins at ``corner_px``."""
        x, y = self.centre_px
        return Intrinsics(
            focal_px=self.focal_px, centre_px=(x + corner_px[0], y + corner_px[1]))


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera without distortion, in metres and pixels of the content (no bars).

    ``rotation``: (3, 3), columns are the camera's x (right), y (up) and z (backwards) axes in the
    world, as MuJoCo has them. Pixel (0, 0) is the centre of the top-left pixel.
    """

    position: np.ndarray
    rotation: np.ndarray
    focal_px: float
    size: tuple[int, int]

    @property
    def fovy_deg(self) -> float:
        return float(np.degrees(2 * np.arctan(self.size[1] / 2 / self.focal_px)))

    @property
    def is_wide(self) -> bool:
        return self.size[0] / self.size[1] > 1.2

    @property
    def intrinsics(self) -> Intrinsics:
        return Intrinsics(
            focal_px=self.focal_px, centre_px=(self.size[0] / 2 - 0.5, self.size[1] / 2 - 0.5))

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in metres to pixels (..., 2), (x, y)."""
        local = (points - self.position) @ self.rotation
        scale = self.focal_px / -local[..., 2:]
        return local[..., :2] * scale * (1, -1) + self.intrinsics.centre_px

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Depth (...) in metres, along the camera's axis, of world points (..., 3)."""
        return -((points - self.position) @ self.rotation[:, 2])

    def unproject(self, pixels: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
        """World points (..., 3) that are seen at pixels (..., 2) at that depth (...)."""
        flat = (np.asarray(pixels, float) - self.intrinsics.centre_px) * (1, -1) / self.focal_px
        rays = np.concatenate([flat, -np.ones_like(flat[..., :1])], -1)
        return self.position + (rays * depth_m[..., None]) @ self.rotation.T

    def on_table(self, pixels: np.ndarray, *, height: float = 0.0) -> np.ndarray:
        """Pixels (..., 2) to the points (..., 2) of the plane z = height that they show."""
        flat = (np.asarray(pixels, float) - self.intrinsics.centre_px) * (1, -1) / self.focal_px
        rays = np.concatenate([flat, -np.ones_like(flat[..., :1])], -1) @ self.rotation.T
        return (self.position + rays * (height - self.position[2]) / rays[..., 2:])[..., :2]

    def px_per_metre(self, xy: np.ndarray) -> float:
        """Picture scale (across the line of sight) at a point of the table."""
        point = np.array([xy[0], xy[1], 0.0])
        return self.focal_px / -float((point - self.position) @ self.rotation[:, 2])


def random_camera(rng: np.random.Generator, *, size: tuple[int, int]) -> Camera:
    """A camera over the near edge, 50 to 60 degrees above the table, that fills ``size``.

    Wide pictures see a bit more table per pixel, so that there is room to move things down in them.
    """
    elevation, azimuth = np.radians(rng.uniform(50, 60)), np.radians(rng.uniform(-8, 8))
    distance = rng.uniform(0.85, 1.05)
    target = np.array([rng.uniform(-0.01, 0.01), rng.uniform(-0.01, 0.01), 0.02])
    back = np.array([
        np.cos(elevation) * np.sin(azimuth), -np.cos(elevation) * np.cos(azimuth),
        np.sin(elevation)])
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    aspect = size[0] / size[1]
    zoom = 1.0 if aspect < 1.2 else 0.86 if aspect < 1.5 else 0.8084
    px_per_metre = rng.uniform(218, 240) * zoom * size[0] / REFERENCE_WIDTH_PX
    return Camera(
        position=target + distance * back,
        rotation=np.stack([right, np.cross(back, right), back], axis=1),
        focal_px=px_per_metre * distance, size=size)


class Workspace:
    """The quadrilateral of the table in which things are placed and moved."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        width, height = camera.size
        self._scale = width / REFERENCE_WIDTH_PX
        # Pixels are counted from the first one's centre, which resizing moves.
        self._shift_px = (self._scale - 1) / 2
        self._low = np.array([0.11 * width, 0.24 * height]) + self._shift_px
        self._high = np.array([0.89 * width, 0.86 * height]) + self._shift_px
        self.metres_per_px = self._scale / camera.px_per_metre(np.zeros(2))
        """Metres per reference pixel in the middle of the picture."""

    def corners(self, *, margin_px: float = 0.0) -> np.ndarray:
        """(4, 2) metres, counter-clockwise seen from above, grown by reference pixels."""
        grow = margin_px * self._scale
        (x0, y0), (x1, y1) = self._low - grow, self._high + grow
        return self.camera.on_table(np.array([[x0, y1], [x1, y1], [x1, y0], [x0, y0]]))

    def random_point(
            self, rng: np.random.Generator, *, left: float = 0.0, right: float = 1.0) -> np.ndarray:
        """(2,) metres, uniform in the picture between two fractions of its width."""
        part = np.array([rng.uniform(left, right), rng.uniform()])
        return self.camera.on_table(self._low + part * (self._high - self._low))

    def share_of_width(self, xy: np.ndarray) -> float:
        """Where a point of the table is in the picture: 0 left, 1 right."""
        pixel = self.camera.project(np.array([xy[0], xy[1], 0.0]))[0]
        return float(pixel - self._shift_px) / self.camera.size[0]

    def contains(self, xy: np.ndarray) -> bool:
        pixel = self.camera.project(np.array([xy[0], xy[1], 0.0]))
        return bool(np.all(pixel >= self._low) and np.all(pixel <= self._high))
