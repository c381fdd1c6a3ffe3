"""Bags: which camera is in them, what is said where there is none, what new ones hold."""

import numpy as np
import pytest
from bag_maker import START_NS, write_bag
from rclpy.serialization import serialize_message
from recording_maker import clip, drag, image, picture
from rosbags.rosbag2 import CompressionMode, Reader, StoragePlugin

from dragstream_ros.evaluation.image_bag import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    BagError,
    open_image_bag,
)
from dragstream_ros.evaluation.listener import TOPICS
from dragstream_ros.evaluation.prediction_bag import PredictionBag, read_recording


@pytest.mark.parametrize('storage', StoragePlugin)
@pytest.mark.parametrize('is_compressed', [False, True])
def test_the_only_images_of_a_bag_are_found_with_their_calibration(
    tmp_path, storage, is_compressed
):
    bag = open_image_bag(write_bag(
        tmp_path / 'bag', storage=storage, is_compressed=is_compressed, focal_px=70.0))
    assert bag.image_topic == '/cam/image_raw' and bag.camera_info_topic == '/cam/camera_info'
    assert bag.is_compressed is is_compressed
    assert bag.n_images == 20 and bag.image_rate_hz == pytest.approx(10.0)
    assert bag.is_calibrated and bag.is_synthetic
    messages = list(bag.messages())
    kinds = [message.type for message in messages]
    assert kinds == [COMPRESSED_IMAGE if is_compressed else IMAGE, CAMERA_INFO] * 20
    assert messages[2].logged_ns == START_NS + 100_000_000
    assert messages[2].stamp_ns == messages[3].stamp_ns == 1_100_000_000


def test_one_file_of_a_bag_will_do(tmp_path):
    folder = write_bag(tmp_path / 'bag')
    assert open_image_bag(folder / 'bag.mcap').n_images == 20


def test_zero_focal_length_means_not_calibrated(tmp_path):
    assert not open_image_bag(write_bag(tmp_path / 'bag')).is_calibrated


def test_compressed_messages_are_read_through_the_folder_and_refused_without_it(tmp_path):
    folder = write_bag(tmp_path / 'bag', zstd=CompressionMode.MESSAGE)
    assert next(open_image_bag(folder).messages()).stamp_ns == 1_000_000_000
    with pytest.raises(BagError, match='please name its folder'):
        list(open_image_bag(folder / 'bag.mcap').messages())


def test_of_several_image_topics_one_must_be_named(tmp_path):
    folder = write_bag(tmp_path / 'bag', image_topics=('/left/image', '/right/image'))
    with pytest.raises(BagError, match='choose one of /left/image, /right/image'):
        open_image_bag(folder)
    assert open_image_bag(folder, image_topic='/right/image').image_topic == '/right/image'
    with pytest.raises(BagError, match='no images on /up/image; there are /left/image'):
        open_image_bag(folder, image_topic='/up/image')


def test_a_bag_without_images_is_refused(tmp_path):
    with pytest.raises(BagError, match='holds no camera images'):
        open_image_bag(write_bag(tmp_path / 'bag', image_topics=()))


@pytest.mark.parametrize('storage, file', [
    (StoragePlugin.MCAP, 'bag.mcap'), (StoragePlugin.SQLITE3, 'bag.db3')])
@pytest.mark.parametrize('share', [0.0, 0.5, 0.999])
def test_a_truncated_bag_is_refused_in_one_sentence(tmp_path, storage, file, share):
    path = write_bag(tmp_path / 'bag', storage=storage) / file
    data = path.read_bytes()
    path.write_bytes(data[:int(share * len(data))])
    with pytest.raises(BagError) as caught:
        list(open_image_bag(path.parent).messages())
    assert 'is no rosbag2 bag, or is damaged' in str(caught.value)
    assert str(caught.value).endswith('.') and '\n' not in str(caught.value)


def test_what_is_no_bag_is_refused(tmp_path):
    with pytest.raises(BagError, match='There is no bag'):
        open_image_bag(tmp_path / 'nothing')
    with pytest.raises(BagError, match=r'has no metadata\.yaml'):
        open_image_bag(tmp_path)
    (tmp_path / 'notes.txt').write_text('not a bag')
    with pytest.raises(BagError, match='is no rosbag2 bag'):
        open_image_bag(tmp_path / 'notes.txt')


@pytest.mark.parametrize('name, n_images, is_compressed', [
    ('constructed_lamp_compressed_mcap', 120, True),
    ('constructed_can_real_raw_db3', 100, False),
    ('amber_soccer_goal_zstd_mcap', 2, False),
    ('ait_images_2x2_db3', 3, False),
])
def test_foreign_bags_are_read(recorded_data, name, n_images, is_compressed):
    bag = open_image_bag(recorded_data(f'bags/{name}'))
    assert bag.n_images == n_images and bag.is_compressed is is_compressed
    assert sum(message.type != CAMERA_INFO for message in bag.messages()) == n_images


def test_predictions_are_written_with_their_definitions_and_read_back(tmp_path):
    messages = [
        ('image', image(1.0)), ('drag', drag('d', 1.0, (10, 24), (30, 24))),
        *(('prediction/clip', clip(1.0, anchor=0, chunk=chunk, drag_id='d')) for chunk in range(3)),
    ]
    with PredictionBag(tmp_path / 'bag', TOPICS) as bag:
        for topic, message in messages:
            bag.write(topic, serialize_message(message))

    with Reader(tmp_path / 'bag') as reader:
        types = {found.topic: found.msgtype for found in reader.connections}
        definitions = [found.msgdef.data for found in reader.connections]
    assert types['/prediction/clip'] == 'dragstream_ros/msg/PredictedClip'
    assert any('float32[] offsets_secs' in text for text in definitions)

    recording = read_recording(tmp_path / 'bag', section='conditioned')
    prediction = recording.predictions[0, 0]
    assert prediction.is_complete and recording.drag_of(prediction) is not None
    assert prediction.frames[0] == pytest.approx(picture(1.1, (32, 24)))
    assert np.abs(recording.camera[0].rgb().astype(float) - picture(1.0)).mean() < 2


def test_an_existing_bag_is_never_written_over(tmp_path):
    (tmp_path / 'bag').mkdir()
    with pytest.raises(BagError, match='exists already'):
        PredictionBag(tmp_path / 'bag', TOPICS).__enter__()
