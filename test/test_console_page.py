"""What hands and keys do on the console's page, in a real browser, and which Drag comes of it."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('aiohttp')

from console_harness import (  # noqa: E402
    HEIGHT,
    MARK,
    WIDTH,
    Hand,
    corners,
    xy,
)
from predictor_harness import stamp_of  # noqa: E402

from dragstream_ros.masks.brushed_region import RIM_PX  # noqa: E402
from dragstream_ros.msg import Drag, DragHandle, PredictionInfo  # noqa: E402

pytest_plugins = 'console_harness'
PHONE = {'viewport': {'width': 390, 'height': 780}, 'device_scale_factor': 3, 'has_touch': True,
         'is_mobile': True}
DENSE = {'device_scale_factor': 2}
WINDOWS = {
    'a desktop': ({}, 1.0),
    'a dense screen': (DENSE, 1.0),
    'an odd one': ({'device_scale_factor': 1.25, 'viewport': {'width': 1003, 'height': 777}}, 1.0),
    'a zoomed page': ({}, 1.5),
    'a page zoomed out on a dense screen': (DENSE, 0.67),
    'a low window': ({'viewport': {'width': 1400, 'height': 480}}, 1.0),
    'a phone': (PHONE, 1.0),
}


@pytest.mark.parametrize('name', WINDOWS)
def test_what_is_under_the_pointer_is_what_is_sent(open_page, robot, name):
    window, zoom = WINDOWS[name]
    page = open_page(**window)
    page.page.evaluate(f'document.documentElement.style.zoom = {zoom}')
    page.page.locator('#camera').scroll_into_view_if_needed()
    page.page.wait_for_timeout(200)
    hand = Hand(page, robot)  # has found the mark on a picture of the screen
    hand.drag(MARK, (MARK[0] + 30, MARK[1] - 20))
    end = hand.sent(Drag.END)
    [begin] = hand.all_sent(Drag.BEGIN)
    update = hand.newest()

    assert (begin.image_width, begin.image_height) == (WIDTH, HEIGHT)
    assert begin.header.frame_id == 'eye' and begin.mode == Drag.ANIMATE
    assert begin.header.stamp == update.header.stamp
    assert begin.drag_id == update.drag_id == end.drag_id
    [handle] = update.handles
    assert handle.path[0] == begin.handles[0].path[0]
    # Half a pixel is what is asked for; less finds out who forgets the middle of a pixel.
    assert xy(handle.path[0]) == pytest.approx(MARK, abs=0.3)
    assert xy(handle.path[-1]) == pytest.approx((MARK[0] + 30, MARK[1] - 20), abs=0.3)


def test_what_was_touched_is_outlined_and_sent(hand):
    hand.press(*MARK)
    hand.sent(Drag.BEGIN)
    left, top, right, bottom = corners(hand.newest().handles[0])
    assert (left, top) == pytest.approx((MARK[0] - 4, MARK[1] - 4), abs=2)
    assert (right, bottom) == pytest.approx((MARK[0] + 4, MARK[1] + 4), abs=2)
    hand.mouse.up()


def test_the_picture_holds_still_while_a_drag_is_held_and_goes_on_after_it(hand):
    hand.press(*MARK)
    hand.page.wait(lambda: hand.page.state('camera') == 'held')
    assert hand.page.page.locator('#live').is_visible()
    stamp = hand.sent(Drag.BEGIN).header.stamp
    hand.to(90, 50)
    assert hand.sent(Drag.UPDATE, 2).header.stamp == stamp
    hand.mouse.up()
    hand.page.wait(lambda: hand.page.state('camera') == 'live')
    assert not hand.page.page.locator('#live').is_visible()


def test_a_drag_that_is_held_still_is_kept_alive(hand):
    hand.press(*MARK)
    hand.sent(Drag.UPDATE, 3)  # the predictor would end it after two seconds of silence
    hand.mouse.up()


def test_a_hand_that_leaves_the_picture_is_held_at_its_edge(hand):
    hand.drag(MARK, (WIDTH + 30, MARK[1]))
    hand.sent(Drag.END)
    assert xy(hand.newest().handles[0].path[-1]) == pytest.approx((WIDTH - 0.5, MARK[1]), abs=0.3)


def test_shift_adds_handles_until_it_is_let_go(hand):
    hand.page.page.keyboard.down('Shift')
    hand.drag(MARK, (90, 40))
    hand.drag((100, 80), (120, 60))
    assert not hand.all_sent(Drag.END)
    hand.page.page.keyboard.up('Shift')
    hand.sent(Drag.END)
    assert [xy(handle.path[-1]) for handle in hand.newest().handles] == [
        pytest.approx((90, 40), abs=0.3), pytest.approx((120, 60), abs=0.3)]
    assert len(hand.all_sent(Drag.BEGIN)) == 1


def test_several_handles_can_be_undone_one_by_one_and_released(hand):
    hand.click('several')
    hand.drag(MARK, (90, 40))
    hand.drag((100, 80), (120, 60))
    hand.page.wait(lambda: len(hand.newest().handles) == 2)
    hand.click('undo')
    hand.page.wait(lambda: len(hand.newest().handles) == 1)
    hand.click('release')
    hand.sent(Drag.END)


def test_a_drag_that_was_let_go_can_be_taken_back(hand):
    hand.drag(MARK, (90, 40))
    drag_id = hand.sent(Drag.END).drag_id
    hand.click('undo')
    assert hand.sent(Drag.CANCEL).drag_id == drag_id


def test_two_fingers_drag_two_things(open_page, robot):
    page = open_page(**PHONE)
    page.page.locator('#camera').scroll_into_view_if_needed()
    hand = Hand(page, robot)
    touches = page.context.new_cdp_session(page.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touches.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': [
            {'x': hand.mark[0] + dx * hand.scale, 'y': hand.mark[1] + dy * hand.scale, 'id': n}
            for n, (dx, dy) in enumerate(points)]})

    touch('touchStart', (0, 0))
    touch('touchStart', (0, 0), (40, 20))
    for step in (5, 10, 15):
        touch('touchMove', (step, 0), (40, 20 + step))
        page.page.wait_for_timeout(40)
    touch('touchEnd')
    hand.sent(Drag.END)
    first, second = hand.newest().handles
    x, y = MARK
    assert xy(first.path[0]) == pytest.approx((x, y), abs=0.5)
    assert xy(first.path[-1]) == pytest.approx((x + 15, y), abs=0.5)
    assert xy(second.path[0]) == pytest.approx((x + 40, y + 20), abs=0.5)
    assert xy(second.path[-1]) == pytest.approx((x + 40, y + 35), abs=0.5)


def test_a_thing_is_turned_about_a_centre(hand):
    hand.choose('Turn')
    hand.drag((30, 60), (31, 60))
    hand.drag(MARK, (80, 70))
    hand.sent(Drag.END)
    [handle] = hand.newest().handles
    assert handle.operation == DragHandle.ROTATE
    assert xy(handle.centre) == pytest.approx((31, 60), abs=0.3)
    assert xy(handle.path[0]) == pytest.approx(MARK, abs=0.3)


def test_one_thing_is_moved_and_another_turned_at_once(hand):
    hand.click('several')
    hand.drag(MARK, (90, 40))
    hand.choose('Turn')
    hand.drag((100, 60), (100, 60))
    hand.drag((120, 60), (100, 80))
    hand.page.wait(lambda: len(hand.newest().handles) == 2)
    hand.click('release')
    hand.sent(Drag.END)
    assert [handle.operation for handle in hand.newest().handles] == [
        DragHandle.TRANSLATE, DragHandle.ROTATE]


def test_a_box_is_what_is_dragged(hand):
    hand.choose('Box')
    hand.drag((40, 20), (80, 50))
    hand.page.wait(lambda: hand.page.text('hint').startswith('Now press inside'))
    hand.drag((60, 30), (90, 40))
    hand.sent(Drag.END)
    [handle] = hand.newest().handles
    assert corners(handle) == pytest.approx((40, 20, 80, 50), abs=0.3)
    assert xy(handle.path[0]) == pytest.approx((60, 30), abs=0.3)
    assert len(hand.all_sent(Drag.BEGIN)) == 1


def test_what_is_painted_over_is_what_is_dragged(hand):
    hand.choose('Brush')
    radius = 14 / hand.scale
    hand.drag((40, 30), (80, 30))
    hand.page.wait(lambda: hand.page.text('hint').startswith('Now press inside'))
    hand.drag((60, 30), (60, 60))
    hand.sent(Drag.END)
    [handle] = hand.newest().handles
    # Up to an outline next to the paint's rim, of which the scene has many.
    assert corners(handle) == pytest.approx(
        (40 - radius, 30 - radius, 80 + radius, 30 + radius), abs=1.1 + RIM_PX)


def test_keys_alone_drag_and_take_back(hand):
    keyboard = hand.page.page.keyboard
    hand.page.page.locator('#camera').focus()
    keyboard.press('Shift+ArrowLeft')
    keyboard.press('ArrowUp')
    keyboard.press('Enter')
    for _ in range(3):
        keyboard.press('Shift+ArrowRight')
    start, target = ((WIDTH - 1) / 2 - 10, (HEIGHT - 1) / 2 - 1), None
    target = (start[0] + 30, start[1])
    hand.sent(Drag.BEGIN)
    hand.page.wait(lambda: xy(hand.newest().handles[0].path[-1]) == target)
    keyboard.press('Enter')
    hand.sent(Drag.END)
    assert xy(hand.newest().handles[0].path[0]) == start
    keyboard.press('Escape')
    hand.sent(Drag.CANCEL)


def test_every_control_can_be_reached_with_the_tab_key(hand):
    reached = set()
    for _ in range(20):
        hand.page.page.keyboard.press('Tab')
        reached.add(hand.page.page.evaluate(
            'document.activeElement.id || document.activeElement.name'))
    # There is nothing to undo or to release: those two are off.
    assert reached >= {'camera', 'prediction', 'play', 'scrub', 'keep', 'compare', 'mode', 'motion',
                       'grab', 'several', 'reset'}


def test_a_hand_on_the_page_is_told(hand):
    def times_told() -> int:
        hand.to(*MARK)
        hand.to(0, 0)
        return sum(message['type'] == 'looking' for message in hand.page.sent)

    before = times_told()
    hand.page.wait(lambda: times_told() > before)


def test_a_problem_is_told_in_its_own_words(hand):
    sentence = 'No image on /image for 10 s; the prediction waits for the next one.'
    hand.robot.info.publish(PredictionInfo(code=PredictionInfo.IMAGE_STALLED, message=sentence))
    hand.page.wait(lambda: hand.page.text('problem') == sentence)
    hand.robot.info.publish(PredictionInfo(latency_secs=0.25, drift=0.1, confidence=0.9))
    hand.page.wait(lambda: '0.25 s' in hand.page.text('latency'))


def refuse_as_stale(hand: Hand, drag: Drag, sentence: str) -> None:
    """Say so as the predictor does, once the page knows the drag by name, and wait until heard."""
    hand.page.wait(lambda: any(said.get('drag_id') == drag.drag_id for said in hand.page.said))
    hand.robot.info.publish(PredictionInfo(
        code=PredictionInfo.DRAG_STALE, message=sentence, drag_id=drag.drag_id))
    hand.page.wait(lambda: any(said.get('sentence') == sentence for said in hand.page.said))


def test_a_drag_that_came_too_late_is_made_again_on_the_newest_picture_but_only_once(hand):
    hand.press(*MARK)
    hand.to(90, 50)
    first = hand.sent(Drag.BEGIN)
    refuse_as_stale(hand, first, 'Late.')
    again = hand.sent(Drag.BEGIN, 2)
    refuse_as_stale(hand, first, 'Late again.')  # of an update that was on its way
    assert again.drag_id != first.drag_id
    assert stamp_of(again) > stamp_of(first)
    assert xy(again.handles[0].path[0]) == xy(first.handles[0].path[0])
    assert xy(again.handles[0].path[-1]) == pytest.approx((90, 50), abs=0.3)
    assert corners(again.handles[0])[:2] == pytest.approx((MARK[0] - 4, MARK[1] - 4), abs=2)
    assert 'too busy' in hand.page.text('problem') and hand.page.state('camera') == 'held'

    refuse_as_stale(hand, again, 'Too late for good.')
    hand.page.wait(lambda: hand.page.text('problem') == 'Too late for good.')
    hand.page.wait(lambda: hand.page.state('camera') == 'live')
    hand.mouse.up()
    assert len(hand.all_sent(Drag.BEGIN)) == 2


def test_so_is_one_that_has_just_been_let_go(hand):
    hand.drag(MARK, (90, 50))
    refuse_as_stale(hand, hand.sent(Drag.END), 'Late.')
    ended = hand.sent(Drag.END, 2)
    begun = hand.all_sent(Drag.BEGIN)[-1]
    assert begun.drag_id == ended.drag_id
    assert xy(begun.handles[0].path[-1]) == pytest.approx((90, 50), abs=0.3)
    assert 'too busy' in hand.page.text('problem') and hand.page.state('camera') == 'live'


def test_text_stands_out_seven_to_one(hand):
    found = hand.page.page.evaluate(CONTRASTS)
    hand.press(*MARK)
    hand.page.wait(lambda: hand.page.state('camera') == 'held')
    found += hand.page.page.evaluate(CONTRASTS)
    hand.mouse.up()
    assert len(found) > 40
    assert [(contrast, text) for contrast, text in found if contrast < 7.0] == []


CONTRASTS = """() => {
  const luminance = (rgb) => rgb.map((v) => v / 255).map(
    (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
    if (!own.length || !element.checkVisibility({visibilityProperty: true})) continue;
    const [light, dark] = [parse(getComputedStyle(element).color).slice(0, 3), ground(element)]
      .map(luminance).sort((a, b) => b - a);
    found.push([(light + 0.05) / (dark + 0.05), element.textContent]);
  }
  return found;
}"""


def test_nothing_sticks_out_of_a_phone_and_all_buttons_are_large_enough(open_page):
    page = open_page(**PHONE)
    assert page.page.evaluate('document.documentElement.scrollWidth') <= 390
    for button in page.page.locator('button, fieldset span').all():
        assert button.bounding_box()['height'] >= 40, button.inner_text()


# What is in the middle of the camera's canvas each time that it has got another size.
PIXELS_AS_IT_SHRINKS = """async () => {
  const canvas = document.getElementById('camera');
  const opacities = [];
  for (let width = 400; width > 300; width -= 20) {
    canvas.closest('figure').style.width = `${width}px`;
    await new Promise((resolve) => {
      const observer = new ResizeObserver(() => {
        const {data} = canvas.getContext('2d').getImageData(
          canvas.width / 2, canvas.height / 2, 1, 1);
        opacities.push(data[3]);
        observer.disconnect();
        resolve();
      });
      observer.observe(canvas);
    });
  }
  return opacities;
}"""


def test_a_picture_is_seen_all_the_while_that_its_window_is_resized(open_page):
    page = open_page()
    assert page.page.evaluate(PIXELS_AS_IT_SHRINKS) == [255] * 5
