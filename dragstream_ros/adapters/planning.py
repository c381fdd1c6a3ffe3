"""Goals of the action `predict` to what the worker is told, and futures to messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.adapters.drag import command_from_drag
from dragstream_ros.adapters.image import array_from_image, image_from_array
from dragstream_ros.adapters.stamp import ns_from_stamp
from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import PointTrack, PredictedClip, PredictedFuture
from dragstream_ros.worker.protocol import ANY_SIZE, CandidateFuture, StartGoal

if TYPE_CHECKING:
    from dragstream_ros.action import Predict
    from dragstream_ros.msg import Drag

SHORTEST_HORIZON_SECS = 0.001
LONGEST_HORIZON_SECS = 60.0
MOST_CANDIDATES = 256
MOST_QUERY_POINTS = 256
# All candidates together: what is told of them is made into messages in the node's only thread.
MOST_FUTURE_SECS = 600.0
MOST_POINT_SECS = 6000.0


def start_from_goal(
    goal: Predict.Goal, *, goal_id: int, generation: int, now_secs: float,
    default_horizon_secs: float, camera_info: CameraInfo | None,
) -> StartGoal:
    """Check a goal and put it as the worker wants it; now_secs: time.monotonic().

    camera_info: the newest, which a goal with a plane needs.

    :raises DragStreamError: GOAL_INVALID, and any DRAG_* code that needs no knowledge of images
    """
    _require(
        1 <= len(goal.candidates) <= MOST_CANDIDATES,
        f'A goal has 1 to {MOST_CANDIDATES} candidates, not {len(goal.candidates)}.')
    _require_secs(goal.horizon_secs, 'horizon', LONGEST_HORIZON_SECS)
    horizon_secs = float(goal.horizon_secs) or default_horizon_secs
    _require(
        horizon_secs >= SHORTEST_HORIZON_SECS,
        f'The horizon must be 0, for the default, or at least {SHORTEST_HORIZON_SECS} s.')
    _require_bounded(goal, horizon_secs)
    _require_secs(goal.deadline_secs, 'deadline', 3600.0)
    if plane_of(goal) is not None:
        _require_camera(camera_info)
    return StartGoal(
        goal_id=goal_id, generation=generation, horizon_secs=horizon_secs,
        candidates=tuple(_command(drag, index) for index, drag in enumerate(goal.candidates)),
        query=_query(goal.query_points, goal.candidates[0]),
        goal_px=_goal_points(goal),
        goal_image=array_from_image(goal.goal_image) if len(goal.goal_image.data) else None,
        deadline=now_secs + goal.deadline_secs if goal.deadline_secs else None)


def plane_of(goal: Predict.Goal) -> np.ndarray | None:
    """The plane (4,) that a goal names: a to d of a x + b y + c z + d = 0, optical frame, m.

    :raises DragStreamError: GOAL_INVALID
    """
    plane = np.array(goal.plane, np.float64)
    if not plane.any():
        return None
    _require(
        bool(np.isfinite(plane).all() and plane[:3].any()),
        'The plane needs a normal (a, b, c) that is not zero, and finite numbers.')
    return plane


def future_message(
    found: CandidateFuture, *, clip: PredictedClip, handle_names: Sequence[str],
    plane: np.ndarray | None = None,
) -> PredictedFuture:
    """Put a future as a message; clip: of its chunk; plane: of the goal."""
    score = found.score
    names = [*handle_names, *[''] * len(found.followed_px)]
    on_plane = None if plane is None else _on_plane(found.followed_px, clip, plane)
    return PredictedFuture(
        candidate=found.candidate, clip=clip,
        followed=[
            PointTrack(
                name=name, found=seen.tolist(), positions=_points(track),
                positions_m=[] if on_plane is None else _points(on_plane[index]))
            for index, (name, track, seen) in enumerate(
                zip(names, found.followed_px, found.found, strict=False))],
        moved=image_from_array(found.moved, clip.header),
        drag_obeyed=score.drag_obeyed, background_kept=score.background_kept,
        confidence=score.confidence, point_distance_px=score.point_distance_px,
        feature_distance=score.feature_distance, pixel_distance=score.pixel_distance,
        cost=score.cost)


def without_frames(future: PredictedFuture) -> PredictedFuture:
    """The same, for a result whose reader has had the frames as feedback."""
    clip = future.clip
    return PredictedFuture(**{
        **{name: getattr(future, name) for name in future.get_fields_and_field_types()},
        'clip': PredictedClip(**{
            name: getattr(clip, name) for name in clip.get_fields_and_field_types()
            if name != 'frames'})})


def _points(positions: np.ndarray) -> list[Point]:
    """Of (n, 2), or of (n, 3)."""
    return [Point(**dict(zip('xyz', position))) for position in positions.tolist()]


def _on_plane(tracks_px: np.ndarray, clip: PredictedClip, plane: np.ndarray) -> np.ndarray | None:
    """The tracks (n, F, 2) in metres, (n, F, 3); None where calibration has been lost meanwhile."""
    info = clip.camera_info
    try:
        camera = CameraModel.from_info(info, (info.width, info.height))
    except DragStreamError:
        return None
    return camera.on_plane(tracks_px.reshape(-1, 2), plane).reshape(*tracks_px.shape[:2], 3)


def _require_camera(info: CameraInfo | None) -> None:
    if info is None:
        raise DragStreamError(
            ErrorCode.GOAL_INVALID,
            'The goal names a plane, but no camera_info has come yet, which says where that is '
            'seen; publish it, or leave the plane out.')
    try:
        CameraModel.from_info(info, (info.width, info.height))
    except DragStreamError as error:
        raise DragStreamError(ErrorCode.GOAL_INVALID, error.sentence) from error


def _command(drag: Drag, index: int) -> DragCommand | None:
    if not drag.handles:
        return None
    try:
        return command_from_drag(drag)
    except DragStreamError as error:
        raise DragStreamError(error.code, f'Candidate {index}: {error.sentence}') from error


def _query(points: Sequence[Point], drag: Drag) -> DragCommand | None:
    if not points:
        return None
    _require(
        len(points) <= MOST_QUERY_POINTS,
        f'A goal has {MOST_QUERY_POINTS} query points at most, not {len(points)}.')
    places = np.array([(point.x, point.y) for point in points])
    _require(bool(np.isfinite(places).all()), 'Query points must be finite numbers.')
    size = (drag.image_width, drag.image_height) if drag.handles else ANY_SIZE
    return DragCommand(
        drag_id='query', operator_id=drag.operator_id, mode=DragMode.ANIMATE,
        handles=tuple(DragHandle(path_px=place[None]) for place in places),
        image_size=size, stamp_ns=ns_from_stamp(drag.header.stamp))


def _goal_points(goal: Predict.Goal) -> np.ndarray | None:
    if not goal.goal_points:
        return None
    points = np.array([(point.x, point.y) for point in goal.goal_points])
    _require(
        len(points) == len(goal.query_points) and bool(np.isfinite(points).all()),
        f'There are {len(goal.goal_points)} goal points for {len(goal.query_points)} query points; '
        'give one each, of finite numbers.')
    return points


def _require_bounded(goal: Predict.Goal, horizon_secs: float) -> None:
    n_points = sum(
        len(drag.handles) + len(goal.query_points) for drag in goal.candidates)
    _require(
        len(goal.candidates) * horizon_secs <= MOST_FUTURE_SECS,
        f'All candidates together are {MOST_FUTURE_SECS:g} s at most; send fewer, or ask for a '
        'shorter horizon.')
    _require(
        n_points * horizon_secs <= MOST_POINT_SECS,
        f'The points of all candidates are followed for {MOST_POINT_SECS:g} s at most; send fewer '
        'candidates or query points, or ask for a shorter horizon.')


def _require_secs(secs: float, name: str, most_secs: float) -> None:
    _require(
        math.isfinite(secs) and 0.0 <= secs <= most_secs,
        f'The {name} must be 0 to {most_secs:g} s, not {secs:g}.')


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise DragStreamError(ErrorCode.GOAL_INVALID, sentence)
