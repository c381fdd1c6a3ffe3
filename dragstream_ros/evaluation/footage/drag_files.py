"""Drags from files: our own list, and the formats of three papers on dragged video.

The papers' files say where, not when: the drag is made at_secs after the first picture, and takes
as long as is predicted. Their pixels are those of the picture they were drawn on.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import cv2
import numpy as np

from dragstream_ros.adapters.letterbox import Size
from dragstream_ros.core.drag import DragHandle, Operation
from dragstream_ros.evaluation.drag_plan import DEFAULT_AT_SECS, DragPlanError, load_drags
from dragstream_ros.evaluation.footage.given_drags import GivenDrag, GivenDrags, timed


def read_drags(name: str) -> GivenDrags:
    """Read FILE or FILE@SECS; raises DragPlanError.

    .yaml: as ``dragstream replay --drags`` takes it. .npy: SG-I2V's traj.npy. .json: DragStream's
    trajectory labels, or DragAnything's, with their masks beside them.
    """
    path, at_secs = _path_and_time(name)
    if path.suffix not in ('.json', '.npy'):
        return GivenDrags([
            GivenDrag(at_secs=drag.at_secs, handles=(
                timed(DragHandle(path_px=drag.path_px), drag.duration_secs),))
            for drag in load_drags(path)])
    try:
        if path.suffix == '.npy':
            return GivenDrags([_of_sgi2v(path, at_secs)])
        labels = json.loads(path.read_text())
        read = _of_dragstream if 'trajectories' in labels else _of_draganything
        return GivenDrags([read(path.parent, labels, at_secs)])
    except (AttributeError, IndexError, KeyError, OSError, TypeError, ValueError) as error:
        reason = ' '.join(str(error).split()).rstrip('.')
        raise DragPlanError(
            f'{path} is no file of drags that is known ({type(error).__name__}: {reason}); '
            'docs/evaluate.md says which are.') from error


def _of_dragstream(folder: pathlib.Path, labels: dict[str, Any], at_secs: float) -> GivenDrag:
    """A trajectory that turns begins with its centre; what must not move is what is not movable."""
    handles = []
    for trajectory in labels['trajectories']:
        original = trajectory['original_trajectory']
        points_px = np.array(original['points'], np.float64)
        mask = _read_mask(folder / trajectory['mask_file'])
        handles.append(
            DragHandle(path_px=points_px[1:], operation=Operation.ROTATE, centre_px=points_px[0],
                       mask=mask) if original['is_rotation']
            else DragHandle(path_px=points_px, mask=mask))
    frozen = ~_read_mask(folder / labels['movable_area_mask_file'])
    return GivenDrag(at_secs=at_secs, handles=tuple(handles), frozen=frozen,
                     image_size=_size_of(frozen))


def _of_sgi2v(path: pathlib.Path, at_secs: float) -> GivenDrag:
    """(objects, 16, 2): two corners of a box, then fourteen places of its middle; with img.png."""
    picture = cv2.imread(str(path.with_name('img.png')))
    if picture is None:
        raise OSError('there is no img.png beside it')
    handles = []
    for (left, top), (right, bottom), *places in np.load(path, allow_pickle=False).tolist():
        mask = np.zeros(picture.shape[:2], bool)
        mask[max(round(top), 0):round(bottom) + 1, max(round(left), 0):round(right) + 1] = True
        handles.append(DragHandle(path_px=np.array(places, np.float64), mask=mask))
    return GivenDrag(at_secs=at_secs, handles=tuple(handles), image_size=_size_of(picture))


def _of_draganything(folder: pathlib.Path, labels: dict[str, Any], at_secs: float) -> GivenDrag:
    """By entity: mask_name and trajectory."""
    masks = [_read_mask(folder / entity['mask_name']) for entity in labels.values()]
    return GivenDrag(at_secs=at_secs, image_size=_size_of(masks[0]), handles=tuple(
        DragHandle(path_px=np.array(entity['trajectory'], np.float64), mask=mask)
        for entity, mask in zip(labels.values(), masks)))


def _read_mask(path: pathlib.Path) -> np.ndarray:
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise OSError(f'there is no mask {path.name}')
    return np.asarray(mask >= 128)


def _size_of(picture: np.ndarray) -> Size:
    return picture.shape[1], picture.shape[0]


def _path_and_time(name: str) -> tuple[pathlib.Path, float]:
    path, at, secs = name.rpartition('@')
    if not at or pathlib.Path(name).exists():
        return pathlib.Path(name), DEFAULT_AT_SECS
    try:
        return pathlib.Path(path), float(secs)
    except ValueError:
        raise DragPlanError(f'{name!r} must end with seconds after its @.') from None
