"""Fitting the model to one's own robot: what is found in its recordings, and the whole command."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from bag_maker import write_bag

from dragstream_ros.evaluation.footage.open_footage import open_footage
from dragstream_ros.evaluation.footage.shots import ModelClock
from dragstream_ros.evaluation.picture_files import write_video
from dragstream_ros.share import config_file
from dragstream_ros.simulation.episode import generate_episode
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.training import cli
from dragstream_ros.training.episodes import draw_lively
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.optical_flow import FlowSteps
from dragstream_ros.training.own_robot import split
from dragstream_ros.training.recorded_episodes import RecordedEpisode, keep, kept, read_recording
from dragstream_ros.training.stages import StagesConfig, read_config
from dragstream_ros.world_models import load_world_model

SIDE, STEP_PX = 36, 3


def texture(seed: int, size: int, low: int, high: int) -> np.ndarray:
    """Soft blotches, on which flow can be found."""
    noise = np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8)
    soft = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, low, high, cv2.NORM_MINMAX)
    return soft.astype(np.uint8)


def square_frames(length: int) -> np.ndarray:
    """A bright square goes to the right over a dark table, (T, 128, 128, 3)."""
    frames = np.repeat(texture(0, 128, 20, 160)[None], length, axis=0)
    for index, frame in enumerate(frames):
        frame[46:46 + SIDE, corner(index):corner(index) + SIDE] = texture(1, SIDE, 130, 250)
    return frames


def corner(index: int) -> int:
    """It goes back where it meets the edge, as a robot would."""
    way = 128 - SIDE - 20
    return 10 + int(way - abs(STEP_PX * index % (2 * way) - way))


def write_clip(path: Path, length: int) -> Path:
    write_video(path, square_frames(length), rate_hz=10.0)
    return path


@pytest.fixture(scope='module')
def episode() -> RecordedEpisode:
    return RecordedEpisode.look(square_frames(24), (0, 0, 128, 128))


def test_the_flow_of_a_moving_thing_is_found_over_several_frames() -> None:
    frames = square_frames(6)
    seen = FlowSteps.find(list(frames)).between(frames, 5, 0)
    inside = np.zeros((64, 64), bool)
    inside[26:38, (corner(5) + 6) // 2:(corner(5) + SIDE - 6) // 2] = True
    far = np.zeros((64, 64), bool)
    far[:16] = True
    for where, came in ((inside, (corner(5) - corner(0), 0)), (far, (0, 0))):
        errors = np.linalg.norm(seen.displacement_px[where] - came, axis=-1)
        assert np.median(errors) < 0.5 and seen.known[where].mean() > 0.9
        assert not seen.hidden[where].any()


def test_the_flow_that_is_found_agrees_with_the_simulations_truth() -> None:
    try:
        episode = generate_episode(3, secs=1.2)
    except NoGraphics as reason:
        pytest.skip(str(reason))
    steps = FlowSteps.find(list(episode.frames))
    errors, known = [], []
    for before in range(0, 9):
        seen = steps.between(episode.frames, before + 3, before)
        truth, hidden = episode.surfaces.flow_back(before + 3, before, stride=2)
        moves = (np.linalg.norm(truth, axis=-1) > 1) & ~hidden
        learnt = moves & seen.known & ~seen.hidden
        errors.append(np.linalg.norm(seen.displacement_px - truth, axis=-1)[learnt])
        known.append(learnt.sum() / moves.sum())
    assert np.median(np.concatenate(errors)) < 1 and np.mean(known) > 0.5


def test_what_a_thing_uncovered_is_a_hole_or_is_not_learnt_from() -> None:
    frames = square_frames(6)
    seen = FlowSteps.find(list(frames)).between(frames, 5, 0)
    uncovered = np.zeros((64, 64), bool)
    uncovered[25:39, (corner(0) + 2) // 2:(corner(5) - 3) // 2] = True
    learnt = seen.known & ~seen.hidden
    assert seen.hidden[uncovered].mean() > 0.4 and learnt[uncovered].mean() < 0.5


def test_points_that_move_together_are_a_thing_and_the_others_stay_put(
        episode: RecordedEpisode) -> None:
    tracks = episode.tracks(3, 11)
    x, y = tracks.points_px[0].T
    near = 8        # px: points so near to the square are carried along
    on_square = ((x > corner(3) - near) & (x < corner(3) + SIDE + near)
                 & (y > 46 - near) & (y < 46 + SIDE + near))
    came = tracks.points_px[-1] - tracks.points_px[0]
    moving = tracks.seen & (np.linalg.norm(came, axis=-1) > STEP_PX)
    still = tracks.seen & (tracks.thing < 0)
    assert moving.sum() >= 5 and on_square[moving].mean() > 0.8, 'a few are pushed along'
    assert still.sum() >= 5 and on_square[still].mean() < 0.1
    on_thing = moving & on_square
    assert len(np.unique(tracks.thing[on_thing])) == 1 and (tracks.thing[on_thing] > 0).all()
    assert np.allclose(np.median(came[on_thing], 0), (corner(13) - corner(3), 0), atol=1)


def test_a_handle_holds_what_stands_out_around_it_and_what_moves_weighs_more(
        episode: RecordedEpisode) -> None:
    square = np.zeros((128, 128), bool)
    square[46:46 + SIDE, corner(5):corner(5) + SIDE] = True
    held = episode.thing_at(5, np.array([corner(5) + SIDE / 2, 46 + SIDE / 2]))
    assert (held & square).sum() / (held | square).sum() > 0.7
    things = episode.things(5)
    assert things[square].mean() > 0.8 and things[~square].mean() < 0.3


def test_a_part_of_an_episode_tells_the_same(episode: RecordedEpisode) -> None:
    part = episode.part(10, 24)
    assert np.array_equal(part.frames, episode.frames[10:])
    one, other = part.tracks(2, 11), episode.tracks(12, 11)
    assert np.array_equal(one.points_px, other.points_px) and one.seen.any()
    assert np.array_equal(part.flow_back(5, 2, stride=2).displacement_px,
                          episode.flow_back(15, 12, stride=2).displacement_px)


def test_what_was_found_is_kept(episode: RecordedEpisode, tmp_path: Path) -> None:
    keep([episode, episode.part(10, 24)], tmp_path / 'found.npz')
    again = kept(tmp_path / 'found.npz')
    assert [len(found.frames) for found in again] == [24, 14]
    assert np.array_equal(again[0].tracks(3, 11).points_px, episode.tracks(3, 11).points_px)
    assert np.array_equal(again[0].things(5), episode.things(5))


def test_clips_are_drawn_from_episodes_of_all_lengths() -> None:
    latents = [torch.zeros(length, 1, 2, 2) for length in (5, 14, 30)]
    rng = np.random.default_rng(0)
    drawn = [draw_lively(latents, 12, rng) for _ in range(300)]
    assert {episode for episode, _ in drawn} == {1, 2}, 'the shortest has none'
    assert {start for episode, start in drawn if episode == 1} == {1, 2}
    assert max(start + 12 for episode, start in drawn if episode == 2) == 30


def test_every_fifth_recording_is_held_out_or_the_last_fifth_of_each(
        episode: RecordedEpisode) -> None:
    many = {str(number): [episode] for number in range(7)}
    seen, held_out = split(many, every=5)
    assert list(held_out) == ['4'] and len(seen) == 6
    seen, held_out = split({'one': [episode] * 4, 'two': [episode]}, every=3)
    assert [len(part.frames) for part in seen['one']] == [24, 24] and 'two' not in seen
    assert [len(part.frames) for part in held_out['one']] == [14, 24]
    with pytest.raises(TrainingError, match='too little'):
        split({'one': [episode]}, every=2)


@pytest.mark.parametrize(('make', 'said'), [
    (lambda folder: write_bag(folder / 'blind', image_topics=()), 'holds no camera images'),
    (lambda folder: write_bag(folder / 'short', secs=1.0), 'no 14 frames in a row'),
    (lambda folder: write_bag(folder / 'two', image_topics=('/a/image', '/b/image')),
     'choose one of /a/image, /b/image'),
    (lambda folder: write_clip(folder / 'short.avi', 9), 'no 14 frames in a row'),
    (lambda folder: folder / 'missing.mp4', 'There is no'),
])
def test_a_recording_that_is_of_no_use_is_refused_in_a_sentence(
        tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        read_recording(make(tmp_path))


def test_a_video_without_frames_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / 'empty.mp4'
    path.write_bytes(write_clip(tmp_path / 'whole.mp4', 20).read_bytes()[:300])
    with pytest.raises(TrainingError, match='No picture can be read'):
        read_recording(path)


def test_one_command_fits_the_model_to_a_bag_and_a_clip(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    config = tmp_path / 'tiny.yaml'
    config.write_text('\n'.join(f'{stage}: {{steps: 2, batch: 1, learning_rate: 1.0e-5}}'
                                for stage in cli.STAGES))
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    bag, clip = write_bag(tmp_path / 'bag', secs=2.0), write_clip(tmp_path / 'clip.avi', 24)
    arguments = parser.parse_args([
        str(config), '--bags', str(bag), '--clips', str(clip), '--hold-out-every', '2',
        '--folder', str(tmp_path / 'fitted')])
    cli.main(arguments)
    assert 'PSNR, dB: all that was held out' in capsys.readouterr().out
    report = json.loads((tmp_path / 'fitted' / 'before_after.json').read_text())
    trained_on, held_out = report['recordings']
    assert (trained_on['file'], held_out['file']) == (str(bag), str(clip))
    assert trained_on['held_out_secs'] == 0 < trained_on['trained_on_secs']
    assert held_out['trained_on_secs'] == 0 < held_out['held_out_secs']
    told = report['results'][str(clip)]['told 1 s']['all psnr_db']
    assert told['n'] > 0 and 5 < told['before'] < 60 and abs(told['gain']['value']) < 3
    held = report['results'][str(clip)]['copy_last 1 s']['moving sharpness']
    assert held['before'] == held['after'] and held['gain']['value'] == 0
    card = json.loads((tmp_path / 'fitted' / 'tabletop.json').read_text())['card']
    assert len(card['recordings'][0]['sha256']) == 64 and 'safety' in card['limits']
    model = load_world_model(folder=str(tmp_path / 'fitted'))
    assert model.decode(model.encode(square_frames(1))).shape == (1, 128, 128, 3)
    assert model.bare_table is None         # what is known of the simulation's tables is left out
    arguments.hold_out_every = 3
    with pytest.raises(SystemExit, match='begun with other settings of hold_out_every'):
        cli.main(arguments)


def test_the_published_configuration_is_valid() -> None:
    assert read_config(config_file('train_own_robot.yaml'), StagesConfig()).flow.steps > 0


def test_a_real_arm_is_found_in_a_real_recording(
        recorded_data: Callable[[str], Path]) -> None:
    clock = ModelClock(open_footage(recorded_data('bags/constructed_can_real_raw_db3')),
                       period_secs=0.1, model_size=(128, 128))
    frames = np.stack([shot.pixels for shot in islice(clock.ticks(), 10, 25)])
    tracks = RecordedEpisode.look(frames, (0, 0, 128, 128)).tracks(2, 11)
    assert (tracks.seen & (tracks.thing > 0)).sum() >= 5
    assert (tracks.seen & (tracks.thing < 0)).sum() >= 5
