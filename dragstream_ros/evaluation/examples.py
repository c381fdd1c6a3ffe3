"""Chooses from a recording what to show on a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.core.drag import DragCommand, path_leaves_image
from dragstream_ros.evaluation.contact_sheet import Example
from dragstream_ros.evaluation.drawing import resize, shares
from dragstream_ros.evaluation.recording import Prediction, Recording

OFFSETS_SECS = (0.2, 0.4, 0.6, 0.8, 1.0)
NEAR_ENOUGH_SECS = 0.08  # a 10 Hz camera has a frame at most 0.05 s from any moment
LATEST_SECS = 0.3  # a prediction that starts later shows a drag that is no longer meant


def choose_examples(
    recording: Recording,
    *,
    per_section: int = 2,
    offsets_secs: Sequence[float] = OFFSETS_SECS,
) -> list[Example]:
    """Return the longest drags of each section, in the order of time.

    By length, not by how well it went; of each drag its longest path that was predicted at once,
    if the prediction is complete and the camera saw what happened then.
    """
    chosen: list[Example] = []
    for section in dict.fromkeys(found.section for found in recording.predictions.values()):
        usable = [
            found for found in recording.predictions.values()
            if found.section == section and _is_usable(recording, found, offsets_secs)]
        usable.sort(key=lambda found: -_length(_drag(recording, found)))
        longest: dict[str, Prediction] = {}
        for prediction in usable:
            longest.setdefault(prediction.drag_id, prediction)
        chosen += [
            _example(recording, prediction, offsets_secs)
            for prediction in sorted(
                list(longest.values())[:per_section], key=lambda found: found.source_stamp_ns)]
    return chosen


def _is_usable(
    recording: Recording, prediction: Prediction, offsets_secs: Sequence[float]
) -> bool:
    command = recording.drag_of(prediction)
    if command is None or not prediction.is_complete or path_leaves_image(command):
        return False
    if _lag_secs(prediction, command) > LATEST_SECS:
        return False
    last_ns = prediction.source_stamp_ns + round(offsets_secs[-1] * 1e9)
    is_long_enough = prediction.offsets_secs[-1] >= offsets_secs[-1] - NEAR_ENOUGH_SECS
    seen = recording.frame_at(last_ns, within_secs=NEAR_ENOUGH_SECS)
    return is_long_enough and seen is not None


def _example(
    recording: Recording, prediction: Prediction, offsets_secs: Sequence[float]
) -> Example:
    command = _drag(recording, prediction)
    source = recording.frame_at(prediction.source_stamp_ns, within_secs=NEAR_ENOUGH_SECS)
    assert source is not None  # it was predicted from
    size = prediction.frames.shape[2], prediction.frames.shape[1]
    indices = [prediction.index_at(offset) for offset in offsets_secs]
    happened = [
        recording.frame_at(prediction.source_stamp_ns + round(offset * 1e9),
                           within_secs=NEAR_ENOUGH_SECS)
        for offset in offsets_secs]
    return Example(
        title=prediction.section,
        notes=(
            f'drag of {_length(command) * size[0]:.0f} px of {size[0]}, '
            f'{command.duration_secs:.1f} s',
            f'predicted from {_lag_secs(prediction, command):.2f} s after it on',
            f'drag {prediction.drag_id}',
        ),
        camera=source.rgb(),
        paths=[shares(handle.path_px, command.image_size) for handle in command.handles],
        predicted=[prediction.frames[index] for index in indices],
        # At the prediction's size, so that only what is wrong looks different.
        happened=[None if frame is None else resize(frame.rgb(), size) for frame in happened],
        targets=shares(prediction.tracks_px[:, indices], size),
    )


def _drag(recording: Recording, prediction: Prediction) -> DragCommand:
    command = recording.drag_of(prediction)
    assert command is not None
    return command


def _lag_secs(prediction: Prediction, command: DragCommand) -> float:
    """From the image dragged on to the one predicted from."""
    return (prediction.source_stamp_ns - command.stamp_ns) / 1e9


def _length(command: DragCommand) -> float:
    """From the first to the last point of the handle that goes furthest, as a share of width."""
    return max(
        float(np.linalg.norm(handle.path_px[-1] - handle.path_px[0]))
        for handle in command.handles) / command.image_size[0]
