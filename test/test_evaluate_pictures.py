"""Videos and sequences of pictures as footage, and what is said where they cannot be read."""

import cv2
import numpy as np
import pytest
from recording_maker import ns

from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.footage import video_reader
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.open_footage import open_footage

SIZE = (64, 48)


def grey(level):
    return np.full((*SIZE[::-1], 3), level, np.uint8)


def write_video(path, *, count=12, rate_hz=20.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), rate_hz, SIZE)
    for number in range(count):
        writer.write(grey(20 * number % 240))
    writer.release()
    return path


def stamps(path, **words):
    return [shot.stamp_ns for shot in open_footage(path, **words).shots()]


def levels(footage):
    return [round(float(shot.decode().mean()) / 20) for shot in footage.shots()]


def test_a_video_is_read_at_its_rate_or_the_one_given(tmp_path):
    path = write_video(tmp_path / 'clip.avi')
    assert stamps(path) == [ns(0.05 * number) for number in range(12)]
    assert stamps(path, video_rate_hz=10.0)[1] == ns(0.1)


def test_what_opencv_reads_nothing_of_is_read_by_pyav(tmp_path):
    av = pytest.importorskip('av')
    path = tmp_path / 'clip.mkv'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=10, options={})
        stream.width, stream.height, stream.pix_fmt = (*SIZE, 'yuv420p')
        for number in range(8):
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey(20 * number))):
                container.mux(packet)
        container.mux(stream.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cv2.VideoCapture, 'read', lambda self: (False, None), raising=True)
        footage = open_footage(path)
    assert levels(footage) == list(range(8))
    assert stamps(path)[1] == ns(0.1)


def test_a_codec_that_opencv_reads_nothing_of_is_read_with_pyav_and_named_without(
        recorded_data, monkeypatch):
    path = recorded_data('clips/so101_wrist_av1_static.mp4')
    if video_reader.av is not None:
        footage = open_footage(path)
        assert len(list(footage.shots())) > 50 and footage.problems == []
    monkeypatch.setattr(video_reader, 'av', None)
    with pytest.raises(FootageError, match='codec AV01.*please install PyAV.*or convert it'):
        open_footage(path)


def test_a_video_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path):
    path = write_video(tmp_path / 'clip.avi', count=40)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    footage = open_footage(path)
    n_read = len(list(footage.shots()))
    assert 5 < n_read < 36
    assert footage.problems == [
        f'clip.avi says that it has 40 pictures, but only {n_read} can be read; they were used.']


def test_pictures_of_a_folder_are_read_in_the_order_of_their_names(tmp_path):
    for number in (2, 0, 1):
        cv2.imwrite(str(tmp_path / f'{number:03}.png'), grey(20 * number))
    (tmp_path / 'notes.txt').write_text('no picture')
    footage = open_footage(tmp_path, video_rate_hz=5.0)
    assert levels(footage) == [0, 1, 2]
    assert stamps(tmp_path, video_rate_hz=5.0) == [ns(0.0), ns(0.2), ns(0.4)]


def test_a_file_that_is_no_picture_is_left_out(tmp_path):
    cv2.imwrite(str(tmp_path / '0.png'), grey(0))
    (tmp_path / '1.png').write_text('no picture')
    shots = list(open_footage(tmp_path, video_rate_hz=5.0).shots())
    assert shots[0].decode().shape == (*SIZE[::-1], 3)
    with pytest.raises(DragStreamError, match='1.png is no picture'):
        shots[1].decode()


def write_arrays(path, **arrays):
    np.savez(path, **arrays)
    return path


PICTURES = np.stack([grey(20 * number) for number in range(4)])


def test_an_array_of_pictures_is_found_among_others(tmp_path):
    path = write_arrays(tmp_path / 'one.npz', image=PICTURES.astype(np.int64),
                        action=np.zeros((4, 7), np.float32), stacked=np.zeros((4, 9, 8, 8), int))
    footage = open_footage(path, video_rate_hz=5.0)
    assert levels(footage) == [0, 1, 2, 3]
    assert next(footage.shots()).decode().dtype == np.uint8


def test_of_several_arrays_one_must_be_named(tmp_path):
    path = write_arrays(tmp_path / 'two.npz', left=PICTURES, right=PICTURES[::-1])
    with pytest.raises(FootageError, match='choose one of left, right by --image-topic'):
        open_footage(path, video_rate_hz=5.0)
    assert levels(open_footage(path, video_rate_hz=5.0, image_topic='right')) == [3, 2, 1, 0]


@pytest.mark.parametrize('arrays, words, sentence', [
    ({'image': PICTURES}, {}, 'please give --video-rate'),
    ({'image': PICTURES}, {'image_topic': 'up'}, "has no array 'up'"),
    ({'depth': PICTURES.astype(float)}, {}, 'holds no pictures'),
    ({'signed': PICTURES.astype(int) - 9}, {}, 'holds no pictures'),
    (None, {}, 'is no .npz file, or is damaged'),
    ('cut in the middle', {}, 'is no .npz file, or is damaged'),
])
def test_what_is_no_sequence_gives_one_sentence(tmp_path, arrays, words, sentence):
    path = tmp_path / 'some.npz'
    if arrays is None:
        path.write_text('no arrays')
    elif isinstance(arrays, str):
        np.savez_compressed(path, image=np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)))
        damaged = bytearray(path.read_bytes())
        damaged[200:400] = bytes(200)
        path.write_bytes(damaged)
    else:
        write_arrays(path, **arrays)
    rate_hz = None if 'video-rate' in sentence else 5.0
    with pytest.raises(FootageError, match=sentence):
        open_footage(path, video_rate_hz=rate_hz, **words)


@pytest.mark.parametrize('name, words, n_pictures', [
    ('bair_sample', {'image_topic': 'aux1_image'}, 30),
    ('bridge_put_carrot_on_plate_0', {'image_topic': 'image_0'}, 10),
])
def test_sequences_of_public_data_sets_are_read(recorded_data, name, words, n_pictures):
    footage = open_footage(recorded_data(f'seq/{name}.npz'), video_rate_hz=5.0, **words)
    pictures = [shot.decode() for shot in footage.shots()]
    assert len(pictures) == n_pictures and pictures[0].shape == (64, 64, 3)
    assert pictures[0].std() > 20
