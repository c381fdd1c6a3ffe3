"""Where the objects' joints are in MuJoCo's state."""

from __future__ import annotations

import mujoco
import numpy as np

PLANAR = ('x', 'y', 'z', 'yaw')
FASTEST_M, FASTEST_RAD = 0.25, 3.0
"""Per second: an object squeezed out between two others must not jump."""


class Joints:
    """Every joint has one degree of freedom, so its place and its speed have the same address.

    ``planar``: (n, 4) addresses of x, y, z, yaw; ``hinge``: (n,), -1 for an object without a limb;
    ``fastest``: (nv,) m/s and rad/s.
    """

    def __init__(self, model: mujoco.MjModel, count: int) -> None:
        assert model.nq == model.nv
        address = {model.joint(joint).name: int(model.jnt_qposadr[joint])
                   for joint in range(model.njnt)}
        self.planar = np.array([
            [address[f'object_{index}_{name}'] for name in PLANAR] for index in range(count)])
        self.hinge = np.array([address.get(f'object_{index}_hinge', -1) for index in range(count)])
        self.fastest = np.where(
            model.jnt_type == mujoco.mjtJoint.mjJNT_SLIDE, FASTEST_M, FASTEST_RAD)

    def read(self, state: np.ndarray) -> np.ndarray:
        """(n, 5): x, y, z, yaw and the hinge's angle, 0 where there is none, of (nv,)."""
        hinges = np.where(self.hinge < 0, 0.0, state[self.hinge])
        return np.concatenate([state[self.planar], hinges[:, None]], axis=1)
