"""The console's web server over real connections: who gets in, what is refused, who is slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest

aiohttp = pytest.importorskip('aiohttp')

from dragstream_ros.adapters.drag import DragPhase  # noqa: E402
from dragstream_ros.console import pace, picture_feed  # noqa: E402
from dragstream_ros.console.access import Access  # noqa: E402
from dragstream_ros.console.console import MOST_PAGES  # noqa: E402
from dragstream_ros.console.packets import unpack  # noqa: E402
from dragstream_ros.console.picture_feed import PictureFeedConfig  # noqa: E402
from dragstream_ros.console.pictures import Clip  # noqa: E402
from dragstream_ros.console.requests import LONGEST_MESSAGE_BYTES, DragRequest  # noqa: E402
from dragstream_ros.console.server import (  # noqa: E402
    PAGE,
    ConsoleServer,
    ServerConfig,
    ServerError,
)
from dragstream_ros.worker.mailbox import RawFrame  # noqa: E402

TOKEN = 'a token that is long enough'
NOISE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)


class FakeRobot:
    """Takes note of what the console asks for."""

    def __init__(self) -> None:
        self.drags: list[DragRequest] = []
        self.is_watched = False
        self.n_resets = 0

    def drag(self, request: DragRequest, *, operator: str, drag_id: str, frame_id: str) -> None:
        self.drags.append(request)

    def reset(self, answer: Callable[[str], None]) -> None:
        self.n_resets += 1
        answer('The prediction starts over.')

    def watch(self, is_watched: bool) -> None:
        self.is_watched = is_watched


@pytest.fixture
def robot() -> FakeRobot:
    return FakeRobot()


def make_server(robot: FakeRobot, token: str = '', **config) -> ConsoleServer:
    return ConsoleServer(
        robot, access=Access(token), config=ServerConfig(**{'port': 0, **config}),
        feed=PictureFeedConfig(camera_rate_hz=60.0))


@pytest.fixture
def server(robot) -> Iterator[ConsoleServer]:
    server = make_server(robot)
    yield server
    server.stop()


def at(server: ConsoleServer, path: str = '') -> str:
    return f'http://127.0.0.1:{server.port}/{path}'


def origin(server: ConsoleServer) -> dict[str, str]:
    return {'Origin': at(server)[:-1]}


def film(server: ConsoleServer, stamp_ns: int, picture: np.ndarray = NOISE) -> float:
    height, width = picture.shape[:2]
    return server.console.feed.put_camera(RawFrame(
        data=picture.tobytes(), stamp_ns=stamp_ns, arrival_ns=0, height=height, width=width,
        step=3 * width), 'eye')


def in_session(work: Callable) -> None:
    """Run work(session) with a browser that remembers cookies, and shows no token twice."""

    async def run() -> None:
        jar = aiohttp.CookieJar(unsafe=True)  # of addresses that are numbers
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            await asyncio.wait_for(work(session), 20.0)

    asyncio.run(run())


async def words_of(socket, kind: str) -> dict:
    """The next words of a type; all else is passed over."""
    while True:
        message = await socket.receive(timeout=5.0)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        if message.type is aiohttp.WSMsgType.TEXT:
            words = json.loads(message.data)
            if words['type'] == kind:
                return words


async def picture_of(socket) -> dict:
    """The header of the next picture."""
    while True:
        message = await socket.receive(timeout=5.0)
        if message.type is aiohttp.WSMsgType.BINARY:
            return unpack(message.data)[0]


def drag(number: int = 1, stamp_ns: int = 5, phase: str = 'begin', **fields) -> dict:
    handle = {'path': [[100, 100], [200, 100]], 'centre': None, 'outline': []}
    picture = {'stream': 'camera', 'stamp_ns': str(stamp_ns), 'width': 640, 'height': 480}
    return {'type': 'drag', 'number': number, 'phase': phase, 'mode': 'animate',
            'picture': picture, 'handles': [handle], **fields}


# Who gets in.


def test_all_files_of_the_page_are_served_and_nothing_else(server):
    async def work(session) -> None:
        for file in PAGE.iterdir():
            name = '' if file.name == 'index.html' else file.name
            async with session.get(at(server, name)) as answer:
                assert answer.status == 200 and await answer.read() == file.read_bytes()
        for path in ('../server.py', '%2e%2e/server.py', 'static', 'socket.js', 'index.html/..'):
            async with session.get(at(server, path)) as answer:
                assert answer.status in (200, 404)
                assert b'import asyncio' not in await answer.read()
        for method in ('POST', 'PUT', 'DELETE'):
            async with session.request(method, at(server)) as answer:
                assert answer.status == 405

    in_session(work)


def test_every_answer_lets_the_browser_load_nothing_from_elsewhere(server):
    async def work(session) -> None:
        for path in ('', 'main.js', 'nothing'):
            async with session.get(at(server, path)) as answer:
                policy = answer.headers['Content-Security-Policy']
                assert "default-src 'none'" in policy and 'unsafe' not in policy
                assert answer.headers['X-Content-Type-Options'] == 'nosniff'

    in_session(work)


def test_the_page_names_nothing_outside_and_has_no_script_of_its_own():
    for file in PAGE.iterdir():
        text = file.read_text().replace('http://www.w3.org/2000/svg', '')
        assert '//cdn' not in text and 'http://' not in text and 'https://' not in text, file
    assert '<script type="module" src="main.js"></script>' in (PAGE / 'index.html').read_text()
    assert (PAGE / 'index.html').read_text().count('<script') == 1


@pytest.mark.parametrize(
    'host', ['evil.example', 'evil.example:80', '10.0.0.1', '127.0.0.1.eu', '[', ''])
def test_a_strangers_name_for_our_address_is_refused(server, host):
    async def work(session) -> None:
        async with session.get(at(server), headers={'Host': host}) as answer:
            assert answer.status == 403 and 'this machine only' in await answer.text()

    in_session(work)


@pytest.mark.parametrize('headers', [
    {}, {'Origin': 'http://evil.example'}, {'Origin': 'http://['}, {'Origin': 'null'}, {'Origin': 'http://127.0.0.1:1'}])
def test_only_our_own_page_may_speak(server, headers):
    async def work(session) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(at(server, 'socket'), headers=headers)
        assert refusal.value.status == 403

    in_session(work)


def test_a_token_is_shown_once_and_then_remembered(robot):
    server = make_server(robot, TOKEN)

    async def work(session) -> None:
        for path in ('', 'main.js', '?token=', '?token=wrong', f'main.js?token={TOKEN}'):
            async with session.get(at(server, path)) as answer:
                assert answer.status == 403 and 'needs its token' in await answer.text()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(at(server, 'socket'), headers=origin(server))
        async with session.get(at(server), params={'token': TOKEN}) as answer:
            assert answer.status == 200 and 'token' not in str(answer.url)
            [before] = answer.history
            assert 'HttpOnly' in before.headers['Set-Cookie']
            assert 'SameSite=Strict' in before.headers['Set-Cookie']
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            assert (await words_of(socket, 'state'))['you'] == 'operator 1'
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(at(server, 'socket'), headers={'Origin': 'http://evil.example'})

    in_session(work)
    server.stop()


def test_a_port_that_is_taken_is_told_in_a_sentence(robot, server):
    with pytest.raises(ServerError, match=f'Cannot listen on 127.0.0.1:{server.port}'):
        make_server(robot, port=server.port)


def test_there_is_room_for_many_pages_but_not_for_any_number(server):
    async def work(session) -> None:
        pages = [await session.ws_connect(at(server, 'socket'), headers=origin(server))
                 for _ in range(MOST_PAGES)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(at(server, 'socket'), headers=origin(server))
        assert refusal.value.status == 503
        await pages[0].close()
        await session.ws_connect(at(server, 'socket'), headers=origin(server))

    in_session(work)


# What is refused.


def test_garbage_is_refused_with_a_sentence_and_the_page_served_on(server, robot):
    garbage = ['', '{', 'null', '[]', '{"type": "drag"}', '{"type": "set_parameter"}', '\u0000',
               json.dumps(drag(mode='dance')), json.dumps(drag(handles=[{}])), '9' * 4000,
               '[' * 5000, json.dumps(drag(stamp_ns=4)), json.dumps(drag(phase='end'))]

    async def work(session) -> None:
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            for text in garbage:
                await socket.send_str(text)
                sentence = (await words_of(socket, 'refused'))['sentence']
                assert sentence[0].isupper() and sentence.endswith('.'), text
            await socket.send_bytes(b'\x00\xff')
            assert 'Only text' in (await words_of(socket, 'refused'))['sentence']
            assert robot.drags == []
            await socket.send_json({'type': 'reset'})
            assert (await words_of(socket, 'reset'))['sentence'] == 'The prediction starts over.'

    in_session(work)


def test_a_message_that_is_too_long_ends_its_connection_only(server):
    async def work(session) -> None:
        other = await session.ws_connect(at(server, 'socket'), headers=origin(server))
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            await socket.send_str('x' * (LONGEST_MESSAGE_BYTES + 1))
            message = None
            while message is None or message.type is not aiohttp.WSMsgType.CLOSE:
                message = await socket.receive(timeout=5.0)
            assert message.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        await other.send_json({'type': 'reset'})
        assert await words_of(other, 'reset')

    in_session(work)


def test_a_page_that_asks_too_often_is_ignored_with_a_sentence(server, robot):
    async def work(session) -> None:
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            for _ in range(200):
                await socket.send_json({'type': 'reset'})
            assert 'more than' in (await words_of(socket, 'refused'))['sentence']
            assert robot.n_resets < 100

    in_session(work)


def test_a_drag_on_a_picture_that_was_shown_is_published_with_its_region(server, robot):
    async def work(session) -> None:
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            await words_of(socket, 'state')
            film(server, 5)
            assert (await picture_of(socket))['stamp_ns'] == '5'
            await socket.send_json(drag())
            [outline] = (await words_of(socket, 'outlines'))['outlines']
            assert len(outline) >= 3
            await socket.send_json(drag(picture={**drag()['picture'], 'width': 320}))
            assert 'another size' in (await words_of(socket, 'refused'))['sentence']
        while len(robot.drags) < 2:
            await asyncio.sleep(0.02)

    in_session(work)
    begin, end = robot.drags
    assert begin.handles[0].path == ((100, 100), (200, 100)) and begin.handles[0].outline
    assert end.phase is DragPhase.END  # let go when its page was closed


# Pictures.


def test_who_does_not_look_is_sent_nothing_and_then_the_newest_prediction(server, robot):
    async def work(session) -> None:
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as first:
            await words_of(first, 'state')
            assert robot.is_watched
            for anchor in range(3):
                server.console.feed.put_clip(clip(anchor))
                assert (await picture_of(first))['anchor'] == anchor
                await first.send_json({'type': 'taken', 'stream': 'prediction'})
            async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as second:
                assert (await picture_of(second))['anchor'] == 2
            await first.send_json({'type': 'looking', 'is_seen': False})
            while robot.is_watched:
                await asyncio.sleep(0.02)

    in_session(work)


def test_a_page_with_a_hand_on_it_gets_more_pictures(server, monkeypatch):
    async def secs_to_next() -> float:
        await asyncio.sleep(0.2)
        film(server, 1)  # after a pause one comes early
        return film(server, 2)

    async def work(session) -> None:
        monkeypatch.setattr(pace, 'ATTENTIVE_SECS', 0.0)
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            await words_of(socket, 'state')
            assert await secs_to_next() > 0.05
            monkeypatch.setattr(pace, 'ATTENTIVE_SECS', 10.0)
            await socket.send_json({'type': 'looking', 'is_seen': True})
            assert await secs_to_next() <= 1 / 60

    in_session(work)


def clip(anchor: int) -> Clip:
    return Clip(frames=[NOISE[:64, :64]], offsets_secs=[0.1], confidence=[1.0], tracks_px=[],
                stamp_ns=anchor, frame_id='eye', epoch=0, anchor=anchor, chunk=0, is_last=True,
                drag_id='')


def test_a_page_that_does_not_read_slows_nobody_and_gets_the_newest_when_it_does(server):
    frames = 90

    async def work(session) -> None:
        slow = await session.ws_connect(at(server, 'socket'), headers=origin(server))
        quick = await session.ws_connect(at(server, 'socket'), headers=origin(server))
        await words_of(quick, 'state')
        got = 0
        for stamp in range(1, frames + 1):
            film(server, stamp)
            header = await picture_of(quick)
            await quick.send_json({'type': 'taken', 'stream': 'camera'})
            got += int(header['stamp_ns']) == stamp
            await asyncio.sleep(1 / 40)  # each: to catch up would be more than the rate allowed
        assert got == frames
        stamps = [int((await picture_of(slow))['stamp_ns']) for _ in range(2)]
        assert stamps == [1, 2]  # those that were on their way, and then the newest
        await slow.send_json({'type': 'taken', 'stream': 'camera'})
        assert int((await picture_of(slow))['stamp_ns']) == frames

    in_session(work)


def test_a_picture_that_nobody_foresaw_is_told_and_the_next_one_shown(server, monkeypatch):
    def fail(*_, **__):
        raise IndexError('list index out of range')

    async def work(session) -> None:
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            await words_of(socket, 'state')
            with monkeypatch.context() as patched:
                patched.setattr(picture_feed, 'clip_packet', fail)
                server.console.feed.put_clip(clip(0))
                assert 'IndexError' in (await words_of(socket, 'problem'))['sentence']
            server.console.feed.put_clip(clip(1))
            assert (await picture_of(socket))['anchor'] == 1

    in_session(work)


def test_a_broken_picture_is_told_and_the_next_one_shown(server):
    async def work(session) -> None:
        async with session.ws_connect(at(server, 'socket'), headers=origin(server)) as socket:
            await words_of(socket, 'state')
            server.console.feed.put_camera(RawFrame(
                data=b'123', stamp_ns=1, arrival_ns=0, height=2, width=2, step=6), 'eye')
            assert 'does not fit' in (await words_of(socket, 'problem'))['sentence']
            film(server, 2)
            assert (await picture_of(socket))['stamp_ns'] == '2'

    in_session(work)
