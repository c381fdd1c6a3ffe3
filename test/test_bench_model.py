"""The model benchmark: pictures, objects and still objects with known answers, and all of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from drag_case_maker import scene, square, table

from dragstream_ros.core.drag import validate_command
from dragstream_ros.evaluation.bench_table import TABLES
from dragstream_ros.evaluation.colour_area import ColourArea, SceneObjects
from dragstream_ros.evaluation.drag_cases import FIRST_SEED, DragCaseConfig
from dragstream_ros.evaluation.free_run import FreeRunConfig
from dragstream_ros.evaluation.held_out_scenes import Scene, SceneConfig, make_scenes
from dragstream_ros.evaluation.metrics import gradient_energy, ssim_map
from dragstream_ros.evaluation.model_benchmark import (
    ModelBenchmarkConfig,
    run_model_benchmark,
    summarise_scenes,
)
from dragstream_ros.evaluation.model_pictures import ModelPictures
from dragstream_ros.evaluation.paint_over import paint_over
from dragstream_ros.evaluation.picture_files import read_picture
from dragstream_ros.evaluation.picture_quality import PictureQuality, judge_picture
from dragstream_ros.evaluation.scene_score import ObjectScore, SceneScore, score_scene
from dragstream_ros.evaluation.side_motion import (
    Displaced,
    SideMotionConfig,
    find_displaced,
    summarise_displaced,
)
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

TINY = ModelBenchmarkConfig(
    scenes=SceneConfig(scenes=1, future_secs=1.0), times_secs=(0.5, 1.0),
    side_motion=SideMotionConfig(
        systems=('undragged',), cases=DragCaseConfig(n_per_kind=1, episode_secs=3.0)),
    free_run=FreeRunConfig(scenes=1, times_secs=(0.5, 1.0)))
PLACE = np.array([30.0, 30.0])


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    try:
        return list(make_scenes(SceneConfig(scenes=2)))
    except NoGraphics as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope='module')
def model() -> TabletopWorldModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return TabletopWorldModel().eval().requires_grad_(False)


# --- pictures -----------------------------------------------------------------------------------


def test_structural_similarity_is_that_of_the_paper():
    # The reference values are scikit-image 0.25's, with the paper's window and weights.
    y, x = np.mgrid[:32, :32]
    chequered = np.where((x // 4 + y // 4) % 2, 200, 40)
    a = np.stack([(7 * x + 3 * y) % 256, x * y % 256, chequered], -1).astype(np.uint8)
    noise = (5 * x + 11 * y) % 31 - 15
    b = np.clip(a.astype(int) + noise[..., None], 0, 255).astype(np.uint8)
    found = ssim_map(a, b)
    assert found.mean() == pytest.approx(0.9200389919550878)
    assert found[16, 16] == pytest.approx(np.mean([0.80321571, 0.99657939, 0.99380549]))
    assert ssim_map(a, a).min() == pytest.approx(1.0)


def test_gradient_energy_is_of_steps_in_both_directions():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[2:, :, 0] = 10
    assert gradient_energy(picture).sum() == 4 * 10 ** 2
    assert gradient_energy(picture.swapaxes(0, 1))[:, 1].tolist() == 4 * [10 ** 2]


def test_moving_pixels_are_judged_apart_from_all():
    start, truth = scene(PLACE), scene(PLACE + (8, 0))
    held, exact = judge_picture(start, truth, start), judge_picture(truth, truth, start)
    assert held['moving'].psnr_db < held['all'].psnr_db < exact['all'].psnr_db
    assert held['moving'].ssim < held['all'].ssim < exact['all'].ssim == pytest.approx(1.0)
    assert 'moving' not in judge_picture(truth, start, start)


def test_a_blurred_picture_is_less_sharp_and_one_that_goes_elsewhere_is_not():
    start, truth = scene(PLACE), scene(PLACE + (8, 0))
    blurred = cv2.GaussianBlur(truth, (0, 0), 2.0)
    elsewhere = scene(PLACE - (8, 0))
    assert judge_picture(truth, truth, start)['moving'].sharpness == pytest.approx(1.0)
    assert judge_picture(blurred, truth, start)['moving'].sharpness < 0.3
    assert judge_picture(elsewhere, truth, start)['moving'].sharpness == pytest.approx(1, abs=0.1)


# --- objects ------------------------------------------------------------------------------------


def counted(picture: np.ndarray) -> float:
    """Area of the square in a picture, over that in the true one."""
    truth = scene(PLACE)
    area = ColourArea(truth[None], square(PLACE)[1][None] > 0.5)
    return area(picture) / area(truth)


def test_an_object_is_counted_wherever_it_is():
    assert counted(scene(PLACE + (11.5, -7.25))) == pytest.approx(1.0, abs=0.15)
    assert counted(scene(PLACE, side=10)) == pytest.approx((10 / 14) ** 2, abs=0.1)


def test_an_object_that_fades_or_is_painted_over_is_not_counted():
    assert counted(scene(PLACE, opacity=0.85)) > 0.7
    assert counted(scene(PLACE, opacity=0.4)) < 0.1
    assert counted(paint_over(scene(PLACE), square(PLACE)[1] > 0.5)) == 0


def test_an_object_without_a_colour_of_its_own_is_left_out():
    twin = scene(PLACE + (0, -20), behind=scene(PLACE))
    mask = (square(PLACE)[1] > 0.5).astype(np.uint8)[None]
    assert SceneObjects(scene(PLACE)[None], mask, [1]).labels == (1,)
    found = SceneObjects(twin[None], mask, [1])
    assert found.labels == () and found.n_seen == 1


def test_the_truth_keeps_its_objects_and_a_painted_over_picture_loses_them(scenes):
    for real in scenes:
        score = score_scene(real, {'truth': real.future}, [0.5, 2.0])
        assert score.objects['truth'] and score.n_seen >= len(score.objects['truth'])
        assert all(found.kept_area and not found.is_lost for found in score.objects['truth'])
        assert all(found.is_lost for found in score.objects['painted_over'])
        assert np.abs(score.measure_errors).max() < 0.3
        assert [judged['all'].ssim for judged in score.quality['truth']] == pytest.approx([1, 1])


# --- what stays put -----------------------------------------------------------------------------


@pytest.mark.parametrize('way', [(0, 0), (1, 0), (-0.5, 0), (2.25, -3.5)])
def test_a_displaced_still_object_is_found_below_a_pixel(way):
    mask = square(PLACE)[1] > 0.5
    moved = scene(PLACE + way)
    found = find_displaced(moved, scene(PLACE), mask, ~mask)
    assert found.shift_px == pytest.approx(np.hypot(*way), abs=0.3)
    assert not found.is_lost


def test_a_still_object_that_is_gone_is_lost_and_not_displaced():
    mask = square(PLACE)[1] > 0.5
    assert find_displaced(table(), scene(PLACE), mask, ~mask).is_lost
    found = summarise_displaced([
        Displaced(shift_px=7.9, is_lost=True), Displaced(shift_px=0.2, is_lost=False),
        Displaced(shift_px=1.2, is_lost=False)])
    assert found['n'] == 3 and found['lost_share'] == pytest.approx(1 / 3)
    assert found['median_px']['value'] == pytest.approx(0.7)
    assert found['displaced_share'] == 0.5


# --- the whole ----------------------------------------------------------------------------------


def test_a_scene_has_a_handle_at_every_palm_that_is_seen(scenes):
    for real in scenes:
        command = real.command()
        validate_command(command)
        assert len(command.handles) == len(real.palms_px) > 0
        assert command.handles[0].times_secs == pytest.approx(np.arange(21) / 10)
        assert len(real.past) == 10 and len(real.future) == 20 and real.seed >= FIRST_SEED
    assert replace(scenes[0], palms_px=np.zeros((0, 21, 2))).command() is None


def test_gains_are_paired_and_objects_of_all_scenes_are_counted_together():
    def score(undragged_db: float, held_db: float, ratio: float, *, is_caused: bool = True,
              ) -> SceneScore:
        def quality(psnr_db: float) -> list[dict[str, PictureQuality]]:
            return [{'all': PictureQuality(psnr_db=psnr_db, ssim=0.5, sharpness=1.0)}]

        return SceneScore(
            quality={'undragged': quality(undragged_db), 'copy_last': quality(held_db)},
            objects={'undragged': [
                ObjectScore(label=3, area_ratio=ratio, is_lost=ratio < 0.5)]},
            n_seen=2, measure_errors=[0.1], is_caused=is_caused)

    found = summarise_scenes([
        score(20, 18, 1.0), score(30, 27, 0.4, is_caused=False), score(25, 26, 1.2)], [2.0])
    at_end, = found['quality']['all']['undragged']
    assert at_end['secs'] == 2.0 and at_end['n'] == 3
    assert at_end['median_psnr_db'] == 25 and at_end['gain_db']['value'] == 2
    assert found['quality']['moving']['undragged'] == [{'n': 0, 'secs': 2.0}]
    objects = found['objects']['systems']['undragged']
    assert objects['kept']['value'] == pytest.approx(2 / 3)
    assert objects['lost']['value'] == pytest.approx(1 / 3)
    assert found['objects']['n_seen'] == 6 and found['objects']['measure']['median_error'] == 0.1
    caused = found['caused']    # without the scene in which something goes its way by itself
    assert caused['quality']['all']['undragged'][0]['median_psnr_db'] == 22.5
    assert caused['objects']['systems']['undragged']['kept']['value'] == 1


def test_what_goes_its_way_by_itself_is_told_apart(scenes):
    # The 30 published scenes begin with one of each kind.
    assert [bool(scene.sliding) for scene in scenes] == [False, True]
    assert set(scenes[1].sliding) < set(scenes[1].objects)


def test_all_of_it_is_plain_data_a_table_and_a_sheet(model, tmp_path):
    said = io.StringIO()
    try:
        found = run_model_benchmark(model, TINY, ModelPictures(tmp_path, said))
    except NoGraphics as reason:
        pytest.skip(str(reason))
    assert json.loads(json.dumps(found, allow_nan=False))['scenes'][0]['seed'] == FIRST_SEED
    assert [at['secs'] for at in found['quality']['all']['conditioned']] == [0.5, 1.0]
    assert found['quality']['all']['copy_last'][0]['gain_db']['value'] == 0
    assert found['side_motion']['truth']['median_px']['value'] < 0.5
    assert found['side_motion']['painted_over']['lost_share'] == 1
    assert found['free_run']['truth'][0]['objects']['kept_share'] == 1
    printed = TABLES['model'](found)
    assert all(word in printed for word in ('moving pixels', 'still objects', 'free_running 1 s'))
    assert str(FIRST_SEED) in said.getvalue()
    assert read_picture(tmp_path / 'model.png').shape[0] > 3 * 128
