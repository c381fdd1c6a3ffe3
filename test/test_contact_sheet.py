"""The contact sheet: what is chosen, where it is put, that it is drawn there."""

import numpy as np
import pytest
from recording_maker import CAMERA_SIZE, add_prediction, drag, make_recording, ns

from dragstream_ros.evaluation.contact_sheet import Example, SheetLayout, draw_contact_sheet
from dragstream_ros.evaluation.drawing import (
    DRAG,
    LINE,
    PAPER,
    Box,
    blank,
    draw_path,
    draw_text,
    fitted,
    in_box,
    shares,
    text_width,
)
from dragstream_ros.evaluation.examples import OFFSETS_SECS, choose_examples

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def plain(colour, size=(64, 48)):
    return np.full((size[1], size[0], 3), colour, np.uint8)


def example(**changes):
    fields = dict(
        title='conditioned', notes=('a note',), camera=plain(RED), paths=[],
        predicted=[plain(GREEN)] * 5, happened=[plain(BLUE)] * 5, targets=np.zeros((0, 5, 2)))
    return Example(**{**fields, **changes})


def draw(examples):
    return draw_contact_sheet(
        examples, offsets_secs=OFFSETS_SECS, title='Title', subtitle='Subtitle', footer='Footer')


def test_tiles_keep_the_cameras_shape_and_do_not_touch():
    layout = SheetLayout(tile_width=256, tile_height=192, n_columns=5, n_bands=2)
    boxes = [layout.camera(band) for band in range(2)]
    boxes += [
        layout.tile(band, row, column)
        for band in range(2) for row in range(2) for column in range(5)]
    width, height = layout.size
    for index, box in enumerate(boxes):
        assert box.width / box.height == pytest.approx(256 / 192, rel=0.01)
        assert box.x >= layout.margin and box.right <= width - layout.margin
        assert box.y >= layout.header_height and box.bottom <= height - layout.footer_height
        for other in boxes[:index]:
            is_apart = (
                box.x >= other.right or other.x >= box.right
                or box.y >= other.bottom or other.y >= box.bottom)
            assert is_apart


def test_predicted_frames_stand_above_the_real_ones_of_the_same_moment():
    layout = SheetLayout()
    for column in range(layout.n_columns):
        above, below = layout.tile(1, 0, column), layout.tile(1, 1, column)
        assert above.x == below.x and below.y == above.bottom + layout.gap


def test_every_picture_is_where_the_layout_says():
    sheet = draw([example(), example()])
    layout = SheetLayout(tile_height=192, n_bands=2)
    assert sheet.shape == (*layout.size[::-1], 3)

    def middle(box: Box):
        return tuple(sheet[box.y + box.height // 3, box.x + box.width // 3])

    for band in range(2):
        assert middle(layout.camera(band)) == RED
        for column in range(5):
            assert middle(layout.tile(band, 0, column)) == GREEN
            assert middle(layout.tile(band, 1, column)) == BLUE
    assert tuple(sheet[2, 2]) == PAPER


def test_a_moment_without_a_camera_frame_is_left_grey():
    happened = [plain(BLUE)] * 4 + [None]
    sheet = draw([example(happened=happened)])
    layout = SheetLayout(tile_height=192, n_bands=1)
    box = layout.tile(0, 1, 4)
    assert tuple(sheet[box.y + 5, box.x + 5]) == LINE


def test_a_drag_is_drawn_from_its_handle_to_its_target():
    points = shares(np.array([(9.5, 9.5), (49.5, 9.5)]), (100, 100))
    sheet = blank(400, 400)
    draw_path(sheet, in_box(points, Box(100, 100, 200, 200)))
    painted = np.argwhere((sheet == DRAG).all(axis=2))
    assert painted[:, 1].min() == pytest.approx(119.5 - 7.5, abs=4)  # a ring around the handle
    assert painted[:, 1].max() == pytest.approx(199.5, abs=4)
    assert painted[:, 0].mean() == pytest.approx(119.5, abs=2)


def test_shares_put_the_centre_of_a_pixel_on_the_centre_of_its_enlarged_one():
    box = Box(0, 0, 256, 256)
    assert in_box(shares(np.array([0.0, 127.0]), (128, 128)), box) == pytest.approx((0.5, 254.5))


def test_text_is_as_high_as_asked_and_cut_where_there_is_no_room():
    sheet = blank(300, 60)
    draw_text(sheet, 'H', 20, 45, height_px=20)
    inked = np.argwhere((sheet != PAPER).any(axis=2))
    assert np.ptp(inked[:, 0]) == pytest.approx(20, abs=3)
    assert inked[:, 0].max() == pytest.approx(45, abs=2)
    short = fitted('a rather long sentence', 14, 100)
    assert short.endswith('...') and text_width(short, 14) <= 100


def test_the_longest_drags_are_shown_in_the_order_of_time():
    examples = choose_examples(make_recording(), per_section=2)
    assert [shown.notes[-1] for shown in examples] == ['long', 'longer']
    assert all(shown.title == 'conditioned' for shown in examples)
    assert examples[1].paths[0] == pytest.approx(
        shares(np.array([(10, 24), (40, 24)]), CAMERA_SIZE))


def test_each_section_gets_its_examples():
    recording = make_recording()
    recording.begin_section('guidance')
    recording.add_drag(drag('guided', 4.0, (10, 24), (20, 24)), ns(4.01))
    add_prediction(recording, 4.0, anchor=9, epoch=1, drag_id='guided')
    examples = choose_examples(recording, per_section=1)
    assert [(shown.title, shown.notes[-1]) for shown in examples] == [
        ('conditioned', 'longer'), ('guidance', 'guided')]


def test_columns_show_the_predicted_and_the_real_frame_of_the_same_moment():
    shown = choose_examples(make_recording(), per_section=1)[0]  # predicted from 3 s on

    def square_left(picture):
        white = (picture[..., 0] > 170).any(axis=0)
        return np.argmax(white) / picture.shape[1]

    for offset_secs, predicted, happened in zip(OFFSETS_SECS, shown.predicted, shown.happened):
        expected = 0.1 + 0.1 * (3.0 + offset_secs)
        assert square_left(predicted) == pytest.approx(expected, abs=0.04)
        assert square_left(happened) == pytest.approx(expected, abs=0.04)


def test_a_prediction_that_the_camera_did_not_outlive_is_not_shown():
    recording = make_recording(secs=3.5)
    assert [shown.notes[-1] for shown in choose_examples(recording)] == ['short', 'long']


def test_where_drags_are_too_few_plain_predictions_are_shown():
    examples = choose_examples(make_recording(), per_section=9)
    assert [bool(shown.paths) for shown in examples] == [False, True, True, True]
    assert list(examples[0].notes) == ['no drag']


def test_under_a_flat_camera_frame_there_is_room_for_notes():
    layout = SheetLayout(tile_height=144)
    assert layout.notes(0).bottom <= layout.camera(1).y - layout.band_gap
    assert layout.notes(0).height >= 120
