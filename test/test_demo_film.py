"""The film: which frames stand side by side, and that the file can be played."""

import cv2
import numpy as np
import pytest
from recording_maker import clip, make_recording, ns, picture

from dragstream_ros.evaluation import picture_files
from dragstream_ros.evaluation.film import Film
from dragstream_ros.evaluation.picture_files import write_picture, write_video
from dragstream_ros.evaluation.recording import Recording

LEAD_SECS = 0.5


def square_left(shown: np.ndarray) -> float:
    """Where the white square begins, as a share of the width."""
    return float(np.argmax((shown.min(axis=2) > 200).any(axis=0)) / shown.shape[1])


def panels(film: Film, secs: float) -> list[np.ndarray]:
    sheet = film.picture(ns(secs))
    boxes = [film.layout.panel(column) for column in range(3)]
    return [sheet[box.y:box.bottom, box.x:box.right] for box in boxes]


def place(secs: float) -> float:
    return 0.1 + 0.1 * secs


def test_the_prediction_is_shown_half_a_second_ahead_beside_the_frame_that_came():
    camera, predicted, later = panels(Film(make_recording()), 0.3)  # undragged
    assert square_left(camera) == pytest.approx(place(0.3), abs=0.03)
    assert square_left(predicted) == pytest.approx(place(0.3 + LEAD_SECS), abs=0.03)
    assert square_left(later) == pytest.approx(place(0.3 + LEAD_SECS), abs=0.03)


def test_a_frame_is_not_shown_before_it_has_arrived():
    recording = Recording()
    recording.camera = make_recording().camera
    recording.add_clip(clip(0.0, anchor=0, chunk=0), ns(0.2))
    recording.add_clip(clip(0.0, anchor=0, chunk=1), ns(0.7))
    film = Film(recording)
    assert film._shown(ns(0.1), ns(0.1 + LEAD_SECS))[0] is None
    newest, index = film._shown(ns(0.3), ns(0.3 + LEAD_SECS))
    assert newest is not None and newest.offsets_secs[index] == pytest.approx(0.4)
    newest, index = film._shown(ns(0.7), ns(0.7))
    assert newest is not None and newest.offsets_secs[index] == pytest.approx(0.7)


def test_a_newer_prediction_is_taken_once_it_reaches_the_moment():
    recording = Recording()
    recording.camera = make_recording().camera
    for chunk in range(3):
        recording.add_clip(clip(0.0, anchor=0, chunk=chunk), ns(0.1))
    recording.add_clip(clip(0.5, anchor=1, chunk=0), ns(0.6))
    recording.add_clip(clip(0.5, anchor=1, chunk=1), ns(0.8))
    film = Film(recording)
    assert film._shown(ns(0.6), ns(1.1))[0] is recording.predictions[0, 0]
    assert film._shown(ns(0.8), ns(1.3))[0] is recording.predictions[0, 1]


def test_the_film_lasts_while_there_is_something_to_compare():
    film = Film(make_recording(secs=2.0))  # predicted from 0.05 s on; later frames until 1.9 s
    assert film.n_pictures(rate_hz=4.0) == int(4.0 * (1.9 - 0.5 - 0.05))
    assert len(list(film.pictures(rate_hz=4.0))) == film.n_pictures(rate_hz=4.0)


def test_the_film_can_be_played(tmp_path):
    pictures = [picture(number / 10, (64, 48)) for number in range(20)]
    path = tmp_path / 'film.mp4'
    codec = write_video(path, pictures, rate_hz=10.0)
    played = cv2.VideoCapture(str(path))
    frames = []
    while (grabbed := played.read())[0]:
        frames.append(grabbed[1])
    assert len(frames) == 20 and played.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    assert codec.startswith(('H.264', 'MPEG-4'))
    assert np.abs(frames[5][..., ::-1].astype(float) - pictures[5]).mean() < 8  # RGB, not BGR


def test_without_ffmpeg_opencv_writes_the_film(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files.shutil, 'which', lambda _: None)
    codec = write_video(tmp_path / 'film.mp4', [picture(0.0)] * 3, rate_hz=10.0)
    assert 'MPEG-4' in codec and (tmp_path / 'film.mp4').stat().st_size > 0


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match='could not write'):
        write_video(tmp_path / 'nowhere' / 'film.mp4', [picture(0.0)], rate_hz=10.0)
    with pytest.raises(OSError, match='could not write'):
        write_picture(tmp_path / 'nowhere' / 'sheet.png', picture(0.0))
