"""The live tabletop: a random scene for a seed, stepped, rendered and asked for ground truth."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np

from dragstream_ros.simulation.camera import Camera, Workspace, random_camera
from dragstream_ros.simulation.model import (
    HAND_BODIES, HAND_POINTS, SUBSTEPS, TICK_SECS, build_model, random_surroundings)
from dragstream_ros.simulation.renderer import Renderer
from dragstream_ros.simulation.teleoperator import Commands, Teleoperator
from dragstream_ros.simulation.things import random_gripper, random_objects

SUPERSAMPLING = 2
STATIC_POINTS = 6
SHOULDERS = np.array([(-0.62, -0.36, 0.36), (0.62, -0.36, 0.36)])

FASTEST = np.array([0.25, 0.25, 0.25, 3.0])
"""Metres and radians per second: an object squeezed out between two others must not jump."""


@dataclass(frozen=True)
class Thing:
    """``kind`` is gripper | object | static; the static thing is the table."""

    name: str
    kind: str
    colour_rgb: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Where everything is now, in pixels of the picture that ``render`` gives.

    ``points_px`` (P, 2) float32; ``point_visible`` (P,) bool: inside the picture with its own
    thing drawn there; ``point_thing`` (P,) int index into ``things``; ``mask`` (H, W) uint8, 0 for
    background and i + 1 for ``things[i]`` (the table is background).
    """

    time_secs: float
    points_px: np.ndarray
    point_visible: np.ndarray
    point_thing: np.ndarray
    mask: np.ndarray
    things: list[Thing]


@dataclass(frozen=True)
class PictureFrame:
    """Where the picture's content lies between black bars. Sizes are (width, height)."""

    size: tuple[int, int]
    content: tuple[int, int]

    @classmethod
    def fit(cls, size: tuple[int, int], aspect: float) -> PictureFrame:
        """The largest content of ``aspect`` (width / height) that fits, in whole even pixels."""
        width, height = size
        if aspect >= width / height:
            return cls(size, (width, 2 * round(width / aspect / 2)))
        return cls(size, (2 * round(height * aspect / 2), height))

    @property
    def corner(self) -> tuple[int, int]:
        return ((self.size[0] - self.content[0]) // 2, (self.size[1] - self.content[1]) // 2)

    def paste(self, content: np.ndarray) -> np.ndarray:
        if self.size == self.content:
            return content
        whole = np.zeros((self.size[1], self.size[0], *content.shape[2:]), content.dtype)
        x, y = self.corner
        whole[y:y + content.shape[0], x:x + content.shape[1]] = content
        return whole


class TabletopScene:
    """Two teleoperated grippers over a table with objects, seen by one camera.

    The same seed and the same steps give the same world; ``image_size`` is (width, height).
    ``aspect`` other than the picture's own leaves black bars. Use from one thread.
    """

    def __init__(
            self, seed: int, *, image_size: tuple[int, int] = (256, 256),
            aspect: float | None = None) -> None:
        rng = np.random.default_rng(seed)
        frame = PictureFrame.fit(image_size, aspect or image_size[0] / image_size[1])
        self._frame = frame
        self.camera = random_camera(rng, size=frame.content)
        workspace = Workspace(self.camera)
        wide = frame.content[0] / frame.content[1] > 1.2
        self._shapes = random_objects(rng, scale=1.02 if wide else 0.95)
        grippers = (random_gripper(rng),) * 2
        if rng.uniform() < 0.3:
            grippers = (grippers[0], random_gripper(rng))
        places = _scatter(rng, workspace, [shape.radius for shape in self._shapes])
        self._shapes = self._shapes[:len(places)]
        surroundings = random_surroundings(rng, far_y=workspace.corners(margin_px=5)[:, 1].max())
        self._model = build_model(
            self.camera, workspace, surroundings, grippers, self._shapes, places)
        self._data = mujoco.MjData(self._model)
        self._object_qpos().reshape(-1, 4)[:, [0, 1, 3]] = places
        self._static = np.stack([
            np.array([*workspace.random_point(rng), 0.0]) for _ in range(STATIC_POINTS)])
        self._operator = Teleoperator(
            np.random.default_rng(rng.integers(2 ** 63)), workspace, self._shapes)
        self.things = [
            *(Thing(f'gripper_{side}', 'gripper', _bytes(look.palm))
              for side, look in zip(('left', 'right'), grippers)),
            *(Thing(shape.name, 'object', _bytes(shape.colour)) for shape in self._shapes),
            Thing('table', 'static', (0, 0, 0))]
        self.point_thing = np.repeat(
            np.arange(len(self.things)), [4, 4, *[4] * len(self._shapes), STATIC_POINTS])
        self._geom_mask = self._geom_to_mask()
        self._mocap = {
            self._model.body(body).name: int(self._model.body_mocapid[body])
            for body in range(self._model.nbody) if self._model.body_mocapid[body] >= 0}
        self._due_secs = 0.0
        self._ticks = 0
        self._renderer: Renderer | None = None
        self._drawn_tick = -1
        self._place(self._operator.step(0.0, self._object_qpos().reshape(-1, 4)))
        mujoco.mj_forward(self._model, self._data)

    @property
    def image_size(self) -> tuple[int, int]:
        return self._frame.size

    @property
    def time_secs(self) -> float:
        return self._ticks * TICK_SECS

    def step(self, dt_secs: float) -> None:
        """Go on by ``dt_secs``; what is left over of a 1/60 s tick counts at the next call."""
        self._due_secs += dt_secs
        while self._due_secs > TICK_SECS / 2:
            self._due_secs -= TICK_SECS
            self._tick()
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def render(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises NoGraphics where nothing can be rendered."""
        width, height = self._frame.content
        large = self._drawer().picture((width * SUPERSAMPLING, height * SUPERSAMPLING))
        return self._frame.paste(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA))

    def truth(self) -> Truth:
        """Ground truth of now. Raises NoGraphics where the mask cannot be rendered."""
        geoms = self._drawer().geom_ids(self._frame.content)
        mask = self._frame.paste(self._geom_mask[geoms])
        points = self.points_px()
        return Truth(
            time_secs=self.time_secs, points_px=points,
            point_visible=self._visible(points, mask), point_thing=self.point_thing, mask=mask,
            things=self.things)

    def points_px(self) -> np.ndarray:
        """(P, 2) float32 pixels of the ground-truth points now; needs no graphics."""
        pixels = self.camera.project(self._points()) + self._frame.corner
        return pixels.astype(np.float32)

    def look_ahead(self, secs: float, *, rate_hz: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
        """What the teleoperator is about to do, by acting it out on a copy.

        Returns offsets (N,) float64 seconds from now, starting at 0.0, and points (N, P, 2)
        float32 pixels.
        """
        ahead = copy.copy(self)
        ahead._renderer = None
        ahead._data = copy.copy(self._data)
        ahead._operator = self._operator.copy()
        offsets = np.arange(round(secs * rate_hz) + 1) / rate_hz
        points = [ahead.points_px()]
        for _ in offsets[1:]:
            ahead.step(1 / rate_hz)
            points.append(ahead.points_px())
        return offsets, np.stack(points)

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # Motion

    def _object_qpos(self) -> np.ndarray:
        return self._data.qpos

    def _tick(self) -> None:
        poses = self._data.qpos.reshape(-1, 4)
        speeds = self._data.qvel.reshape(-1, 4)
        commands = self._operator.step(TICK_SECS, poses)
        poses[:, 2] = speeds[:, 2] = 0.0
        for index, pose in commands.held.items():
            poses[index], speeds[index] = pose, 0.0
        self._place(commands)
        force = self._data.qfrc_applied.reshape(-1, 4)
        force[:] = 0.0
        for _ in range(SUBSTEPS):
            for index, wish in commands.slides.items():
                force[index, [0, 1, 3]] = (
                    (260.0, 260.0, 0.5) * (wish[:3] - poses[index, [0, 1, 3]])
                    + (14.0, 14.0, 0.03) * (wish[3:] - speeds[index, [0, 1, 3]]))
            mujoco.mj_step(self._model, self._data)
            np.clip(speeds, -FASTEST, FASTEST, out=speeds)
            for index, pose in commands.held.items():
                poses[index], speeds[index] = pose, 0.0
        poses[[index for index in range(len(poses)) if index not in commands.held], 2] = 0.0
        self._shade(poses)
        self._ticks += 1

    def _place(self, commands: Commands) -> None:
        """Put the hands' bodies where the script wants them."""
        for index, (x, y, z, yaw, opening) in enumerate(commands.hands):
            turn = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
            along = np.array([np.cos(yaw), np.sin(yaw), 0.0]) * (opening / 2 + 0.008)
            tool = np.array([x, y, z])
            for body, place in (('hand', tool), ('left', tool - along), ('right', tool + along)):
                self._move(f'{body}_{index}', place, turn)
            wrist = tool + (0, 0, 0.112)
            reach = SHOULDERS[index] - wrist
            quat = np.empty(4)
            mujoco.mju_quatZ2Vec(quat, reach / np.linalg.norm(reach))
            self._move(f'forearm_{index}', wrist, quat)
            self._move(f'shade_hand_{index}', np.array([x, y, 0.0]), turn)

    def _shade(self, poses: np.ndarray) -> None:
        for index, (x, y, _, yaw) in enumerate(poses):
            turn = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
            self._move(f'shade_{index}', np.array([x, y, 0.0]), turn)

    def _move(self, body: str, place: np.ndarray, quat: np.ndarray) -> None:
        self._data.mocap_pos[self._mocap[body]] = place
        self._data.mocap_quat[self._mocap[body]] = quat

    # Truth

    def _points(self) -> np.ndarray:
        """(P, 3) metres."""
        groups = []
        for index in range(2):
            for body, point in zip(('hand', 'hand', 'left', 'right'), HAND_POINTS):
                groups.append(self._in_world(f'{body}_{index}', point[None]))
        for index, shape in enumerate(self._shapes):
            groups.append(self._in_world(f'object_{index}', shape.points))
        return np.concatenate([*groups, self._static])

    def _in_world(self, body: str, points: np.ndarray) -> np.ndarray:
        number = self._model.body(body).id
        return points @ self._data.xmat[number].reshape(3, 3).T + self._data.xpos[number]

    def _visible(self, points: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """A point counts as seen if one of the 3 x 3 pixels around it shows its thing."""
        near = np.round(points).astype(int)
        width, height = self._frame.size
        inside = ((points >= -0.5) & (points < (width - 0.5, height - 0.5))).all(1)
        own = np.where(self.point_thing == len(self.things) - 1, 0, self.point_thing + 1)
        shown = np.zeros(len(points), bool)
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                x, y = np.clip(near[:, 0] + dx, 0, width - 1), np.clip(near[:, 1] + dy, 0, height - 1)
                shown |= mask[y, x] == own
        return inside & shown

    def _geom_to_mask(self) -> np.ndarray:
        """Mask value per geom, with a last entry for "no geom" (index -1)."""
        values = np.zeros(self._model.ngeom + 1, np.uint8)
        for geom in range(self._model.ngeom):
            name = self._model.body(self._model.geom_bodyid[geom]).name
            kind, _, number = name.rpartition('_')
            if kind in HAND_BODIES:
                values[geom] = 1 + int(number)
            elif kind == 'object':
                values[geom] = 3 + int(number)
        return values

    def _drawer(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self._model)
        if self._drawn_tick != self._ticks:
            self._renderer.update(self._data)
            self._drawn_tick = self._ticks
        return self._renderer


def _scatter(
        rng: np.random.Generator, workspace: Workspace, radii: list[float]) -> np.ndarray:
    """(n, 3) x, y, yaw of things that do not touch; fewer than asked where there is no room."""
    places: list[np.ndarray] = []
    for radius in radii:
        for _ in range(60):
            xy = workspace.random_point(rng)
            if all(np.linalg.norm(xy - other[:2]) > radius + radii[index] + 0.012
                   for index, other in enumerate(places)):
                places.append(np.array([*xy, rng.uniform(-np.pi, np.pi)]))
                break
        else:
            break
    return np.stack(places)


def _bytes(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colour)
    return (red, green, blue)


__all__ = ['Camera', 'PictureFrame', 'TabletopScene', 'Thing', 'Truth']
