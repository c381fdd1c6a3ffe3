"""The report of ``dragstream evaluate`` in a real browser."""

import json
import re

import cv2
import numpy as np
import pytest
from bag_maker import write_bag
from console_harness import running_chromium
from evaluate_here import CrewHere
from recording_maker import picture

from dragstream_ros import cli
from dragstream_ros.evaluation.footage import evaluate

WINDOW = {'width': 1200, 'height': 900}


def write_still_video(path):
    """Three and a half seconds in which nothing moves."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (64, 48))
    for _ in range(35):
        writer.write(picture(1.0))
    writer.release()
    return path


@pytest.fixture(scope='module')
def reports(tmp_path_factory):
    """Folders of two evaluations: of a bag in which something moves, of a video where nothing."""
    folder = tmp_path_factory.mktemp('report')
    footage = {'moving': write_bag(folder / 'bag', secs=5.0),
               'still': write_still_video(folder / 'still.avi')}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, 'Crew', CrewHere)
        for name, path in footage.items():
            assert cli.main(['evaluate', str(path), '--horizon', '1',
                             '--output', str(folder / name)]) == 0
    return folder


@pytest.fixture(scope='module')
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def open_report(chromium, reports):
    """Give open_report(name): its page, which must neither complain nor ask for anything."""
    context = chromium.new_context(viewport=WINDOW)
    complaints, requests = [], []

    def open_report(name):
        page = context.new_page()
        page.on('console', lambda message: complaints.append(message.text))
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.on('request', lambda request: requests.append(request.url))
        page.goto((reports / name / 'report.html').as_uri())
        return page

    yield open_report
    assert complaints == []
    assert [url[:60] for url in requests if not url.startswith(('file:', 'data:'))] == []
    assert sum(url.startswith('file:') for url in requests) == 1
    context.close()


def test_the_worst_start_is_on_the_first_screen(open_report, reports):
    page = open_report('moving')
    starts = json.loads((reports / 'moving' / 'results.json').read_text())['starts']
    worst = min(starts, key=lambda start: start['psnr_db'])
    card = page.locator('.start.worst')
    assert f'at {worst["start_secs"]:.1f} s' in card.inner_text()
    assert f'{worst["psnr_db"]:.1f} dB' in card.inner_text()
    box = card.bounding_box()
    assert box['y'] + box['height'] <= WINDOW['height']
    assert page.locator('.start').count() == len(starts)


def test_a_start_can_be_stepped_through(open_report):
    page = open_report('moving')
    card = page.locator('.start.worst')
    assert card.locator('figcaption').all_inner_texts() == [
        'recorded', 'predicted, dragged', 'predicted, not dragged']

    def seen(step):
        card.locator('input').evaluate(
            '(slider, step) => { slider.value = step; slider.dispatchEvent(new Event("input")) }',
            step)
        x = float(card.locator('.now').first.evaluate('dot => dot.cx.baseVal.value'))
        return card.locator('.picture').first.screenshot(), x, card.locator('output').inner_text()

    first, last = seen(0), seen(9)
    assert first[0] != last[0]
    assert last[1] - first[1] == pytest.approx(0.9 * 12.8, abs=2.0)
    assert (first[2], last[2]) == ('+0.1 s', '+1.0 s')
    assert card.locator('button').inner_text() == 'Play'
    card.locator('button').click()
    page.wait_for_function(
        'document.querySelector(".start.worst output").textContent === "+0.5 s"')


def test_the_pictures_of_a_strip_are_those_of_their_column(open_report):
    page = open_report('moving')
    page.locator('.start.worst input').evaluate(
        'slider => { slider.value = 9; slider.dispatchEvent(new Event("input")) }')
    shots = [cv2.imdecode(np.frombuffer(picture.screenshot(), np.uint8), cv2.IMREAD_COLOR)
             for picture in page.locator('.start.worst .picture').all()]
    recorded, dragged, undragged = (shot.astype(float) for shot in shots)
    assert recorded.std() > 20 and np.abs(recorded - dragged).mean() > 1
    assert np.abs(dragged - undragged).mean() > 0.1


def test_a_click_on_a_start_leads_to_its_pictures(open_report):
    page = open_report('moving')
    target = page.locator('a:has(.dot)').last
    href = target.get_attribute('href')
    target.click()
    assert page.evaluate('location.hash') == href
    box = page.locator(f'[id="{href[1:]}"]').bounding_box()
    assert -10 <= box['y'] < WINDOW['height']


def test_the_page_says_what_it_was_made_of(open_report, reports):
    text = open_report('moving').locator('main').inner_text()
    results = json.loads((reports / 'moving' / 'results.json').read_text())
    assert results['weights_sha256'] in text and results['footage']['bag']['sha256'] in text
    assert 'horizon_secs 1.0' in text and 'seed 0' in text
    assert 'no recorder' in text and 'not calibrated' in text and 'not a safety sensor' in text
    for number in re.findall(r'nan|None|Undefined|inf ', text):
        raise AssertionError(number)


def test_footage_in_which_nothing_moves_has_a_report_too(open_report):
    page = open_report('still')
    text = page.locator('main').inner_text()
    assert 'Nothing was dragged.' in text
    assert page.locator('.start.worst figcaption').all_inner_texts() == [
        'recorded', 'predicted, not dragged']


def test_it_can_be_read_on_a_telephone(open_report):
    page = open_report('moving')
    page.set_viewport_size({'width': 390, 'height': 800})
    assert page.evaluate('document.documentElement.scrollWidth') <= 390
