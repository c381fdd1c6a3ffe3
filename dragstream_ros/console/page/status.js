// What the page says and which buttons are lit, from what is the case; changes only what differs.

import * as words from './words.js';

const PROBLEM_MS = 8000;
const RATE_OVER_MS = 2000;
const SILENT_MS = 2000;
const SEEN_SECS = 0.03;  // a step of the playhead that is worth painting the page for

export class Status {
  constructor(element) {
    this.element = element;
    this.cameraMs = [];
    this.numbers = null;
    this.problemUntilMs = 0;
    this.isOpen = false;
    this.awaited = null;    // a drag whose first predicted frame is still to come
    this.responseSecs = null;
  }

  sawPicture({stream, drag_id: dragId}) {
    if (stream === 'camera') this.cameraMs.push(performance.now());
    if (dragId && dragId === this.awaited?.id) {
      this.responseSecs = (performance.now() - this.awaited.startedMs) / 1000;
      this.awaited = null;
    }
  }

  // A drag has begun; the time until the first frame predicted with it is measured.
  await(drag) {
    this.awaited = drag;
  }

  predicted(numbers) {
    this.numbers = numbers;
  }

  // kind: 'problem', or 'note' where nothing is wrong or the work goes on.
  tell(sentence, kind = 'problem') {
    this.problemUntilMs = performance.now() + PROBLEM_MS;
    this.element('problem').dataset.kind = kind;
    this.say('problem', sentence);
  }

  link(state) {
    this.isOpen = state === 'open';
    this.element('link').dataset.state = state;
    this.say('link', this.isOpen ? 'Connected' : 'Connection lost; trying again ...');
  }

  turn(sentence, isYours) {
    this.element('turn').dataset.yours = isYours;
    this.say('turn', sentence);
  }

  show({choices, gestures, prediction, comparison, views}) {
    const nowMs = performance.now();
    this.cameraMs = this.cameraMs.filter((ms) => nowMs - ms < RATE_OVER_MS);
    this.element('problem').hidden = nowMs > this.problemUntilMs;
    this.element('hint').style.visibility = nowMs > this.problemUntilMs ? 'visible' : 'hidden';
    this.say('hint', words.hint(choices, choices.grab, {...gestures, several: gestures.isSeveral}));
    this.camera(gestures, comparison, views, nowMs);
    this.prediction(prediction, comparison);
    this.press('several', choices.several);
    this.press('play', prediction.isPlaying);
    this.say('play', prediction.isPlaying ? 'Pause' : 'Play');
    this.press('keep', Boolean(prediction.kept) && !comparison);
    this.press('compare', Boolean(comparison));
    this.enable('release', Boolean(gestures.drag));
    this.enable('undo', Boolean(gestures.drag || gestures.last || gestures.centre));
    if (this.numbers) {
      this.say('latency', words.latency(this.numbers.latency_secs));
      this.say('trust', words.trust(this.numbers.confidence, this.numbers.drift, this.numbers.is_late));
    }
    if (this.responseSecs !== null) this.say('response', words.response(this.responseSecs));
  }

  camera(gestures, comparison, views, nowMs) {
    const isHeld = gestures.drag?.picture.stream === 'camera';
    const isReplay = Boolean(comparison?.bitmaps);
    const isSilent = !(nowMs - this.cameraMs.at(-1) < SILENT_MS);
    let state = 'live';
    let sentence = 'live';
    if (isReplay) [state, sentence] = ['replay', 'what really came, a moment ago'];
    else if (isHeld) [state, sentence] = ['held', 'held still while you drag'];
    else if (!views.camera.bitmap) [state, sentence] = ['waiting', 'waiting for a picture'];
    else if (isSilent) [state, sentence] = ['silent', 'no new picture; this one is old'];
    this.element('camera-view').dataset.state = state;
    this.element('live').hidden = !(isHeld || isReplay);
    // Out of the hand's way.
    const hand = gestures.drag?.handles.at(-1)?.path.at(-1);
    const isRight = isHeld && hand && hand[0] > views.camera.picture.width / 2;
    this.element('live').dataset.side = isRight ? 'left' : 'right';
    this.say('camera-words', sentence);
    this.say('camera-rate', isSilent ? 'no pictures' : words.rate(this.cameraMs.length * 1000 / RATE_OVER_MS));
  }

  prediction(prediction, comparison) {
    const {shown} = prediction;
    this.element('prediction-view').dataset.state = shown ? 'shown' : 'waiting';
    if (!shown) {
      this.say('prediction-words', 'waiting for the predictor');
      return;
    }
    const scrub = this.element('scrub');
    const secs = Math.min(prediction.secs, prediction.horizonSecs);
    if (Number(scrub.max) !== prediction.horizonSecs) scrub.max = prediction.horizonSecs;
    if (Math.abs(scrub.value - secs) > SEEN_SECS) scrub.value = secs;
    let sentence = words.ahead(shown.frame.secs);
    if (shown.prediction.dragId) sentence += ', dragged';
    if (comparison) sentence += comparison.bitmaps ? ', beside what came' : '; waiting for the camera to get there';
    else if (prediction.kept) sentence += ', kept';
    this.say('prediction-words', sentence);
    const place = words.ahead(secs);
    if (scrub.getAttribute('aria-valuetext') !== place) scrub.setAttribute('aria-valuetext', place);
  }

  say(id, text) {
    if (this.element(id).textContent !== text) this.element(id).textContent = text;
  }

  press(id, isPressed) {
    const text = String(isPressed);
    if (this.element(id).getAttribute('aria-pressed') !== text) {
      this.element(id).setAttribute('aria-pressed', text);
    }
  }

  enable(id, isEnabled) {
    this.element(id).disabled = !isEnabled;
  }
}
