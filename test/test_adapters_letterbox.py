import numpy as np
import pytest

from dragstream_ros.adapters.letterbox import Letterbox

CAMERA_SIZES = [
    (640, 480), (640, 360), (128, 128), (1280, 720), (480, 640), (333, 77), (64, 48), (5, 2000),
]
MODEL_SIZE = (128, 128)


def test_a_wide_picture_gets_bars_above_and_below():
    letterbox = Letterbox((640, 480), MODEL_SIZE)
    assert letterbox.content_box == (0, 16, 128, 96)
    framed = letterbox.apply(np.full((480, 640, 3), 200, np.uint8))
    assert framed.shape == (128, 128, 3)
    assert (framed[16:112] == 200).all() and not framed[:16].any() and not framed[112:].any()


def test_a_tall_picture_gets_bars_left_and_right():
    assert Letterbox((480, 640), MODEL_SIZE).content_box == (16, 0, 96, 128)


def test_a_picture_of_the_models_size_stays_as_it_is():
    picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    assert (Letterbox((128, 128), MODEL_SIZE).apply(picture) == picture).all()


@pytest.mark.parametrize('camera_size', CAMERA_SIZES)
def test_points_come_back_to_a_hundredth_of_a_pixel(camera_size):
    letterbox = Letterbox(camera_size, MODEL_SIZE)
    points = np.random.default_rng(1).uniform(-50, 2000, (100, 2))
    assert np.abs(letterbox.to_source(letterbox.to_target(points)) - points).max() < 0.01


@pytest.mark.parametrize('camera_size', CAMERA_SIZES)
def test_the_outer_edges_of_the_picture_are_those_of_the_content(camera_size):
    letterbox = Letterbox(camera_size, MODEL_SIZE)
    left, top, width, height = letterbox.content_box
    corners = letterbox.to_target(np.array([(-0.5, -0.5), np.array(camera_size) - 0.5]))
    assert np.allclose(corners, [(left - 0.5, top - 0.5), (left + width - 0.5, top + height - 0.5)])


def test_pixel_centres_map_by_the_convention():
    letterbox = Letterbox((640, 480), MODEL_SIZE)  # 5 camera pixels to one
    in_model = letterbox.to_target([(2, 2), (639, 479)])
    assert np.allclose(in_model, [(0, 16), (127.4, 111.4)])
    assert np.allclose(letterbox.target_to_content(in_model), [(0, 0), (127.4, 95.4)])


def test_a_spot_is_painted_where_its_position_is_mapped_to():
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[200:210, 300:310] = 255  # centred at (304.5, 204.5)
    letterbox = Letterbox((640, 480), MODEL_SIZE)
    weights = letterbox.apply(picture)[:, :, 0].astype(float)
    y, x = np.mgrid[:128, :128]
    centre = [(x * weights).sum() / weights.sum(), (y * weights).sum() / weights.sum()]
    assert np.allclose(centre, letterbox.to_target((304.5, 204.5)), atol=0.05)


def test_cropping_cuts_exactly_the_bars_off():
    letterbox = Letterbox((640, 360), MODEL_SIZE)
    frames = np.stack([letterbox.apply(np.full((360, 640, 3), v, np.uint8)) for v in (50, 100)])
    cropped = letterbox.crop(frames)
    assert cropped.shape == (2, 72, 128, 3)
    assert (cropped[0] == 50).all() and (cropped[1] == 100).all()


def test_a_mask_keeps_its_place_and_its_share_of_the_picture():
    mask = np.zeros((480, 640), bool)
    mask[100:200, 300:400] = True
    mapped = Letterbox((640, 480), MODEL_SIZE).apply_mask(mask)
    expected = np.zeros((128, 128), bool)
    expected[36:56, 60:80] = True
    assert mapped.dtype == bool and (mapped == expected).all()


def test_a_mask_too_small_for_the_model_keeps_one_pixel():
    mask = np.zeros((480, 640), bool)
    mask[479, 639] = True
    mapped = Letterbox((640, 480), MODEL_SIZE).apply_mask(mask)
    assert np.argwhere(mapped).tolist() == [[111, 127]]


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match='640, 480'):
        Letterbox((640, 480), MODEL_SIZE).apply(np.zeros((128, 128, 3), np.uint8))
