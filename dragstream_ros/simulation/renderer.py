"""Off-screen pictures and segmentations of a MuJoCo model, on a machine with or without a GPU."""

from __future__ import annotations

import ctypes.util
import functools
import importlib
import logging
import os
from typing import Any

import mujoco
import numpy as np

from dragstream_ros.simulation.no_graphics import NoGraphics

log = logging.getLogger(__name__)

MAX_SIZE = 2048


@functools.cache
def _open_context() -> tuple[str, Any]:
    """One OpenGL context per process, kept: opening one takes longer than many pictures.

    OSMesa comes first: at these picture sizes it needs no GPU to be fast, and a missing EGL
    driver shows only when a context is opened. ``MUJOCO_GL`` = osmesa | egl | disable decides
    instead where it is set.
    """
    asked = os.environ.get('MUJOCO_GL', '').lower()
    backends = [asked] if asked in ('osmesa', 'egl') else ['osmesa', 'egl']
    if asked in ('disable', 'disabled', 'off'):
        raise NoGraphics('MUJOCO_GL switches rendering off; unset it to render the tabletop.')
    reasons = []
    for backend in backends:
        if not ctypes.util.find_library({'osmesa': 'OSMesa', 'egl': 'EGL'}[backend]):
            reasons.append(f'{backend}: library not found')
            continue
        try:
            context = importlib.import_module(f'mujoco.{backend}').GLContext(MAX_SIZE, MAX_SIZE)
            context.make_current()
        except Exception as error:  # noqa: BLE001  (drivers fail in their own ways)
            reasons.append(f'{backend}: {error!r}')
            continue
        log.info('rendering the tabletop with %s', backend)
        return backend, context
    raise NoGraphics(
        'No off-screen OpenGL here (' + '; '.join(reasons) + '); install libosmesa6 or libegl1.')


def graphics_backend() -> str:
    """``'osmesa'`` or ``'egl'``. Raises NoGraphics where neither opens."""
    return _open_context()[0]


class Renderer:
    """Pictures of one model through its camera ``camera``; use from one thread."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        _open_context()[1].make_current()
        self._scene = mujoco.MjvScene(model, maxgeom=200)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = 0
        self._perturb = mujoco.MjvPerturb()

    def update(self, data: mujoco.MjData, *, static_only: bool = False) -> None:
        """Take the poses that the next pictures show; of all, or of what cannot move."""
        shown = mujoco.mjtCatBit.mjCAT_STATIC if static_only else mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            self._model, data, self._option, self._perturb, self._camera, shown.value, self._scene)

    def picture(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W, 3) uint8 RGB of size (width, height)."""
        return self._draw(size)

    def geom_ids(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W) int32: the model's geom at each pixel centre, -1 for none."""
        return self.surfaces(size)[0]

    def surfaces(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Geoms as of geom_ids, and how far they are: (H, W) float32 m along the camera's axis."""
        flags = self._scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        depth = np.empty(size[::-1], np.float32)
        drawn = self._draw(size, depth).astype(np.int32)
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
        lookup = np.full(self._scene.ngeom + 1, -1, np.int32)
        for geom in self._scene.geoms[:self._scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.segid >= 0:
                lookup[geom.segid + 1] = geom.objid
        ids = lookup[drawn[..., 0] + (drawn[..., 1] << 8) + (drawn[..., 2] << 16)]
        clip, extent = self._model.vis.map, self._model.stat.extent
        near, far = clip.znear * extent, clip.zfar * extent
        return ids, near / (1 - depth[::-1] * (1 - near / far))

    def close(self) -> None:
        self._context.free()

    def _draw(self, size: tuple[int, int], depth: np.ndarray | None = None) -> np.ndarray:
        width, height = size
        _open_context()[1].make_current()
        view = mujoco.MjrRect(0, 0, width, height)
        pixels = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_render(view, self._scene, self._context)
        mujoco.mjr_readPixels(pixels, depth, view, self._context)
        return np.ascontiguousarray(pixels[::-1])
