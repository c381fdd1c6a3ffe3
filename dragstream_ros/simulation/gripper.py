"""A gripper with its forearm: mocap bodies of primitives, and where they go for a hand's pose."""

from __future__ import annotations

import mujoco
import numpy as np

from dragstream_ros.simulation.things import GripperLook

BODIES = ('hand', 'left', 'right', 'forearm')
POINTS = (
    ('hand', (0, 0, 0)), ('hand', (0, -0.019, 0.062)), ('left', (0, -0.010, 0.0)),
    ('right', (0, -0.010, 0.0)))
"""Tool centre, palm and both fingertips: body, and metres in its frame."""
_SHOULDERS = np.array([(-0.62, -0.36, 0.36), (0.62, -0.36, 0.36)])
"""Where the left and the right forearm point to, outside the picture."""
_WRIST = np.array([0.0, 0.0, 0.112])
_HALF_FINGER = 0.008
_UNTOUCHED = {'contype': 0, 'conaffinity': 0}
_TOUCHING = {
    'contype': 1, 'conaffinity': 1, 'friction': [0.3, 0.005, 0.0001], 'solref': [0.04, 1.0]}


def add_gripper(world: mujoco.MjsBody, index: int, look: GripperLook) -> None:
    """Palm and fingers push objects; the arm, which would sweep the table, does not."""
    box, cylinder = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
    hand = world.add_body(name=f'hand_{index}', mocap=True)
    hand.add_geom(
        type=box, size=[0.052, 0.019, 0.014], pos=[0, 0, 0.062], rgba=[*look.palm, 1], **_TOUCHING)
    hand.add_geom(
        type=cylinder, size=[0.021, 0.016, 0], pos=[0, 0, 0.09], rgba=[*look.arm, 1], **_UNTOUCHED)
    for side in ('left', 'right'):
        finger = world.add_body(name=f'{side}_{index}', mocap=True)
        finger.add_geom(
            type=box, size=[_HALF_FINGER, 0.010, 0.030], pos=[0, 0, 0.020],
            rgba=[*look.finger, 1], **_TOUCHING)
    forearm = world.add_body(name=f'forearm_{index}', mocap=True)
    forearm.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0, 0, 0, 0.9], size=[0.021, 0, 0],
        rgba=[*look.arm, 1], **_UNTOUCHED)
    forearm.add_geom(
        type=cylinder, fromto=[0, 0, 0.045, 0, 0, 0.06], size=[0.0225, 0, 0],
        rgba=[*look.palm, 1], **_UNTOUCHED)


def body_poses(index: int, pose: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Position and quaternion per body name, for gripper ``index`` at (x, y, z, yaw, opening)."""
    tool, yaw, opening = pose[:3], pose[3], pose[4]
    turn = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
    along = np.array([np.cos(yaw), np.sin(yaw), 0.0]) * (opening / 2 + _HALF_FINGER)
    wrist = tool + _WRIST
    to_shoulder = _SHOULDERS[index] - wrist
    lean = np.empty(4)
    mujoco.mju_quatZ2Vec(lean, to_shoulder / np.linalg.norm(to_shoulder))
    return {
        f'hand_{index}': (tool, turn), f'left_{index}': (tool - along, turn),
        f'right_{index}': (tool + along, turn), f'forearm_{index}': (wrist, lean)}
