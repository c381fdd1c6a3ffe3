"""What a drag is: handles, their paths over time, and the pose a handle is asked to have.

Pixels: x right, y down, (0, 0) is the centre of the top-left pixel, so a picture of width W covers
x from -0.5 to W - 0.5. Sizes are (width, height). Angles are radians, positive clockwise on screen.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dragstream_ros.core.grasp import Grasp
from dragstream_ros.core.pose import Pose
from dragstream_ros.errors import DragStreamError, ErrorCode

NOOP_BELOW_PX = 0.5
SHORTEST_ARM_PX = 0.5
SMALLEST_SCALE = 0.1    # of what is dragged to the horizon and beyond


class Operation(enum.IntEnum):
    """How a handle moves. Deformation is the translation of a part of an object."""

    TRANSLATE = 0
    ROTATE = 1


class DragMode(enum.IntEnum):
    """ANIMATE moves along the path over the next chunks; EDIT redoes the newest chunk."""

    ANIMATE = 0
    EDIT = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class DragHandle:
    """One grabbed region and the way it shall go.

    path_px: (N, 2) float64, N >= 1; path_px[0] is the handle point at command time. One point
        means: stay. For ROTATE these are positions of the arm, of which only the direction seen
        from centre_px counts; turns of more than half a circle need way-points in between.
    times_secs: (N,) from 0.0, never decreasing; None: constant speed along the path (constant rate
        of turn for ROTATE), arriving at the command's duration.
    mask: (H, W) bool, the region at command time; None: a disc of radius_px around path_px[0], and
        without a radius what stands out there in the picture.
    grasp: what the model finds out about what is held; nobody sends it.
    """

    path_px: np.ndarray
    times_secs: np.ndarray | None = None
    operation: Operation = Operation.TRANSLATE
    centre_px: np.ndarray | None = None
    mask: np.ndarray | None = None
    radius_px: float | None = None
    grasp: Grasp = Grasp()

    @property
    def turned_about_px(self) -> np.ndarray | None:
        """The point (2,), (x, y), about which it may be turned, alone or by all on its thing."""
        if self.grasp.grip is not None:
            return self.grasp.grip.centre_px
        return self.centre_px if self.operation is Operation.ROTATE else None

    @property
    def posed(self) -> np.ndarray | None:
        """What of its mask its pose is of, (H, W) bool: of an arm whose hand turns, that alone."""
        wrist = self.grasp.wrist
        return self.mask if wrist is None else wrist.hand

    def grasped(self, **found: Any) -> DragHandle:
        """The same with more known of its grasp."""
        return replace(self, grasp=replace(self.grasp, **found))


@dataclass(frozen=True, kw_only=True, eq=False)
class DragCommand:
    """One drag of one operator: handles that move at once, on the picture stamped stamp_ns.

    frozen: (H, W) bool, the region that must not change; None: nothing is protected explicitly.
    """

    drag_id: str
    operator_id: str
    mode: DragMode
    handles: tuple[DragHandle, ...]
    image_size: tuple[int, int]
    stamp_ns: int
    frozen: np.ndarray | None = None
    duration_secs: float = 1.0


def resize_points(
    points_px: np.ndarray, from_size: tuple[int, int], to_size: tuple[int, int]
) -> np.ndarray:
    """Pixel positions (..., 2) after a picture of from_size was resized to to_size."""
    ratio = np.array(to_size, np.float64) / np.array(from_size, np.float64)
    return (points_px + 0.5) * ratio - 0.5


def pose_at(handle: DragHandle, t_secs: float, duration_secs: float) -> Pose:
    """The pose asked of the handle t_secs after the command; after its path's end, the end pose."""
    times_secs, grasp = arrival_times(handle, duration_secs), handle.grasp
    if grasp.grip is not None and grasp.hinge is None:
        centre_px, shift_px = grasp.grip.centre_px, grasp.grip.shift_px(t_secs)
        return Pose(delta_px=shift_px, angle_rad=grasp.grip.angle_rad(t_secs, grasp.flatness),
                    scale=_growth(centre_px, shift_px, grasp.horizon_px), centre_px=centre_px,
                    flatness=grasp.flatness)
    if handle.operation == Operation.ROTATE:
        angle = float(np.interp(t_secs, times_secs, _cumulated(_turns(handle))))
        return Pose(delta_px=np.zeros(2), angle_rad=angle, centre_px=handle.centre_px,
                    flatness=grasp.flatness)
    grabbed = handle.path_px[0]
    shift_px = np.array(
        [np.interp(t_secs, times_secs, axis) for axis in handle.path_px.T]) - grabbed
    if grasp.hinge is not None:
        return Pose(delta_px=shift_px, lever=grasp.hinge.lever(grabbed))
    if grasp.horizon_px is None:
        return Pose(delta_px=shift_px)
    return Pose(delta_px=shift_px, scale=_growth(grabbed, shift_px, grasp.horizon_px),
                centre_px=grabbed)


def poses_at(command: DragCommand, times_secs: np.ndarray) -> list[list[Pose]]:
    """For each of the times (T,), in seconds after the command, the poses of all its handles."""
    return [[pose_at(handle, float(t), command.duration_secs) for handle in command.handles]
            for t in times_secs]


def position_at(handle: DragHandle, t_secs: float, duration_secs: float) -> np.ndarray:
    """Where the handle point (2,) shall be t_secs after the command."""
    start_px, wrist = handle.path_px[0], handle.grasp.wrist
    lift_px = np.zeros(2) if wrist is None else wrist.lift_px(start_px)
    return pose_at(handle, t_secs, duration_secs).apply(start_px + lift_px) - lift_px


def n_segments(
    poses: Iterable[Pose], *, translation_step_px: float, rotation_step_deg: float
) -> int:
    """How many progressive targets the furthest of all handles' poses needs (spec 1.5.1)."""
    steps = [1.0]
    for pose in poses:
        steps.append(float(np.linalg.norm(pose.delta_px)) / translation_step_px)
        steps.append(np.degrees(abs(pose.angle_rad)) / rotation_step_deg)
    # The margin keeps 24 degrees, which radians cannot hold exactly, at three steps of 8.
    return int(max(steps) + 1e-9)


def is_noop(command: DragCommand) -> bool:
    """No handle is ever asked to go half a pixel away from where it is."""
    return all(
        np.linalg.norm(handle.path_px - handle.path_px[0], axis=1).max() < NOOP_BELOW_PX
        for handle in command.handles
    )


def path_leaves_image(command: DragCommand) -> bool:
    """Some handle is asked to leave the picture: allowed, but worth a warning."""
    return any(
        not _inside(handle.path_px, command.image_size).all() for handle in command.handles
    )


def advance(command: DragCommand, t_secs: float) -> DragCommand:
    """What is left of the command t_secs after it was given, as a command given then.

    Every handle stands where the path has brought it, its mask moved along.
    """
    duration_secs = command.duration_secs
    return replace(
        command,
        handles=tuple(_advance(handle, t_secs, duration_secs) for handle in command.handles),
        duration_secs=max(duration_secs - t_secs, 0.0),
    )


def shift(command: DragCommand, deltas_px: Sequence[np.ndarray]) -> DragCommand:
    """The command for handles that have moved by themselves: one displacement (2,) per handle.

    Handle point and mask move by the displacement. A translation still ends where the operator let
    go, so the displacement fades along its path; a rotation (and a handle that shall stay) moves
    as a whole, centre included.
    """
    return replace(
        command,
        handles=tuple(
            _shift(handle, np.asarray(delta_px, np.float64), command.duration_secs)
            for handle, delta_px in zip(command.handles, deltas_px, strict=True)
        ),
    )


def validate_command(command: DragCommand) -> None:
    """Raise DragStreamError, with one of the DRAG_* codes, if the command makes no sense."""
    width, height = command.image_size
    _require(
        width > 0 and height > 0,
        ErrorCode.DRAG_WRONG_SIZE,
        f'The drag refers to a picture of {width}x{height} pixels; give the size it was drawn on.',
    )
    _require(
        bool(command.handles), ErrorCode.DRAG_EMPTY, 'The drag has no handle; grab something.'
    )
    _require(
        bool(np.isfinite(command.duration_secs)),
        ErrorCode.DRAG_NOT_FINITE,
        'The duration of the drag is not a finite number.',
    )
    _require(
        command.duration_secs > 0.0,
        ErrorCode.DRAG_INVALID,
        f'A drag cannot last {command.duration_secs:g} s; give a positive duration.',
    )
    _validate_mask(command.frozen, command.image_size, 'The frozen region')
    for index, handle in enumerate(command.handles):
        _validate_handle(handle, command.image_size, f'Handle {index}')


def _validate_handle(handle: DragHandle, image_size: tuple[int, int], name: str) -> None:
    path_px = handle.path_px
    _require(path_px.size > 0, ErrorCode.DRAG_EMPTY, f'{name} has no path points.')
    _require(
        path_px.ndim == 2 and path_px.shape[1] == 2,
        ErrorCode.DRAG_INVALID,
        f'{name} has a path of shape {path_px.shape}; it must be (N, 2).',
    )
    numbers = (path_px, handle.radius_px, handle.times_secs, handle.centre_px)
    _require(
        all(np.isfinite(x).all() for x in numbers if x is not None),
        ErrorCode.DRAG_NOT_FINITE,
        f'{name} has a number that is NaN or infinite.',
    )
    _require(
        bool(_inside(path_px[0], image_size)),
        ErrorCode.DRAG_OUTSIDE_IMAGE,
        f'{name} starts at ({path_px[0, 0]:.1f}, {path_px[0, 1]:.1f}), outside the '
        f'{image_size[0]}x{image_size[1]} picture; start the drag inside it.',
    )
    _require(
        handle.radius_px is None or handle.radius_px > 0.0,
        ErrorCode.DRAG_INVALID,
        f'{name} has a radius of {handle.radius_px} px; it must be positive.',
    )
    if handle.times_secs is not None:
        _validate_times(handle.times_secs, len(path_px), name)
    if handle.operation == Operation.ROTATE:
        _validate_rotation(handle, name)
    _validate_mask(handle.mask, image_size, f'The mask of {name.lower()}')


def _validate_times(times_secs: np.ndarray, n_points: int, name: str) -> None:
    _require(
        times_secs.shape == (n_points,),
        ErrorCode.DRAG_INVALID,
        f'{name} has {n_points} path points but {times_secs.size} times; give one each, or none.',
    )
    _require(
        times_secs[0] == 0.0 and bool((np.diff(times_secs) >= 0.0).all()),
        ErrorCode.DRAG_INVALID,
        f'{name} has times that do not start at 0 or that go backwards.',
    )


def _validate_rotation(handle: DragHandle, name: str) -> None:
    if handle.centre_px is None or handle.centre_px.shape != (2,):
        raise DragStreamError(
            ErrorCode.DRAG_INVALID, f'{name} shall rotate but has no centre (x, y).'
        )
    arms_px = np.linalg.norm(handle.path_px - handle.centre_px, axis=1)
    _require(
        arms_px.min() >= SHORTEST_ARM_PX,
        ErrorCode.DRAG_INVALID,
        f'{name} shall rotate but its path touches the centre, where there is no angle.',
    )


def _validate_mask(mask: np.ndarray | None, image_size: tuple[int, int], name: str) -> None:
    if mask is None:
        return
    _require(
        mask.dtype == np.bool_ and mask.shape == image_size[::-1],
        ErrorCode.DRAG_INVALID,
        f'{name} is {mask.dtype} of shape {mask.shape}; it must be bool of {image_size[::-1]}.',
    )
    _require(bool(mask.any()), ErrorCode.DRAG_INVALID, f'{name} is empty.')


def _require(holds: bool, code: ErrorCode, sentence: str) -> None:
    if not holds:
        raise DragStreamError(code, sentence)


def _inside(points_px: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    return np.all((points_px >= -0.5) & (points_px <= np.array(image_size) - 0.5), axis=-1)


def _advance(handle: DragHandle, t_secs: float, duration_secs: float) -> DragHandle:
    times_secs = arrival_times(handle, duration_secs)
    pose = pose_at(handle, t_secs, duration_secs)
    ahead = times_secs > t_secs
    return replace(
        handle,
        path_px=np.concatenate([pose.apply(handle.path_px[:1]), handle.path_px[ahead]]),
        times_secs=np.concatenate([[0.0], times_secs[ahead] - t_secs]),
        mask=_moved(handle.mask, pose),
    )


def _shift(handle: DragHandle, delta_px: np.ndarray, duration_secs: float) -> DragHandle:
    moves_whole = handle.operation == Operation.ROTATE or len(handle.path_px) == 1
    travelled = _cumulated(np.linalg.norm(np.diff(handle.path_px, axis=0), axis=1))
    share = np.ones(len(handle.path_px))
    if not moves_whole and travelled[-1] > 0.0:
        share = 1.0 - travelled / travelled[-1]
    return replace(
        handle,
        path_px=handle.path_px + share[:, None] * delta_px,
        # Bending a path changes its lengths; the arrival times stay as the operator gave them.
        times_secs=arrival_times(handle, duration_secs),
        centre_px=None if handle.centre_px is None else handle.centre_px + delta_px,
        mask=_moved(handle.mask, Pose(delta_px=delta_px)),
    )


def _moved(mask: np.ndarray | None, pose: Pose) -> np.ndarray | None:
    """The mask after the motion: every pixel looks back to where it came from."""
    if mask is None:
        return None
    height, width = mask.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    source = pose.back().apply(pixels.astype(np.float64))
    moved = np.zeros_like(mask)
    seen = _inside(source, (width, height))
    x, y = np.rint(source[seen]).astype(int).T
    moved[seen] = mask[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return moved


def arrival_times(handle: DragHandle, duration_secs: float) -> np.ndarray:
    """When each way-point (N,) is reached, in seconds after the command."""
    if handle.times_secs is not None:
        return np.asarray(handle.times_secs, np.float64)
    if handle.operation == Operation.ROTATE:
        travelled = _cumulated(np.abs(_turns(handle)))
    else:
        travelled = _cumulated(np.linalg.norm(np.diff(handle.path_px, axis=0), axis=1))
    return travelled * (duration_secs / travelled[-1]) if travelled[-1] > 0.0 else travelled


def _turns(handle: DragHandle) -> np.ndarray:
    """Signed angle (N - 1,) from each arm to the next, each at most half a circle."""
    arms = (handle.path_px - handle.centre_px) / (1.0, handle.grasp.flatness)
    angles = np.arctan2(arms[:, 1], arms[:, 0])
    return np.pi - np.mod(np.pi - np.diff(angles), 2.0 * np.pi)


def _growth(grabbed_px: np.ndarray, shift_px: np.ndarray, horizon_px: float | None) -> float:
    """How much larger a thing of the plane looks after a shift; 1 where the plane is not known."""
    if horizon_px is None or grabbed_px[1] <= horizon_px:   # or in the sky
        return 1.0
    return max(1.0 + float(shift_px[1]) / float(grabbed_px[1] - horizon_px), SMALLEST_SCALE)


def _cumulated(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(steps)])
