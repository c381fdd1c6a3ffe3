"""Published measures of a dragged video: ObjMC and the Dragging Accuracy Index, and what stays."""

from __future__ import annotations

import numpy as np

from dragstream_ros.evaluation.colours import grown
from dragstream_ros.evaluation.drag_case import DragCase
from dragstream_ros.evaluation.flow_warp import flow_warp_difference
from dragstream_ros.evaluation.metrics import moving_pixels, psnr_db
from dragstream_ros.masks.track_points import track_through

THING_MARGIN_PX = 4     # around the dragged thing, whose soft edge and shade are not background


def object_motion_error_px(frames: np.ndarray, case: DragCase) -> tuple[float, bool]:
    """ObjMC: mean distance of the handle point, tracked, from the path it was asked to take.

    frames: (T, H, W, 3) uint8 RGB, the future after the case's last frame. The tracker is optical
    flow, checked forth and back. Also whether it lost the point: up to where it did, the mean is
    taken of the frames before, and is nan if there are none.
    """
    shown = [case.past[-1], *frames]
    tracks_px, found = track_through(shown, case.path_px[:1].astype(np.float64))
    seen = found[1:, 0]
    error_px = np.linalg.norm(tracks_px[1:, 0] - case.path_px[1:], axis=-1)[seen]
    return (float(error_px.mean()) if len(error_px) else float('nan')), not seen.all()


def dragging_accuracy_index(frames: np.ndarray, case: DragCase, radius_px: int) -> float:
    """DAI (GoodDrag): how much the patch at the end differs from the one that was grabbed.

    Mean over the (1 + 2 radius)^2 pixels of the squared RGB distance, values in 0..1; 0 is best.
    A patch that reaches out of the picture goes on with its border.
    """
    before, after = (
        _patch(picture, point_px, radius_px)
        for picture, point_px in ((case.past[-1], case.path_px[0]), (frames[-1], case.path_px[-1])))
    return float(((before - after) ** 2).sum(-1).mean())


def flicker(frames: np.ndarray, case: DragCase) -> float:
    """Mean flow-warp difference between neighbouring pictures, the last real one included."""
    if case.is_edit:
        return float('nan')
    found = [flow_warp_difference(before, after)
             for before, after in zip([case.past[-1], *frames], frames)]
    return float(np.nanmean(found)) if np.isfinite(found).any() else float('nan')


def background_psnr_db(frames: np.ndarray, case: DragCase) -> float:
    """Likeness to the truth where nothing truly moves and the dragged thing never comes near."""
    thing = case.start_whole | case.future_whole.any(0)
    moving = moving_pixels(case.future, case.past[-1]).any(0)
    still = ~grown(thing, THING_MARGIN_PX) & ~moving
    return psnr_db(frames, case.future, np.broadcast_to(still, frames.shape[:3]))


def _patch(picture: np.ndarray, point_px: np.ndarray, radius_px: int) -> np.ndarray:
    x, y = np.round(point_px).astype(int) + radius_px
    padded = np.pad(picture, ((radius_px,) * 2, (radius_px,) * 2, (0, 0)), mode='edge') / 255
    height, width = picture.shape[:2]
    x, y = (np.clip(x, radius_px, width - 1 + radius_px),
            np.clip(y, radius_px, height - 1 + radius_px))
    side = slice(-radius_px, radius_px + 1)
    patch: np.ndarray = padded[y + side.start:y + side.stop, x + side.start:x + side.stop]
    return patch
