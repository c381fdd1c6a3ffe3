// Puts the page together: what comes from the console goes to the views, what the operator does
// goes to the gestures.

import {Connection} from './connection.js';
import {drawDoubt, drawGestures, drawPositions, drawWatermark} from './drawing.js';
import {Gestures} from './gestures.js';
import {History} from './history.js';
import {Prediction} from './prediction.js';
import {Status} from './status.js';
import {View} from './view.js';
import * as words from './words.js';

const element = (id) => document.getElementById(id);
const choices = {mode: 'animate', motion: 'move', grab: 'touch', several: false};
const views = Object.fromEntries(['camera', 'prediction'].map((stream) => [
  stream, new View(element(stream), (...canvas) => paint(stream, ...canvas))]));
const live = new View(element('live'));
const stamps = {camera: '', prediction: ''};
const prediction = new Prediction();
const history = new History();
const status = new Status(element);
let comparison = null;  // {prediction, bitmaps}; bitmaps null: not all has come yet
let you = '';
let late = null;  // a drag that is made again on the next picture

const connection = new Connection({onPicture, onWords, onLink});
const gestures = new Gestures({connection, views, choices, onHold, onLetGo});

// What comes.

function onPicture(header, bitmaps, jpegs) {
  status.sawPicture(header);
  if (header.stream === 'camera') onCamera(header, bitmaps[0], jpegs[0]);
  else onPrediction(header, bitmaps);
}

function onCamera(header, bitmap, jpeg) {
  history.add(header.stamp_ns, jpeg);
  const isAgain = late !== null && late === gestures.drag;  // now this is what is held still
  if (late?.isWorthAgain && [gestures.drag, gestures.last].includes(late)) {
    late.again(header.stamp_ns);
  }
  late = null;
  if (!isAgain && (gestures.drag?.picture.stream === 'camera' || comparison?.bitmaps)) {
    replace(live, bitmap, header);
    return;
  }
  replace(views.camera, bitmap, header);
  stamps.camera = header.stamp_ns;
}

// Thirty pictures a second are too many to leave to the garbage collector.
function replace(view, bitmap, {width, height}) {
  const before = view.bitmap;
  view.show(bitmap, {width, height});
  before?.close();
}

function onPrediction(header, bitmaps) {
  prediction.add(header, bitmaps);
  if (gestures.last?.isEdit && header.drag_id === gestures.last.id) {
    prediction.keep(prediction.newest);  // the next one knows nothing of the edit
  }
}

function onWords(message) {
  if (message.type === 'state') {
    you = message.you;
    status.turn(words.turn(you, message.holder, message.operators), message.holder === you);
  } else if (message.type === 'outlines') {
    onOutlines(message);
  } else if (message.type === 'prediction') {
    status.predicted(message);
  } else if (message.type === 'refused') {
    gestures.abandon();
    status.tell(message.sentence);
  } else if (message.type === 'problem') {
    onProblem(message);
  } else if (message.type === 'reset') {
    status.tell(message.sentence, 'note');
  }
}

function onProblem({code, sentence, is_warning: isWarning, drag_id: dragId}) {
  const drags = [gestures.drag, gestures.last].filter((drag) => drag && dragId);
  if (drags.some((drag) => drag.lateId === dragId)) return;
  const drag = drags.find(({id}) => id === dragId);
  if (drag && code === 'DRAG_STALE' && drag.isWorthAgain) {
    late = drag;
    status.tell(words.AGAIN, 'note');
    return;
  }
  if (drag && drag === gestures.drag && !isWarning) gestures.abandon();
  status.tell(sentence, isWarning ? 'note' : 'problem');
}

function onOutlines(message) {
  // An edit is let go by the time that it is answered.
  const drag = [gestures.drag, gestures.last].find((one) => one?.number === message.number);
  if (drag && !drag.id) {
    drag.id = message.drag_id;
    if (drag.isEdit) drag.startedMs = performance.now();
    status.await(drag);
  }
  gestures.outlined(message);
}

function onLink(state) {
  status.link(state);
  if (state === 'lost') gestures.abandon();
}

// What the operator does.

function onHold(stream) {
  stopComparing();
  prediction.keep(stream === 'prediction' ? prediction.complete : null);
  if (stream === 'prediction') {
    prediction.isPlaying = false;
    prediction.secs = prediction.horizonSecs;
    showPrediction();
  }
  return {picture: views[stream].picture, stamp: stamps[stream]};
}

function onLetGo(stream) {
  if (stream !== 'prediction') return;
  prediction.keep(null);
  prediction.isPlaying = true;
}

for (const input of document.querySelectorAll('.tools input')) {
  input.addEventListener('change', () => {
    choices[input.name] = input.value;
    if (input.name === 'mode') gestures.takeBack();
    else gestures.dropRegion();
  });
}

element('several').onclick = () => {
  choices.several = !choices.several;
  if (!choices.several) gestures.release();
};
element('undo').onclick = () => gestures.undo();
element('release').onclick = () => gestures.release();
element('reset').onclick = () => {
  gestures.abandon();
  stopComparing();
  prediction.clear();
  connection.send({type: 'reset'});
};

element('play').onclick = () => {
  prediction.isPlaying = !prediction.isPlaying;
};
element('scrub').oninput = ({target}) => {
  prediction.isPlaying = false;
  prediction.secs = Number(target.value);
};
element('keep').onclick = () => {
  stopComparing();
  prediction.keep(prediction.kept ? null : prediction.complete);
};
element('compare').onclick = () => {
  if (comparison) {
    stopComparing();
  } else if (prediction.complete) {
    prediction.keep();
    comparison = {prediction: prediction.kept, bitmaps: null};
  }
};

function stopComparing() {
  if (!comparison) return;
  comparison = null;
  prediction.keep(null);
}

// Gathers the camera's pictures as soon as the last of them has come.
async function compare() {
  if (!comparison || comparison.bitmaps || comparison.isGathering) return;
  if (history.secsUntil(comparison.prediction) > 0) return;
  const gathered = comparison;
  gathered.isGathering = true;
  gathered.bitmaps = await history.beside(gathered.prediction);
}

// What is shown.

function showPrediction() {
  const shown = prediction.shown;
  if (!shown) return;
  const {frame} = shown;
  if (views.prediction.frame === frame) return;
  views.prediction.frame = frame;
  views.prediction.show(frame.bitmap, shown.prediction.picture);
  stamps.prediction = shown.prediction.stamp;
  if (comparison?.bitmaps) {
    const index = comparison.prediction.frames.indexOf(frame);
    const came = comparison.bitmaps[index];
    if (came) views.camera.show(came, views.camera.picture);
  }
}

function paint(stream, context, rect, scale) {
  if (stream === 'prediction') {
    drawDoubt(context, rect, views.prediction.frame.confidence);
    drawWatermark(context, rect, scale);
    drawPositions(context, rect, scale, views.prediction.frame.positions);
  }
  if (stream === gestures.stream && !(stream === 'camera' && comparison?.bitmaps)) {
    drawGestures(context, rect, scale, gestures);
  }
}

// No picture comes sooner, and what draws may share a computer with what predicts. Screens refresh
// a little before or after their time, which the second number allows for.
const DRAW_MS = 33;
const EARLY_MS = 4;
let beforeMs = performance.now();
function everyFrame(nowMs) {
  requestAnimationFrame(everyFrame);
  if (nowMs - beforeMs < DRAW_MS - EARLY_MS) return;
  prediction.advance((nowMs - beforeMs) / 1000);
  beforeMs = nowMs;
  compare();
  showPrediction();
  for (const view of [...Object.values(views), live]) view.draw();
  status.show({choices, gestures, prediction, comparison, history, views});
}
requestAnimationFrame(everyFrame);
