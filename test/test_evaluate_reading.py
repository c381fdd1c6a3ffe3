"""What ``dragstream evaluate`` reads, and what it says where it cannot."""

import itertools
import pathlib
import shutil

import numpy as np
import pytest
from bag_maker import START_NS, write_bag
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rclpy.serialization import serialize_message
from recording_maker import image, ns
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dragstream_ros.adapters.image import image_from_array
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.evaluation.footage.errors import FootageError
from dragstream_ros.evaluation.footage.open_footage import open_footage, sha256_of
from dragstream_ros.evaluation.footage.shots import ModelClock, Shot
from dragstream_ros.evaluation.footage.windows import WindowConfig, Windows
from dragstream_ros.evaluation.image_bag import BagError

PERIOD_SECS = 0.1


class Written:
    """Footage of given stamps; each picture is of the grey level of its number."""

    path = pathlib.Path('written')
    name = 'written'
    duration_secs = 0.0

    def __init__(self, stamps_secs, *, broken=()):
        self.notes, self.problems = [], []
        self._stamps_secs, self._broken = stamps_secs, broken

    def shots(self):
        for number, secs in enumerate(self._stamps_secs):
            yield Shot(stamp_ns=ns(secs), decode=lambda number=number: self._decode(number))

    def _decode(self, number):
        if number in self._broken:
            raise DragStreamError(ErrorCode.IMAGE_DECODE_FAILED, 'It is damaged.')
        picture = np.full((32, 32, 3), number, np.uint8)
        picture[:16] += 100
        return picture


def ticks(footage):
    return list(ModelClock(footage, period_secs=PERIOD_SECS, model_size=(32, 32)).ticks())


def numbers(shots):
    return [None if shot.pixels is None else int(shot.pixels[-1, 0, 0]) for shot in shots]


def test_the_picture_nearest_to_each_tick_of_the_model_is_taken():
    shots = ticks(Written([5.0, 5.04, 5.09, 5.13, 5.19, 5.22, 5.31]))
    assert numbers(shots) == [0, 2, 4, 6]
    assert [shot.secs for shot in shots] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_where_no_picture_is_near_there_is_none_and_a_note_says_how_often():
    footage = Written(np.arange(0.0, 2.0, 0.25))
    assert numbers(ticks(footage))[:6] == [0, None, 1, 1, None, 2]
    assert '% were not recorded in time' in footage.notes[0]


@pytest.mark.parametrize('then', [20.0, -20.0])
def test_a_hole_or_a_clock_that_jumps_back_begins_anew(then):
    shots = ticks(Written([0.0, 0.1, 0.2, then, then + 0.1]))
    assert [shot.run for shot in shots] == [0, 0, 0, 1, 1]
    secs = [shot.secs for shot in shots]
    assert secs == sorted(secs) and secs[3] == pytest.approx(max(then, 0.3))


def test_a_picture_that_cannot_be_decoded_is_left_out_and_told():
    footage = Written(np.arange(0.0, 1.0, 0.1), broken={3})
    assert numbers(ticks(footage))[2:5] == [2, None, 4]
    assert footage.problems == [
        '1 pictures could not be decoded and were left out; the first said: It is damaged.']


def cut(footage, **config):
    config = WindowConfig(past_secs=0.5, horizon_secs=0.4, **config)
    return list(Windows(config, period_secs=PERIOD_SECS).cut(iter(ticks(footage))))


def test_starts_have_their_past_and_the_future_that_came():
    windows = cut(Written(np.arange(0.0, 3.0, 0.1)), every_secs=1.0)
    assert [window.start_secs for window in windows] == pytest.approx([0.5, 1.5, 2.5])
    assert [int(x[-1, 0, 0]) for x in windows[1].past] == [11, 12, 13, 14, 15]
    assert [int(x[-1, 0, 0]) for x in windows[1].future] == [16, 17, 18, 19]


def test_no_start_reaches_over_a_hole():
    windows = cut(Written([*np.arange(0.0, 1.0, 0.1), *np.arange(9.0, 10.2, 0.1)]), every_secs=0.1)
    assert [window.start_secs for window in windows] == pytest.approx([0.5, 9.5, 9.6, 9.7])


def test_starts_can_be_given():
    windows = cut(Written(np.arange(0.0, 3.0, 0.1)), at_secs=(0.72, 2.0, 7.0))
    assert [window.start_secs for window in windows] == pytest.approx([0.7, 2.0])
    assert [window.due_secs for window in windows] == [0.72, 2.0]


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize('is_compressed', [False, True])
@pytest.mark.parametrize('zstd', [CompressionMode.MESSAGE, CompressionMode.FILE])
def test_bags_are_read_in_both_formats_raw_and_compressed(tmp_path, storage, is_compressed, zstd):
    bag = write_bag(tmp_path / 'bag', storage=storage, is_compressed=is_compressed, zstd=zstd)
    footage = open_footage(bag)
    shots = list(footage.shots())
    assert len(shots) == 20 and shots[0].stamp_ns == ns(1.0)
    assert shots[0].decode().shape == (48, 64, 3)
    assert not footage.problems and 'synthetic' in footage.notes[0]


@pytest.mark.parametrize('compression', [CompressionType.LZ4, CompressionType.ZSTD])
def test_an_mcap_file_may_be_compressed_in_itself(tmp_path, compression):
    path = tmp_path / 'camera.mcap'
    with path.open('wb') as file:
        writer = McapWriter(file, compression=compression)
        writer.start('ros2')
        schema = writer.register_schema('sensor_msgs/msg/Image', 'ros2msg', b'')
        channel = writer.register_channel('/image', 'cdr', schema)
        for number in range(20):
            writer.add_message(channel, START_NS + number, serialize_message(image(0.1 * number)),
                               START_NS + number)
        writer.finish()
    assert len(list(open_footage(path).shots())) == 20


def write_images(folder, *, size=(64, 48), stamp_secs=None, count=20):
    """A bag of noise; without stamps unless they are given."""
    store = get_typestore(Stores.ROS2_KILTED)
    generator = np.random.default_rng(0)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection('/image', 'sensor_msgs/msg/Image', typestore=store)
        for number in range(count):
            from std_msgs.msg import Header
            picture = generator.integers(0, 255, (*size[::-1], 3), np.uint8)
            message = image_from_array(picture, Header())
            if stamp_secs is not None:
                message.header.stamp.sec = int(stamp_secs + number)
            writer.write(topic, START_NS + ns(0.1 * number), serialize_message(message))
    return folder


def test_images_without_stamps_are_taken_by_the_times_of_the_recorder(tmp_path):
    footage = open_footage(write_images(tmp_path / 'bag'))
    assert [shot.stamp_ns for shot in footage.shots()][:2] == [START_NS, START_NS + ns(0.1)]
    assert any('no stamps' in note for note in footage.notes)


def test_tiny_pictures_are_refused(tmp_path):
    footage = open_footage(write_images(tmp_path / 'bag', size=(2, 2)))
    with pytest.raises(FootageError, match='2x2 pixels, on which nothing can be judged'):
        ticks(footage)


def truncated(bag, share):
    file = next(bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:round(file.stat().st_size * share)])
    return bag


def test_of_a_truncated_mcap_the_readable_part_is_used(tmp_path):
    bag = truncated(write_images(tmp_path / 'bag', size=(320, 240), count=40), 0.6)
    footage = open_footage(bag)
    shots = list(footage.shots())
    assert 10 < len(shots) < 30 and shots[0].decode().shape == (240, 320, 3)
    assert 'damaged' in footage.problems[0] and 'was used' in footage.problems[0]


def test_a_truncated_mcap_of_which_nothing_is_left_is_refused(tmp_path):
    with pytest.raises(BagError, match='is damaged'):
        open_footage(truncated(write_bag(tmp_path / 'bag'), 0.3))


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_without_metadata_the_files_are_read_in_the_order_of_time(tmp_path, storage):
    later = write_bag(tmp_path / 'later', storage=storage)
    bag = write_images(tmp_path / 'bag', count=5) if storage == StoragePlugin.MCAP else later
    (bag / 'metadata.yaml').unlink()
    footage = open_footage(bag)
    assert len(list(footage.shots())) == (5 if storage == StoragePlugin.MCAP else 20)
    assert 'no metadata.yaml' in footage.problems[0]


def test_files_of_one_split_bag_are_joined_by_their_times_where_metadata_names_others(tmp_path):
    folder = write_bag(tmp_path / 'bag', secs=1.0)
    file = next(folder.glob('*.mcap'))
    shutil.move(file, folder / 'z_first.mcap')
    second = write_images(tmp_path / 'second', stamp_secs=50, count=3)
    shutil.move(next(second.glob('*.mcap')), folder / 'a_second.mcap')
    # The second file has another topic; its images do not mix with those that were asked for.
    footage = open_footage(folder, image_topic='/cam/image_raw')
    assert len(list(footage.shots())) == 10
    assert 'missing' in footage.problems[0]


def test_a_wrong_metadata_yaml_is_made_do_without(tmp_path):
    bag = write_bag(tmp_path / 'bag')
    (bag / 'metadata.yaml').write_text('rosbag2_bagfile_information: {version: nine}')
    footage = open_footage(bag)
    assert len(list(footage.shots())) == 20 and len(footage.problems) == 1


def test_a_metadata_yaml_that_miscounts_or_leaves_out_files_is_made_do_without(tmp_path):
    bag = write_bag(tmp_path / 'bag', secs=1.0)
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace('message_count: 20', 'message_count: 0'))
    footage = open_footage(bag)
    assert len(list(footage.shots())) == 10
    assert 'counts 0 messages, the files hold 20' in footage.problems[0]


def write_text(path, text='This is no bag.'):
    path.write_text(text)
    return path


@pytest.mark.parametrize('make, sentence', [
    (lambda folder: folder / 'missing', 'There is no '),
    (lambda folder: write_text(folder / 'notes.txt'), 'is neither a bag nor a video'),
    (lambda folder: write_text(folder / 'notes.mcap'), 'is no rosbag2 bag, or is damaged'),
    (lambda folder: write_text(folder / 'notes.db3'), 'is no rosbag2 bag, or is damaged'),
    (lambda folder: write_text(folder / 'notes.mp4'), 'is no video, or is damaged'),
    (lambda folder: write_bag(folder / 'bag', secs=0.0), 'holds no camera images'),
    (lambda folder: write_bag(folder / 'bag', image_topics=()), 'holds no camera images'),
    (lambda folder: write_bag(folder / 'bag', image_topics=('/a', '/b')), 'choose one of /a, /b'),
], ids=['nothing', 'text', 'text as MCAP', 'text as sqlite3', 'text as video', 'empty bag',
        'no images', 'two cameras'])
def test_what_cannot_be_read_gives_one_sentence(tmp_path, make, sentence):
    with pytest.raises((BagError, FootageError), match=sentence) as raised:
        open_footage(make(tmp_path))
    assert str(raised.value).endswith('.')


def test_topics_of_types_that_nobody_knows_do_no_harm(tmp_path):
    def write(folder, *, images):
        with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            odd = writer.add_connection('/odd', 'their_pkg/msg/Odd', msgdef='uint8 odd', rihs01='x')
            for number in range(5):
                writer.write(odd, START_NS + number, b'\0\1\0\0' + bytes(12))
            if images:
                topic = writer.add_connection(
                    '/image', 'sensor_msgs/msg/Image', typestore=get_typestore(Stores.ROS2_KILTED))
                message = serialize_message(image(1.0))
                writer.write(topic, START_NS + 9, message)
        return folder

    assert len(list(open_footage(write(tmp_path / 'beside', images=True)).shots())) == 1
    with pytest.raises(BagError, match='holds no camera images'):
        open_footage(write(tmp_path / 'alone', images=False))


def test_of_two_cameras_with_clocks_apart_each_is_read_by_its_own(tmp_path):
    store = get_typestore(Stores.ROS2_KILTED)
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {name: writer.add_connection(name, 'sensor_msgs/msg/Image', typestore=store)
                  for name in ('/left', '/right')}
        for number in range(20):
            for name, ahead_secs in (('/left', 0.0), ('/right', 40.0)):
                message = image(100.0 + 0.1 * number + ahead_secs)
                writer.write(topics[name], START_NS + ns(0.1 * number), serialize_message(message))
    for name, first_secs in (('/left', 100.0), ('/right', 140.0)):
        shots = ticks(open_footage(tmp_path / 'bag', image_topic=name))
        assert len(shots) == 20 and {shot.run for shot in shots} == {0}
        assert shots[0].at_ns == ns(first_secs)


def test_the_hash_of_footage_changes_with_any_byte(tmp_path):
    bag = write_bag(tmp_path / 'bag')
    before = sha256_of(bag)
    assert sha256_of(bag) == before
    write_text(bag / 'metadata.yaml', (bag / 'metadata.yaml').read_text() + ' ')
    assert sha256_of(bag) != before


def test_foreign_bags_are_read_or_answered(recorded_data):
    folder = recorded_data('bags')
    with pytest.raises(FootageError, match='2x2'):
        ticks(open_footage(folder / 'ait_images_2x2_db3'))
    for name in ('amber_soccer_goal_zstd_mcap', 'amber_soccer_goal_normalised_mcap'):
        assert list(itertools.islice(open_footage(folder / name).shots(), 1))[0].decode().any()
