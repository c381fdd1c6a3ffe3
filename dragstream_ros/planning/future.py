"""One candidate's future as a planner uses it: pictures, times, trust, and what moved in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.evaluation.metrics import moving_pixels
from dragstream_ros.masks.outline import outline_of
from dragstream_ros.masks.track_points import track_through

if TYPE_CHECKING:  # it would bring torch, which a world model need not use
    from dragstream_ros.core.stream import PredictedChunk

UNKNOWN_RADIUS_PX = 8  # of what is held, where that is not known
RIM_PX = 3  # around what is held, where it blends with what is behind it
FAR_PX = 1e4  # outside of any picture; OpenCV refuses much more


@dataclass(frozen=True, kw_only=True, eq=False)
class Future:
    """T predicted frames after one candidate drag with n handles; pixels are the frames' own.

    frames: (T, H, W, 3) uint8 RGB. offsets_secs, confidence: (T,). asked_px: (n, T, 2), where the
    drag wants its handles. followed_px: (n + q, T, 2), where the handles and q query points are in
    the frames, and found (n + q, T) bool, until they were lost. moved: (H, W) bool, where the last
    frame differs visibly from the anchor's. swept: (H, W) bool, where what is held comes by.
    """

    candidate: int
    frames: np.ndarray
    offsets_secs: np.ndarray
    confidence: np.ndarray
    asked_px: np.ndarray
    followed_px: np.ndarray
    found: np.ndarray
    moved: np.ndarray
    swept: np.ndarray

    @property
    def n_handles(self) -> int:
        """How many of what is followed are handles; the rest are query points."""
        return len(self.asked_px)


def future_of(
    candidate: int, chunks: Sequence[PredictedChunk], *, anchor: np.ndarray,
    command: DragCommand | None = None, query_px: np.ndarray | None = None,
) -> Future:
    """Put a candidate's chunks together and look for its points in them.

    anchor: (H, W, 3) uint8 RGB, the frame that was predicted from. command: the candidate, with its
    handles where they are there. query_px: (q, 2) in the anchor.
    """
    frames = np.concatenate([chunk.frames for chunk in chunks])
    handles_px = [handle.path_px[0] for handle in command.handles] if command else []
    points_px = np.array([*handles_px, *([] if query_px is None else query_px)]).reshape(-1, 2)
    followed, found = track_through([anchor, *frames], points_px)
    return Future(
        candidate=candidate, frames=frames,
        offsets_secs=np.concatenate([chunk.offsets_secs for chunk in chunks]),
        confidence=np.concatenate([chunk.confidence for chunk in chunks]),
        asked_px=_asked(chunks, points_px[:len(handles_px)]),
        followed_px=followed[1:].swapaxes(0, 1), found=found[1:].T,
        moved=moving_pixels(frames[-1:], anchor)[0],
        swept=_swept(chunks, anchor.shape[:2]))


def _asked(chunks: Sequence[PredictedChunk], start_px: np.ndarray) -> np.ndarray:
    """(n, T, 2): a handle stays where its path has ended, and a drag of nothing where it was."""
    tracks, last_px = [], start_px
    for chunk in chunks:
        track = chunk.tracks_px
        if len(track) < len(start_px):
            track = np.repeat(last_px[:, None], len(chunk.frames), axis=1)
        tracks.append(track)
        last_px = track[:, -1]
    return np.concatenate(tracks, axis=1)


def _swept(chunks: Sequence[PredictedChunk], shape: tuple[int, int]) -> np.ndarray:
    swept = np.zeros(shape, np.uint8)
    for chunk in chunks:
        outlines = [
            None if region is None or not region.any() else np.array(outline_of(region))
            for region in chunk.regions]
        for index, poses in enumerate(chunk.poses):
            for handle, (outline, pose) in enumerate(zip(outlines, poses)):
                if outline is None:
                    place = _whole(chunk.tracks_px[handle, index])
                    cv2.circle(swept, place.tolist(), UNKNOWN_RADIUS_PX, 1, cv2.FILLED)
                else:
                    cv2.fillPoly(swept, [_whole(pose.apply(outline))], 1)
        for outline in outlines:
            if outline is not None:
                cv2.fillPoly(swept, [_whole(outline)], 1)
    rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM_PX + 1, 2 * RIM_PX + 1))
    return cv2.dilate(swept, rim) > 0


def _whole(points_px: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(points_px, -FAR_PX, FAR_PX)).astype(np.int32)
