"""What every pixel shows, and from that the true flow: where what is seen now was seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.simulation.camera import Camera

DEPTH_SLACK_M = 0.02    # nearer than this to what is drawn there, a point counts as drawn there


@dataclass(frozen=True, kw_only=True, eq=False)
class Surfaces:
    """The surfaces that T pictures of one camera show.

    body: (T, H, W) uint8, number of the rigid body, 0 for all that never moves; a thing's shade on
    the table is a body of its own. depth_m: (T, H, W) float16, along the camera's axis. poses:
    (T, B, 3, 4) float32, rotation and place, in metres, of every body. camera: of the content,
    which begins at pixel corner_px (x, y); outside of it, bars, of body 0.
    """

    body: np.ndarray
    depth_m: np.ndarray
    poses: np.ndarray
    camera: Camera
    corner_px: tuple[int, int]

    def flow_back(self, now: int, before: int, *, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """How far what frame ``now`` shows has come since frame ``before``.

        Of one pixel, the one right below the middle, of every square of stride x stride. Returns
        the displacement (h, w, 2) float32 px, (x, y), and whether it was hidden there by something
        else or by a bar, (h, w) bool. What was outside of the picture was not hidden.
        """
        every = slice(stride // 2, None, stride)
        body, depth = self.body[now, every, every], self.depth_m[now, every, every]
        height, width = self.body.shape[1:]
        flow, hidden = np.zeros((*body.shape, 2), np.float32), np.zeros(body.shape, bool)
        rows, columns = np.nonzero(body)
        bodies = body[rows, columns]
        y, x = (np.arange(size)[every][index]
                for size, index in ((height, rows), (width, columns)))
        here = np.stack([x, y], -1)
        turn_now, turn_before = self.poses[now, bodies, :, :3], self.poses[before, bodies, :, :3]
        place = self.camera.unproject(
            here - self.corner_px, depth[rows, columns].astype(np.float64))
        own = np.einsum('nij,ni->nj', turn_now, place - self.poses[now, bodies, :, 3])
        place = np.einsum('nij,nj->ni', turn_before, own) + self.poses[before, bodies, :, 3]
        there = self.camera.project(place) + self.corner_px
        flow[rows, columns] = here - there
        x, y = np.round(there).astype(int).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y = x.clip(0, width - 1), y.clip(0, height - 1)
        near = np.abs(self.camera.depth(place) - self.depth_m[before, y, x]) < DEPTH_SLACK_M
        hidden[rows, columns] = inside & ~(near & (self.body[before, y, x] == bodies))
        still = body == 0
        hidden[still] = (self.body[before, every, every] != 0)[still]
        return flow, hidden
