"""Where points in front of a camera are in its images, and back: CameraInfo through OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo

from dragstream_ros.adapters.camera_info import scaled_camera_info
from dragstream_ros.adapters.letterbox import Size
from dragstream_ros.errors import DragStreamError, ErrorCode

BY_OPENCV = ('', 'plumb_bob', 'rational_polynomial', 'thin_prism')
COMES_BACK_WITHIN = 0.01  # of a metre at one metre's distance


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraModel:
    """A pinhole behind a lens. Points are in the optical frame: x right, y down, z ahead, metres.

    matrix: (3, 3) K. distortion: (N,) of OpenCV. turn, shift: (3, 3) and (3,), from the optical
    frame to the pinhole, which differ for a rectified stereo pair only.
    """

    matrix: np.ndarray
    distortion: np.ndarray
    turn: np.ndarray
    shift: np.ndarray

    @classmethod
    def from_info(
        cls, info: CameraInfo, image_size: Size, *, is_rectified: bool = False
    ) -> CameraModel:
        """Read the calibration for images of this size.

        :param is_rectified: the images have been rectified with it, so that P alone describes them
        :raises DragStreamError: DRAG_INVALID, there is none, or not for such images or lenses
        """
        info = scaled_camera_info(info, image_size=image_size, content_size=image_size)
        numbers = np.concatenate([info.k, info.d, info.r, info.p])
        if info.k[0] == 0.0 or not np.isfinite(numbers).all():
            raise _invalid(
                f'camera_info has no calibration for images of {image_size[0]}x{image_size[1]} '
                'pixels; calibrate the camera, or drag with a tool that speaks in pixels.')
        if is_rectified:
            projection = np.reshape(info.p, (3, 4))
            if np.linalg.det(projection[:, :3]) == 0.0:
                raise _invalid('camera_info has no P, which rectified images need; fill it in.')
            return cls(
                matrix=projection[:, :3], distortion=np.zeros(5), turn=np.eye(3),
                shift=np.linalg.solve(projection[:, :3], projection[:, 3]))
        if info.distortion_model not in BY_OPENCV or len(info.d) not in (0, 4, 5, 8, 12, 14):
            raise _invalid(
                f'The distortion model {info.distortion_model!r} with {len(info.d)} numbers is not '
                'known here; drag on rectified images and set image_is_rectified.')
        turn = np.reshape(info.r, (3, 3))
        return cls(
            matrix=np.reshape(info.k, (3, 3)), distortion=np.array(info.d, np.float64),
            turn=turn.T if turn.any() else np.eye(3), shift=np.zeros(3))

    def project(self, points_m: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) of points (N, 3), also where that is beside the image.

        :raises DragStreamError: a point is behind the camera, or no point at all
        """
        points_m = np.asarray(points_m, np.float64).reshape(-1, 3)
        if not np.isfinite(points_m).all():
            raise DragStreamError(
                ErrorCode.DRAG_NOT_FINITE, 'The position is not a number; please drag again.')
        ahead_m = (points_m @ self.turn.T + self.shift)[:, 2]
        if ahead_m.min() <= 1e-6 or np.abs(points_m).max() > 1e6:
            raise DragStreamError(
                ErrorCode.DRAG_OUTSIDE_IMAGE,
                'The point is behind the camera; please choose one that it sees.')
        positions_px = self._project(points_m, self.distortion)
        # Far outside the image a lens polynomial may fold points back into it: what does not come
        # back to where it was is taken without the lens, which is outside for sure.
        rays = points_m / points_m[:, 2:]
        error = np.abs(self.rays(positions_px) - rays).max(axis=1)
        folded = ~(error < COMES_BACK_WITHIN * np.abs(rays).max(axis=1))
        positions_px[folded] = self._project(points_m[folded], np.zeros(5))
        return positions_px

    def rays(self, positions_px: np.ndarray) -> np.ndarray:
        """Points (N, 3) at z = 1 m that are seen at these pixels (N, 2)."""
        if not len(positions_px):
            return np.zeros((0, 3))
        straight = cv2.undistortPoints(
            np.asarray(positions_px, np.float64)[:, None], self.matrix, self.distortion,
            R=self.turn.T)[:, 0]
        # A rectified image's pinhole may stand beside the optical frame's origin.
        return np.column_stack([straight - self.shift[:2], np.ones(len(straight))])

    def on_plane(self, positions_px: np.ndarray, plane: np.ndarray) -> np.ndarray:
        """Points (N, 3) of a plane that are seen at these pixels (N, 2); NaN where it is not seen.

        plane: (4,), a to d of a x + b y + c z + d = 0.
        """
        origin, rays = -self.turn.T @ self.shift, self.rays(positions_px)
        away = rays - origin        # the pinhole's ray, which may not begin in the origin
        with np.errstate(divide='ignore', invalid='ignore'):
            along = -(origin @ plane[:3] + plane[3]) / (away @ plane[:3])
        points_m = origin + along[:, None] * away
        points_m[~(np.isfinite(along) & (along > 0.0))] = np.nan
        return points_m

    def _project(self, points_m: np.ndarray, distortion: np.ndarray) -> np.ndarray:
        if not len(points_m):
            return np.zeros((0, 2))
        turn_vector, _ = cv2.Rodrigues(self.turn)
        positions_px, _ = cv2.projectPoints(
            points_m, turn_vector, self.shift, self.matrix, distortion)
        return positions_px[:, 0]


def _invalid(sentence: str) -> DragStreamError:
    return DragStreamError(ErrorCode.DRAG_INVALID, sentence)
