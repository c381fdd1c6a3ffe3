"""The small parts of the console, by numbers: who may do what when, and what is sent."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dragstream_ros.adapters.image import encode_jpeg
from dragstream_ros.console.access import TOKEN_VARIABLE, AccessError, make_access
from dragstream_ros.console.allowance import Allowance
from dragstream_ros.console.outbox import IN_FLIGHT, Outbox
from dragstream_ros.console.outline import brushed_outline, touched_outline
from dragstream_ros.console.pace import Pace
from dragstream_ros.console.packets import pack, unpack
from dragstream_ros.console.pictures import Album, Clip, Jpeg, camera_jpeg, clip_packet, jpeg_size
from dragstream_ros.console.turn import Turn
from dragstream_ros.masks.outline import outline_of
from dragstream_ros.worker.mailbox import RawFrame

NS = 1_000_000_000


def test_an_allowance_is_used_up_at_once_and_comes_back_with_time():
    allowance = Allowance(10.0, burst=3)
    assert [allowance.take(5.0) for _ in range(4)] == [True, True, True, False]
    assert not allowance.take(5.05)
    assert allowance.take(5.2)
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]


def sent_in_a_second(pace: Pace, since_secs: float, camera_hz: int) -> int:
    return sum(pace.takes_camera(since_secs + n / camera_hz) for n in range(camera_hz))


def test_an_operator_gets_all_pictures_and_who_only_looks_fewer():
    pace = Pace(20.0)
    pace.attend(100.0)
    assert sent_in_a_second(pace, 100.0, 30) == pytest.approx(20, abs=1)
    assert sent_in_a_second(pace, 105.0, 21) == pytest.approx(20, abs=1)
    assert sent_in_a_second(pace, 107.0, 15) == 15
    assert sent_in_a_second(pace, 111.0, 30) == pytest.approx(6, abs=1)
    assert pace.secs_to_camera(111.95) == pytest.approx(0.05) and pace.secs_to_camera(113.0) == 0
    pace.attend(113.0)
    assert sent_in_a_second(pace, 113.0, 30) == pytest.approx(20, abs=1)


def test_of_a_prediction_all_is_sent_or_nothing():
    pace = Pace(20.0)
    said = [[pace.takes_prediction(anchor, 100.0 + 0.1 * anchor) for _ in range(2)]
            for anchor in range(20)]
    assert all(first == second for first, second in said)
    assert sum(first for first, _ in said) == pytest.approx(5, abs=1)
    pace.attend(102.0)
    assert all(pace.takes_prediction(anchor, 102.0 + 0.1 * anchor) for anchor in range(20, 40))


def test_the_turn_is_kept_for_a_while_after_the_last_sign():
    turn = Turn(kept_secs=3.0)
    assert turn.take('anna', 10.0) and turn.take('anna', 12.0)
    assert not turn.take('ben', 14.9) and turn.holder(14.9) == 'anna'
    assert turn.holder(15.0) == '' and turn.take('ben', 15.0)


def test_the_turn_of_who_is_gone_is_free():
    turn = Turn()
    turn.take('anna', 0.0)
    turn.leave('ben')
    assert turn.holder(0.0) == 'anna'
    turn.leave('anna')
    assert turn.take('ben', 0.0)


def test_a_page_that_is_slow_gets_the_newest_picture_next():
    outbox = Outbox(('camera',))
    sent = []
    for number in range(10):
        outbox.put('camera', number, b'%d' % number)
        sent.append(outbox.next())
    assert sent == [b'0', b'1', *[None] * 8]
    outbox.taken('camera')
    assert (outbox.next(), outbox.next()) == (b'9', None)


def test_parts_of_a_whole_follow_each_other_unless_a_newer_whole_begins():
    outbox = Outbox(('camera', 'prediction'))
    for part in (b'a0', b'a1', b'a2'):
        outbox.put('prediction', 'a', part)
    assert [outbox.next() for _ in range(IN_FLIGHT + 1)] == [b'a0', b'a1', None]
    outbox.put('prediction', 'b', b'b0')
    outbox.taken('prediction')
    assert outbox.next() == b'b0'


def test_a_page_cannot_ask_for_more_by_saying_taken_too_often():
    outbox = Outbox(('camera',))
    for _ in range(5):
        outbox.taken('camera')
    for number in range(5):
        outbox.put('camera', 'one group', b'%d' % number)
    assert [outbox.next() for _ in range(4)] == [b'0', b'1', None, None]


def filled(outline, shape: tuple[int, int]) -> np.ndarray:
    region = np.zeros(shape, np.uint8)
    corners = np.rint(np.array(outline) * 16).astype(np.int32)
    return cv2.fillPoly(region, [corners], 1, shift=4).astype(bool)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def test_an_outline_gives_its_region_back():
    y, x = np.mgrid[:60, :80]
    region = (x - 30) ** 2 / 500 + (y - 25) ** 2 / 200 < 1
    assert overlap(filled(outline_of(region), region.shape), region) > 0.97


@pytest.mark.parametrize('pixels', [[(5, 5)], [(5, 5), (5, 6)], [(0, 0)], [(9, 9), (8, 8)]])
def test_even_a_dot_has_an_outline_inside_the_picture(pixels):
    region = np.zeros((10, 10), bool)
    region[tuple(np.array(pixels).T)] = True
    outline = np.array(outline_of(region))
    assert len(outline) >= 3 and outline.min() >= -0.5 and outline.max() <= 9.5
    assert (filled(outline, region.shape) & region).any()


def test_a_touch_outlines_what_stands_out():
    picture = np.full((96, 128, 3), 60, np.uint8)
    picture[30:50, 40:70] = (220, 40, 40)
    region = np.zeros((96, 128), bool)
    region[30:50, 40:70] = True
    assert overlap(filled(touched_outline(picture, ((55, 40),)), region.shape), region) > 0.85
    picture = picture.copy()    # what was found in a picture is remembered
    picture[30:50, 70:85] = (40, 40, 220)
    region[30:50, 70:85] = True
    both = touched_outline(picture, ((55, 40), (78, 40)))    # what is turned, and its centre
    assert overlap(filled(both, region.shape), region) > 0.85


def test_a_stroke_is_as_wide_as_its_brush():
    outline = np.array(brushed_outline(((20, 30), (60, 30)), radius_px=8, size=(100, 60)))
    left, top = outline.min(axis=0)
    right, bottom = outline.max(axis=0)
    assert (left, top, right, bottom) == pytest.approx((12, 22, 68, 38), abs=1)


def test_a_packet_gives_back_what_was_packed():
    packet = pack({'stream': 'camera', 'word': 'groß'}, [b'one', b'', b'three'])
    header, jpegs = unpack(packet)
    assert header == {'stream': 'camera', 'word': 'groß', 'sizes': [3, 0, 5]}
    assert jpegs == [b'one', b'', b'three']


def test_the_size_of_a_jpeg_is_read_from_its_head():
    assert jpeg_size(encode_jpeg(np.zeros((123, 457, 3), np.uint8))) == (457, 123)


@pytest.mark.parametrize('data', [b'', b'\xff\xd8', b'\x89PNG\r\n', b'\xff\xd8\xff\xe0\x00\x04ab',
                                  b'\xff\xd8' + b'\xff\xe0\x00\x00' * 3])
def test_what_is_no_jpeg_has_no_size(data):
    assert jpeg_size(data) is None


def test_a_jpeg_of_the_camera_is_handed_on_as_it_came():
    data = encode_jpeg(np.zeros((48, 64, 3), np.uint8))
    raw = RawFrame(data=data, stamp_ns=7, arrival_ns=0, compressed=True, encoding='jpeg')
    assert camera_jpeg(raw, 'eye', quality=50) == Jpeg(data, (64, 48), 7, 'eye')


def test_a_raw_picture_is_compressed():
    picture = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    raw = RawFrame(data=picture.tobytes(), stamp_ns=7, arrival_ns=0, height=48, width=64, step=192)
    jpeg = camera_jpeg(raw, 'eye', quality=90)
    assert jpeg.size == (64, 48) and np.abs(jpeg.pixels().astype(int) - picture).max() < 6


def test_a_clip_says_when_each_frame_is_and_keeps_the_last_one():
    frames = [np.full((4, 6, 3), value, np.uint8) for value in (10, 200)]
    packet, last = clip_packet(Clip(
        frames=frames, offsets_secs=[0.1, 0.2], confidence=[1.0, 0.5], tracks_px=[[(1, 2), (3, 4)]],
        stamp_ns=1_700_000_000_123_456_789, frame_id='eye', epoch=1, anchor=2, chunk=0,
        is_last=True, drag_id='d'), quality=90)
    header, jpegs = unpack(packet)
    assert (header['stamp_ns'], header['width'], header['height']) == ('1700000000123456789', 6, 4)
    assert (header['offsets_secs'], header['tracks']) == ([0.1, 0.2], [[[1, 2], [3, 4]]])
    assert len(jpegs) == 2 and last.pixels().mean() == pytest.approx(200, abs=3)


def test_an_album_keeps_the_last_seconds_and_starts_over_when_time_jumps_back():
    def picture(secs: float) -> Jpeg:
        return Jpeg(b'', (1, 1), round(secs * NS), 'eye')

    album = Album(kept_secs=2.0)
    for secs in (10, 11, 12, 12.5):
        album.add(picture(secs))
    assert [album.find(secs * NS) is not None for secs in (10, 11, 12)] == [False, True, True]
    album.add(picture(3))
    assert album.find(12 * NS) is None and album.find(3 * NS) is not None


def test_other_machines_need_a_token(monkeypatch, tmp_path):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    for address in ('127.0.0.1', '::1', 'localhost', '127.1.2.3'):
        assert make_access(address, '').token == ''
    for address in ('0.0.0.0', '::', '192.168.0.7', 'robot.local'):
        with pytest.raises(AccessError, match='give it a token'):
            make_access(address, '')
    file = tmp_path / 'token'
    file.write_text('correct horse battery\n')
    assert make_access('0.0.0.0', str(file)).token == 'correct horse battery'
    monkeypatch.setenv(TOKEN_VARIABLE, 'from the environment')
    assert make_access('0.0.0.0', '').token == 'from the environment'


@pytest.mark.parametrize('content', ['short', b'\xff\xfe bytes that are no text'])
def test_a_token_that_protects_nothing_is_refused(monkeypatch, tmp_path, content):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    file = tmp_path / 'token'
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(AccessError):
        make_access('0.0.0.0', str(file))
    with pytest.raises(AccessError, match='cannot be read'):
        make_access('0.0.0.0', str(tmp_path / 'nothing'))
