"""The tabletop in motion: MuJoCo's state and the teleoperator, advanced in ticks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol

import mujoco
import numpy as np

from dragstream_ros.simulation import gripper
from dragstream_ros.simulation.hands import Hand
from dragstream_ros.simulation.joints import Joints
from dragstream_ros.simulation.model import SUBSTEPS, TICK_SECS
from dragstream_ros.simulation.motion import pose_from, pose_in
from dragstream_ros.simulation.object_shape import ObjectShape
from dragstream_ros.simulation.stacking import bearers, top_of
from dragstream_ros.simulation.teleoperator import Commands

STIFFNESS, DAMPING = np.array([260.0, 260.0, 0.5]), np.array([14.0, 14.0, 0.03])
"""Of the force that pulls a sliding object (x, y, yaw) along its path."""
HINGE_STIFFNESS, HINGE_DAMPING = 0.5, 0.03
FALL_M = 0.006
"""What is in the air and not held comes down by so much in a tick."""


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
        self.shapes = shapes
        self._static = static
        self._mocap = {
            model.body(body).name: int(model.body_mocapid[body])
            for body in range(model.nbody) if model.body_mocapid[body] >= 0}
        self._joints = Joints(model, len(shapes))
        self.data.qpos[self._joints.planar] = places
        for shape, hinge in zip(shapes, self._joints.hinge):
            if shape.limb is not None:
                self.data.qpos[hinge] = shape.limb.angle
        self._place(self.operator.step(0.0, self.poses))
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
        for index, shape in enumerate(self.shapes):
            groups.append(self._in_world(f'object_{index}', shape.points))
            if shape.limb is not None:
                groups.append(self._in_world(f'limb_{index}', shape.limb.points))
        return np.concatenate([*groups, self._static])

    def body_poses(self) -> np.ndarray:
        """(B, 3, 4) float32: rotation and place, in metres, of every body of the model."""
        return np.concatenate(
            [self.data.xmat.reshape(-1, 3, 3), self.data.xpos[..., None]], -1).astype(np.float32)

    @property
    def poses(self) -> np.ndarray:
        """(n, 5): x, y, z, yaw of the objects, and the angle of their hinge, 0 where none is."""
        return self._joints.read(self.data.qpos)

    def _tick(self) -> None:
        poses = self.poses
        commands = self.operator.step(TICK_SECS, poses)
        self._place(commands)
        lower = bearers(poses, self.shapes)
        heights = np.array([
            top_of(lower[index], poses, self.shapes) if index in lower else 0.0
            for index in range(len(poses))])
        riders = {index: below for index, below in lower.items()
                  if index not in commands.held and poses[index, 2] <= heights[index] + FALL_M}
        self._hold(commands)
        for _ in range(SUBSTEPS):
            before = self.poses if riders else None
            self._pull(commands)
            mujoco.mj_step(self.model, self.data)
            np.clip(self.data.qvel, -self._joints.fastest, self._joints.fastest,
                    out=self.data.qvel)
            self._hold(commands)
            if before is not None:
                self._carry(riders, before)
        self._come_down([index for index in range(len(poses))
                         if index not in commands.held and index not in riders], heights)
        self._shade_objects()
        self.ticks += 1

    def _pull(self, commands: Commands) -> None:
        """Pull what goes by itself, or is led by a hand, along its path."""
        at, places, speeds = self._joints, self.data.qpos, self.data.qvel
        force = self.data.qfrc_applied
        force[:] = 0.0
        for index, wish in commands.slides.items():
            planar = at.planar[index, [0, 1, 3]]
            force[planar] = (STIFFNESS * (wish[:3] - places[planar])
                             + DAMPING * (wish[3:] - speeds[planar]))
        for index, (angle, rate) in commands.bends.items():
            hinge = at.hinge[index]
            force[hinge] = (HINGE_STIFFNESS * (angle - places[hinge])
                            + HINGE_DAMPING * (rate - speeds[hinge]))

    def _hold(self, commands: Commands) -> None:
        """Held objects go where the hand takes them, whatever they meet."""
        for index, pose in commands.held.items():
            self.data.qpos[self._joints.planar[index]] = pose
            self.data.qvel[self._joints.planar[index]] = 0.0

    def _carry(self, riders: dict[int, int], before: np.ndarray) -> None:
        """What lies on another object goes along with it."""
        for upper in sorted(riders, key=lambda index: before[index, 2]):
            now = self.poses
            pose = pose_from(now[riders[upper]], pose_in(before[riders[upper]], now[upper]))
            pose[2] = top_of(riders[upper], now, self.shapes)
            self.data.qpos[self._joints.planar[upper]] = pose
            self.data.qvel[self._joints.planar[upper, 2]] = 0.0

    def _come_down(self, objects: list[int], heights: np.ndarray) -> None:
        """Towards ``heights`` (n,), on which they then lie."""
        at = self._joints.planar[objects, 2]
        self.data.qpos[at] = np.maximum(heights[objects], self.data.qpos[at] - FALL_M)
        self.data.qvel[at] = 0.0

    def _place(self, commands: Commands) -> None:
        for index, pose in enumerate(commands.hands):
            for body, (place, quat) in gripper.body_poses(index, pose).items():
                self._move(body, place, quat)
            self._shade(f'hand_shade_{index}', *pose[[0, 1, 3]])

    def _shade_objects(self) -> None:
        for index, (shape, pose) in enumerate(zip(self.shapes, self.poses)):
            x, y, _, yaw, angle = pose
            self._shade(f'object_shade_{index}', x, y, yaw)
            if shape.limb is not None and not shape.limb.is_lid:
                x, y, _ = shape.limb.in_world(np.zeros((1, 3)), pose, angle)[0]
                self._shade(f'limb_shade_{index}', x, y, yaw + angle)

    def _shade(self, body: str, x: float, y: float, yaw: float) -> None:
        turn = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
        self._move(body, np.array([x, y, 0.0]), turn)

    def _move(self, body: str, place: np.ndarray, quat: np.ndarray) -> None:
        self.data.mocap_pos[self._mocap[body]] = place
        self.data.mocap_quat[self._mocap[body]] = quat

    def _in_world(self, body: str, points: np.ndarray) -> np.ndarray:
        number = self.model.body(body).id
        return points @ self.data.xmat[number].reshape(3, 3).T + self.data.xpos[number]
