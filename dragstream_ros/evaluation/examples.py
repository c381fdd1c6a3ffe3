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
    if the prediction is complete and the camera saw what happened then. Where there are too few
    drags, undragged predictions are added, spread over the section's time.
    """
    chosen: list[Example] = []
    for section in dict.fromkeys(found.section for found in recording.predictions.values()):
        usable = [
            found for found in recording.predictions.values()
            if found.section == section and _is_usable(recording, found, offsets_secs)]
        shown = _longest(recording, usable, per_section)
        shown += _spread(usable, per_section - len(shown))
        shown.sort(key=lambda found: found.source_stamp_ns)
        chosen += [_example(recording, prediction, offsets_secs) for prediction in shown]
    return chosen


def _is_usable(
    recording: Recording, prediction: Prediction, offsets_secs: Sequence[float]
) -> bool:
    last_secs = offsets_secs[-1]
    seen = recording.frame_at(
        prediction.source_stamp_ns + round(last_secs * 1e9), within_secs=NEAR_ENOUGH_SECS)
    is_long_enough = prediction.offsets_secs[-1] >= last_secs - NEAR_ENOUGH_SECS
    return prediction.is_complete and is_long_enough and seen is not None


def _longest(
    recording: Recording, usable: Sequence[Prediction], count: int
) -> list[Prediction]:
    """One prediction each of the drags with the longest paths."""
    lengths: dict[str, tuple[float, Prediction]] = {}
    for prediction in usable:
        command = recording.drag_of(prediction)
        if command is None or path_leaves_image(command):
            continue
        if _lag_secs(prediction, command) > LATEST_SECS:
            continue
        before = lengths.get(prediction.drag_id)
        if before is None or _length(command) > before[0]:
            lengths[prediction.drag_id] = (_length(command), prediction)
    longest = sorted(lengths.values(), key=lambda found: -found[0])[:count]
    return [prediction for _, prediction in longest]


def _spread(usable: Sequence[Prediction], count: int) -> list[Prediction]:
    """Undragged predictions, evenly spread."""
    undragged = [prediction for prediction in usable if not prediction.drag_id]
    places = np.linspace(0, len(undragged) - 1, min(count, len(undragged)))
    return [undragged[round(place)] for place in places]


def _example(
    recording: Recording, prediction: Prediction, offsets_secs: Sequence[float]
) -> Example:
    size = prediction.frames.shape[2], prediction.frames.shape[1]
    indices = [prediction.index_at(offset) for offset in offsets_secs]
    happened = [
        recording.frame_at(prediction.source_stamp_ns + round(offset * 1e9),
                           within_secs=NEAR_ENOUGH_SECS)
        for offset in offsets_secs]
    command = recording.drag_of(prediction)
    notes: tuple[str, ...] = ('no drag',)
    shown_ns = prediction.source_stamp_ns
    if command is not None:
        notes = (
            f'drag of {_length(command) * size[0]:.0f} px of {size[0]}, '
            f'in {command.duration_secs:.1f} s',
            _lag_text(_lag_secs(prediction, command)),
            prediction.drag_id,
        )
        shown_ns = command.stamp_ns
    camera = recording.frame_at(shown_ns, within_secs=LATEST_SECS)
    assert camera is not None  # it was dragged on, or predicted from
    return Example(
        title=prediction.section,
        notes=notes,
        camera=camera.rgb(),
        paths=[shares(handle.path_px, command.image_size) for handle in command.handles]
        if command is not None else [],
        predicted=[prediction.frames[index] for index in indices],
        # At the prediction's size, so that only what is wrong looks different.
        happened=[None if frame is None else resize(frame.rgb(), size) for frame in happened],
        targets=shares(prediction.tracks_px[:, indices], size),
    )


def _lag_secs(prediction: Prediction, command: DragCommand) -> float:
    """From the image dragged on to the one predicted from."""
    return (prediction.source_stamp_ns - command.stamp_ns) / 1e9


def _lag_text(lag_secs: float) -> str:
    ms = round(1000 * lag_secs)
    if not ms:
        return 'predicted from this frame'
    return f'predicted from {abs(ms)} ms {"later" if ms > 0 else "earlier"}'


def _length(command: DragCommand) -> float:
    """From the first to the last point of the handle that goes furthest, as a share of width."""
    return max(
        float(np.linalg.norm(handle.path_px[-1] - handle.path_px[0]))
        for handle in command.handles) / command.image_size[0]
