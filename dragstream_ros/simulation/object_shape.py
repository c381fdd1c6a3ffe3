"""What an object is made of, as a plain description: parts, and perhaps a limb on a hinge."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dragstream_ros.simulation.colours import Colour
from dragstream_ros.simulation.motion import turned


@dataclass(frozen=True)
class Part:
    """One primitive in its body's frame: ``kind`` box | cylinder | ellipsoid, metres, RGB 0..1."""

    kind: str
    size: tuple[float, float, float]
    position: tuple[float, float, float]
    colour: Colour
    solid: bool = True


@dataclass(frozen=True, kw_only=True)
class Limb:
    """A lid or a link: it turns about ``hinge``, where its own frame begins.

    At angle 0 its frame is turned as the object's. Metres and radians.
    """

    parts: tuple[Part, ...]
    hinge: tuple[float, float, float]
    """In the object's frame."""
    axis: tuple[float, float, float]
    range: tuple[float, float]
    """Least and most angle."""
    angle: float
    """The first one."""
    tip: tuple[float, float, float]
    """Where a hand takes or pushes it, in its own frame."""
    points: np.ndarray = field(repr=False)
    """(k, 3) metres on its surface, in its own frame."""

    @property
    def is_lid(self) -> bool:
        """Its hinge lies; that of a link on the table stands upright."""
        return self.axis[2] == 0

    def next_angle(self, rng: np.random.Generator, angle: float) -> float:
        """Where it turns to from there: a lid opens or closes, a link bends any way."""
        low, high = self.range
        if not self.is_lid:
            return float(rng.uniform(0.9 * low, 0.9 * high))
        return low if angle > (low + high) / 2 else float(rng.uniform(0.75, 1.0) * high)

    def in_object(self, points: np.ndarray, angle: float) -> np.ndarray:
        """Points (k, 3) of its own frame in the object's frame."""
        return points @ self._turn(angle).T + self.hinge

    def in_world(self, points: np.ndarray, pose: np.ndarray, angle: float) -> np.ndarray:
        """The same in the world, for an object at ``pose`` (x, y, z, yaw, ...)."""
        own = self.in_object(points, angle)
        own[:, :2] = [turned(xy, pose[3]) for xy in own[:, :2]]
        return np.asarray(own + pose[:3])

    def from_world(self, point: np.ndarray, pose: np.ndarray, angle: float) -> np.ndarray:
        """Undo :meth:`in_world` for one point (3,)."""
        away = point - pose[:3]
        own = np.array([*turned(away[:2], -pose[3]), away[2]])
        return np.asarray((own - self.hinge) @ self._turn(angle))

    def _turn(self, angle: float) -> np.ndarray:
        """(3, 3), by Rodrigues' formula."""
        x, y, z = self.axis
        cross = np.array([(0, -z, y), (z, 0, -x), (-y, x, 0)])
        return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@dataclass(frozen=True, kw_only=True)
class ObjectShape:
    """An object standing on z = 0 of its own frame, turned about the vertical only."""

    name: str
    parts: tuple[Part, ...]
    colour: Colour
    height: float
    radius: float
    """Metres, of the circle around the footprint."""
    grip_width: float
    """Metres between the fingers that hold it."""
    grip_angle: float
    """Radians, direction of the fingers' axis in the object's frame."""
    grip_offset: tuple[float, float] = (0.0, 0.0)
    platform: float = 0.0
    """Metres, radius of the flat circle on its top that bears other objects; 0: none."""
    lever: tuple[float, float] | None = None
    """Metres along x to the ends that turn it when pushed along y, and from there to its side."""
    limb: Limb | None = None
    points: np.ndarray = field(repr=False)
    """(4, 3) metres on its surface: the centre of its top first, three off-centre ones after."""

    @property
    def all_points(self) -> int:
        """How many points it has, those of the limb, which come last, included."""
        return len(self.points) + (0 if self.limb is None else len(self.limb.points))
