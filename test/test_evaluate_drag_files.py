"""Drags from files: ours, and those of papers on dragged video, with their masks."""

import json

import cv2
import numpy as np
import pytest

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.core.drag import Operation
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.drag_plan import DragPlanError
from dragstream_ros.evaluation.footage.drag_files import read_drags

SIZE = (64, 48)
MODEL_SIZE = (128, 128)


def write_mask(path, left, top, right, bottom):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[top:bottom, left:right] = 255
    cv2.imwrite(str(path), mask)
    return path.name


def command(drags, at_secs=1.0, size=SIZE):
    return drags.command(
        at_secs, Letterbox(size, MODEL_SIZE), stamp_ns=5, duration_secs=2.0)


def test_the_labels_of_dragstream_move_and_turn_their_masks_and_hold_the_rest(tmp_path):
    labels = {
        'movable_area_mask_file': write_mask(tmp_path / 'movable.png', 0, 0, 32, 48),
        'trajectories': [
            {'mask_file': write_mask(tmp_path / 'one.png', 2, 2, 10, 10), 'original_trajectory': {
                'is_rotation': False, 'points': [[5, 5], [15, 5]]}},
            {'mask_file': write_mask(tmp_path / 'two.png', 12, 12, 20, 20), 'original_trajectory': {
                'is_rotation': True, 'points': [[16, 16], [20, 16], [16, 20]]}}]}
    (tmp_path / 'trajectory.json').write_text(json.dumps(labels))
    drags = read_drags(f'{tmp_path}/trajectory.json@4.5')
    assert drags.at_secs == (4.5,)
    made = command(drags, 4.5)
    shift, turn = made.handles
    assert shift.path_px.tolist() == [[10.5, 26.5], [30.5, 26.5]] and shift.times_secs is None
    assert turn.operation == Operation.ROTATE and turn.centre_px.tolist() == [32.5, 48.5]
    assert turn.path_px.tolist() == [[40.5, 48.5], [32.5, 56.5]]
    assert shift.mask.sum() == turn.mask.sum() == 16 * 16
    assert made.frozen[64, 100] and not made.frozen[64, 20]
    assert made.duration_secs == 2.0


def test_the_boxes_of_sgi2v_become_masks(tmp_path):
    cv2.imwrite(str(tmp_path / 'img.png'), np.zeros((*SIZE[::-1], 3), np.uint8))
    places = [[20.0 + step, 15.0] for step in range(14)]
    np.save(tmp_path / 'traj.npy', np.array([[[16.0, 10.0], [23.0, 19.0], *places]]))
    drags = read_drags(str(tmp_path / 'traj.npy'))
    handle, = command(drags).handles
    assert handle.path_px[-1] - handle.path_px[0] == pytest.approx([26.0, 0.0])
    assert handle.mask.sum() == 16 * 20


def test_the_entities_of_draganything_become_handles(tmp_path):
    one, two = (write_mask(tmp_path / name, 4, 4, 12, 12) for name in ('a.png', 'b.png'))
    (tmp_path / 'demo.json').write_text(json.dumps({
        '1': {'mask_name': one, 'trajectory': [[8, 8], [13, 8]]},
        '2': {'mask_name': two, 'trajectory': [[8, 8]]}}))
    moving, staying = command(read_drags(str(tmp_path / 'demo.json'))).handles
    assert len(moving.path_px) == 2 and len(staying.path_px) == 1


def test_drags_on_a_picture_of_another_size_are_refused(tmp_path):
    (tmp_path / 'demo.json').write_text(json.dumps({
        '1': {'mask_name': write_mask(tmp_path / 'a.png', 0, 0, 8, 8), 'trajectory': [[4, 4]]}}))
    with pytest.raises(DragStreamError, match='64x48 pixels, the camera sends 640x480'):
        command(read_drags(str(tmp_path / 'demo.json')), size=(640, 480))


@pytest.mark.parametrize('name, content', [
    ('a.json', '{"trajectories": [{}]}'), ('a.json', '[1, 2]'), ('a.json', 'no JSON'),
    ('a.json', '{"1": {"mask_name": "none.png", "trajectory": [[1, 2]]}}'),
    ('a.npy', 'no array'), ('a.yaml', '{1: 2}'),
])
def test_what_is_no_file_of_drags_is_refused_in_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(DragPlanError) as raised:
        read_drags(str(tmp_path / name))
    assert str(raised.value).endswith('.') and str(tmp_path) in str(raised.value)


def test_a_time_that_is_none_is_refused():
    with pytest.raises(DragPlanError, match='must end with seconds'):
        read_drags('drags.json@soon')


def test_the_labels_that_the_authors_publish_are_read(recorded_data):
    folder = recorded_data('drag')
    made = command(
        read_drags(f'{folder}/dragstream_0004/labels/block_3_Animation_trajectory.json'),
        size=(832, 480))
    assert [handle.operation for handle in made.handles] == [Operation.TRANSLATE, Operation.ROTATE]
    assert all(handle.mask.any() for handle in made.handles) and made.frozen.any()
    for path in sorted(folder.glob('sgi2v_*/traj.npy')):
        made = command(read_drags(str(path)), size=(1024, 576))
        assert all(len(handle.path_px) == 14 for handle in made.handles)
