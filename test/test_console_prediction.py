"""What the console's page shows of a real predictor node, and several pages at once."""

from __future__ import annotations

import socket

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('aiohttp')

from command_line import finish, start  # noqa: E402
from console_harness import (  # noqa: E402
    HEIGHT,
    MARK,
    WIDTH,
    Hand,
    Page,
    running_console,
)
from predictor_harness import claimed_domain  # noqa: E402

from dragstream_ros.msg import Drag  # noqa: E402

pytest_plugins = 'console_harness'

PLACES = (0.5, 0.5), (0.3, 0.4), (0.7, 0.4), (0.4, 0.7), (0.6, 0.7), (0.5, 0.3), (0.5, 0.5)


@pytest.fixture
def page(predictor, open_page) -> Page:
    page = open_page()
    page.wait(lambda: page.state('prediction') == 'shown', 30)
    return page


def end_of_track(page: Page, drag_id: str) -> tuple[float, float] | None:
    """Where the end of the newest prediction asks the handle to be, in camera pixels."""
    clips = [clip for clip in page.clips if clip['drag_id'] == drag_id and clip['is_last']]
    if not clips:
        return None
    clip, (x, y) = clips[-1], clips[-1]['tracks'][0][-1]
    return (x + 0.5) * WIDTH / clip['width'] - 0.5, (y + 0.5) * HEIGHT / clip['height'] - 0.5


def test_what_was_dragged_is_seen_where_it_was_dragged_to(page, robot):
    hand, target = Hand(page, robot), (MARK[0] + 40, MARK[1] + 20)
    hand.press(*MARK)
    hand.to(*target)
    hand.sent(Drag.BEGIN)
    # On a busy computer the page makes a drag once more by itself, under another name.
    page.wait(lambda: end_of_track(page, hand.newest().drag_id) == pytest.approx(target, abs=0.5))
    page.page.locator('#scrub').fill('1.2')
    page.wait(lambda: page.text('play') == 'Play' and 'dragged' in page.text('prediction-words'))

    def seen() -> tuple[float, float]:
        x, y = page.place_of_mark('prediction')
        box = page.page.locator('#prediction').bounding_box()
        scale = page.css_per_pixel('prediction')
        return (x - box['x']) / scale - 0.5, (y - box['y']) / scale - 0.5

    # The stub moves whole pixels of its own, which are two and a half of the camera's.
    page.wait(lambda: seen() == pytest.approx(target, abs=2.0))
    assert float(page.text('response').split()[-2]) < 10
    hand.mouse.up()
    hand.sent(Drag.END)


def test_a_prediction_is_compared_with_what_came_scrubbed_and_kept(page):
    page.page.locator('#compare').click()
    page.wait(lambda: page.state('camera') == 'replay')
    assert 'beside what came' in page.text('prediction-words')
    page.page.locator('#scrub').fill('0.6')
    page.wait(lambda: page.text('prediction-words').startswith('0.6 s ahead'))
    page.page.locator('#compare').click()
    page.wait(lambda: page.state('camera') == 'live')
    page.page.locator('#keep').click()
    page.wait(lambda: 'kept' in page.text('prediction-words'))


def test_an_edit_is_made_on_the_predicted_picture_when_it_is_let_go(page, robot):
    page.page.get_by_role('radio', name='Edit').check()
    before = len(robot.drags)
    start, css = page.place_of_mark('prediction'), page.css_per_pixel('prediction')
    page.page.mouse.move(*start)
    page.page.mouse.down()
    page.page.mouse.move(start[0] + 25 * css, start[1], steps=3)
    page.page.wait_for_timeout(200)
    assert robot.drags[before:] == []
    page.page.mouse.up()
    [begin] = page.wait(lambda: robot.drags_since(before, phase=Drag.BEGIN))
    assert begin.mode == Drag.EDIT and (begin.image_width, begin.image_height) == (64, 38)
    path = begin.handles[0].path
    assert path[-1].x - path[0].x == pytest.approx(25 * 64 / WIDTH, abs=0.2)
    page.wait(lambda: any(clip['drag_id'] == begin.drag_id for clip in page.clips))
    page.wait(lambda: 'kept' in page.text('prediction-words'))


def test_reset_starts_the_prediction_over(page):
    page.wait(lambda: page.clips)
    epoch = page.clips[-1]['epoch']
    page.page.locator('#reset').click()
    page.wait(lambda: 'starts over' in page.text('problem'))
    page.wait(lambda: page.clips[-1]['epoch'] > epoch)


def test_two_operators_take_turns(open_page, robot):
    first, second = (Hand(open_page(), robot) for _ in range(2))
    first.press(*MARK)
    first.sent(Drag.BEGIN)
    second.page.wait(lambda: 'is dragging' in second.page.text('turn'))
    second.press(*MARK)
    second.page.wait(lambda: 'is dragging now' in second.page.text('problem'))
    second.mouse.up()
    first.to(90, 40)
    first.mouse.up()
    ended = first.sent(Drag.END)
    assert {drag.operator_id for drag in robot.drags[first.before:]} == {ended.operator_id}

    second.page.wait(lambda: 'Nobody is dragging' in second.page.text('turn'))
    second.drag(MARK, (80, 40))
    assert second.sent(Drag.END, 2).operator_id != ended.operator_id


def test_a_page_that_is_closed_lets_go(open_page, robot):
    page = open_page()
    hand = Hand(page, robot)
    hand.press(*MARK)
    drag_id = hand.sent(Drag.BEGIN).drag_id
    page.close()
    other = open_page()
    other.wait(lambda: [drag.drag_id for drag in hand.all_sent(Drag.END)] == [drag_id])


def test_the_robot_is_left_alone_while_nobody_looks(open_page, robot):
    page = open_page()
    watched = robot.n_watchers
    clips = robot.node.count_subscribers('prediction/clip')
    page.page.evaluate("""
        Object.defineProperty(document, 'visibilityState', {value: 'hidden'});
        document.dispatchEvent(new Event('visibilitychange'))""")
    page.wait(lambda: robot.n_watchers == watched - 1)
    page.wait(lambda: robot.node.count_subscribers('prediction/clip') == clips - 1)


def test_a_dropped_connection_heals_by_itself(browser, robot):
    with running_console() as console:
        url = console.url()
        page = Page(browser, url)
        page.wait_for_camera()
    page.wait(lambda: 'lost' in page.text('link'))
    page.wait(lambda: page.state('camera') == 'silent')
    with running_console(port=int(url.rsplit(':')[-1])):
        page.wait(lambda: page.text('link') == 'Connected', 20)
        page.wait_for_camera()
        page.close()


@pytest.mark.alone
def test_one_command_starts_a_robot_to_drag_on(browser):
    port = free_port()
    with claimed_domain():
        command = start('run', 'console', f'port:={port}')
    page = Page(browser, 'about:blank')
    try:
        page.wait(lambda: is_served(port), 30)
        page.page.goto(f'http://127.0.0.1:{port}')
        page.wait(lambda: page.state('prediction') == 'shown', 60)
        # What is dragged may be lost, or the page give up on a busy computer: a person tries again,
        # and elsewhere, since nobody can follow a bare table.
        answered = any(is_answered(page, place) for place in PLACES)
        assert answered, page.text('problem')
    finally:
        page.close()
        command.terminate()
        status, _, said = finish(command, within_secs=15.0)
    assert status == 0 and 'Traceback' not in said, said


def is_answered(page: Page, place: tuple[float, float]) -> bool:
    """Hold a drag until the page ends it, or tells how soon it was predicted.

    place: in shares of the picture, (x, y).
    """
    box = page.page.locator('#camera').bounding_box()
    x, y = box['x'] + place[0] * box['width'], box['y'] + place[1] * box['height']
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 60, y, steps=5)
    page.page.wait_for_timeout(500)     # for the press to be taken, or the drag to be lost already

    def is_told() -> bool:
        return page.text('response').startswith('first frame after')

    page.wait(lambda: is_told() or page.state('camera') != 'held', 20)
    page.page.mouse.up()
    return is_told()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0
