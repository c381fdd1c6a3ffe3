"""The tabletop in motion: MuJoCo's state and the teleoperator, advanced in ticks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol

import mujoco
import numpy as np

from dragstream_ros.simulation import gripper
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.model import SUBSTEPS, TICK_SECS
from dragstream_ros.simulation.teleoperator import Commands
from dragstream_ros.simulation.things import ObjectShape

FASTEST = np.array([0.25, 0.25, 0.25, 3.0])
"""Metres and radians per second: an object squeezed out between two others must not jump."""
STIFFNESS, DAMPING = np.array([260.0, 260.0, 0.5]), np.array([14.0, 14.0, 0.03])
"""Of the force that pulls a sliding object (x, y, yaw) along its path."""


class Operator(Protocol):
    """Who moves the hands and objects, such as the teleoperator."""

    @property
    def hands(self) -> Sequence[Hand]: ...

    def step(self, dt_secs: float, poses: np.ndarray) -> Commands: ...


class World:
    """``points`` of both grippers, all objects and the ``static`` places follow each other."""

    def __init__(
            self, model: mujoco.MjModel, operator: Operator, shapes: list[ObjectShape],
            places: np.ndarray, static: np.ndarray) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.ticks = 0
        self.operator = operator
        self._shapes = shapes
        self._static = static
        self._mocap = {
            model.body(body).name: int(model.body_mocapid[body])
            for body in range(model.nbody) if model.body_mocapid[body] >= 0}
        self._poses[:, [0, 1, 3]] = places
        self._place(self.operator.step(0.0, self._poses))
        self._shade_objects()
        mujoco.mj_forward(model, self.data)

    def copy(self) -> World:
        """A world that goes on by itself, exactly as this one would."""
        twin = copy.copy(self)
        twin.data = copy.copy(self.data)
        twin.operator = copy.deepcopy(self.operator)
        return twin

    def advance(self, ticks: int) -> None:
        for _ in range(ticks):
            self._tick()
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def points(self) -> np.ndarray:
        """(P, 3) metres."""
        groups = [
            self._in_world(f'{body}_{index}', np.array([point]))
            for index in range(2) for body, point in gripper.POINTS]
        groups += [
            self._in_world(f'object_{index}', shape.points)
            for index, shape in enumerate(self._shapes)]
        return np.concatenate([*groups, self._static])

    def body_poses(self) -> np.ndarray:
        """(B, 3, 4) float32: rotation and place, in metres, of every body of the model."""
        return np.concatenate(
            [self.data.xmat.reshape(-1, 3, 3), self.data.xpos[..., None]], -1).astype(np.float32)

    @property
    def _poses(self) -> np.ndarray:
        """(n, 4) view: x, y, z, yaw of the objects, whose joints are the only ones."""
        return self.data.qpos.reshape(-1, 4)

    def _tick(self) -> None:
        poses, speeds = self._poses, self.data.qvel.reshape(-1, 4)
        force = self.data.qfrc_applied.reshape(-1, 4)
        commands = self.operator.step(TICK_SECS, poses)
        self._place(commands)
        lying = [index for index in range(len(poses)) if index not in commands.held]
        poses[lying, 2] = 0.0
        _hold(commands, poses, speeds)
        force[:] = 0.0
        planar = [0, 1, 3]
        for _ in range(SUBSTEPS):
            for index, wish in commands.slides.items():
                force[index, planar] = (
                    STIFFNESS * (wish[:3] - poses[index, planar])
                    + DAMPING * (wish[3:] - speeds[index, planar]))
            mujoco.mj_step(self.model, self.data)
            np.clip(speeds, -FASTEST, FASTEST, out=speeds)
            _hold(commands, poses, speeds)
        poses[lying, 2] = speeds[lying, 2] = 0.0
        self._shade_objects()
        self.ticks += 1

    def _place(self, commands: Commands) -> None:
        for index, pose in enumerate(commands.hands):
            for body, (place, quat) in gripper.body_poses(index, pose).items():
                self._move(body, place, quat)
            self._shade(f'hand_shade_{index}', *pose[[0, 1, 3]])

    def _shade_objects(self) -> None:
        for index, (x, y, _, yaw) in enumerate(self._poses):
            self._shade(f'object_shade_{index}', x, y, yaw)

    def _shade(self, body: str, x: float, y: float, yaw: float) -> None:
        turn = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
        self._move(body, np.array([x, y, 0.0]), turn)

    def _move(self, body: str, place: np.ndarray, quat: np.ndarray) -> None:
        self.data.mocap_pos[self._mocap[body]] = place
        self.data.mocap_quat[self._mocap[body]] = quat

    def _in_world(self, body: str, points: np.ndarray) -> np.ndarray:
        number = self.model.body(body).id
        return points @ self.data.xmat[number].reshape(3, 3).T + self.data.xpos[number]


def _hold(commands: Commands, poses: np.ndarray, speeds: np.ndarray) -> None:
    """Held objects go where the hand takes them, whatever they meet."""
    for index, pose in commands.held.items():
        poses[index], speeds[index] = pose, 0.0
