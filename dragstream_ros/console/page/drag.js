// The drag in the operator's hand, and how the console hears of it: at once when it begins and ends,
// 20 times a second while it moves, and now and then while it is held still. An edit is made once,
// when it is let go: each would redo what the one before has made.

import {distance} from './pixels.js';

const UPDATE_MS = 50;
const ALIVE_MS = 500;
const STEP_PX = 1.5;  // between two points of a path
const MOST_POINTS = 400;
const JUST_MS = 5000;  // how long an operator who has let go looks for what comes of it

let count = 0;

export class Drag {
  // picture: {stream, stamp_ns, width, height} of what the operator sees.
  constructor(connection, picture, mode) {
    this.number = ++count;
    this.picture = picture;
    this.mode = mode;
    this.handles = [];
    this.startedMs = performance.now();
    this.connection = connection;
    this.sentMs = 0;
    this.timer = null;
    this.hasBegun = false;
    this.endedMs = Infinity;
    this.lateId = null;  // what it was called before it was made again
  }

  get isEdit() {
    return this.mode === 'edit';
  }

  // A handle: its path, the centre it turns about or null, the outline that is sent or none yet,
  // and the outline that is shown.
  grab(point, centre = null) {
    const handle = {path: [point], centre, outline: [], found: []};
    this.handles.push(handle);
    if (!this.isEdit) this.send();
    return handle;
  }

  // The console is asked what a brush stroke covers, or what a point touches.
  async region(stroke, radiusPx = null) {
    const {outline} = await this.connection.ask(
      {type: 'region', picture: this.picture, stroke, radius_px: radiusPx});
    return outline;
  }

  // The path follows the hand; its last point is always where the hand is.
  move(handle, point) {
    const {path} = handle;
    const isSmallStep = path.length > 1 && distance(path.at(-2), path.at(-1)) < STEP_PX;
    if (isSmallStep) path.pop();
    path.push(point);
    if (path.length > MOST_POINTS) {
      handle.path = path.filter((_, n) => n === 0 || n === path.length - 1 || n % 2 === 0);
    }
    this.change();
  }

  // Something has changed: say so soon.
  change() {
    if (this.isEdit) return;
    const waitMs = Math.max(UPDATE_MS - (performance.now() - this.sentMs), 0);
    if (this.timer === null || this.isOnlyAlive) this.sendAfter(waitMs, false);
  }

  end() {
    this.endedMs = performance.now();
    this.finish('end');
  }

  cancel() {
    this.finish('cancel');
  }

  // Whether to make it once more, where the predictor was too busy for its picture.
  get isWorthAgain() {
    return !this.isEdit && this.lateId === null && performance.now() - this.endedMs < JUST_MS;
  }

  // The same on a newer picture, as another drag: what is still said of this one is of the past.
  again(stamp) {
    Object.assign(this, {number: ++count, hasBegun: false, lateId: this.id, id: undefined});
    this.picture = {...this.picture, stamp_ns: stamp};
    if (this.endedMs < Infinity) this.finish('end');
    else this.send();
  }

  // The console knows of its end already.
  drop() {
    clearTimeout(this.timer);
  }

  finish(phase) {
    const hasNews = !this.hasBegun || (this.timer !== null && !this.isOnlyAlive);
    if (phase === 'end' && hasNews) this.send();
    clearTimeout(this.timer);
    if (this.hasBegun) this.say(phase, []);
  }

  send() {
    this.sentMs = performance.now();
    this.say(this.hasBegun ? 'update' : 'begin', this.handles);
    this.hasBegun = true;
    this.sendAfter(ALIVE_MS, true);
  }

  sendAfter(waitMs, isOnlyAlive) {
    clearTimeout(this.timer);
    this.isOnlyAlive = isOnlyAlive;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.send();
    }, waitMs);
  }

  say(phase, handles) {
    this.connection.send({
      type: 'drag', number: this.number, phase, mode: this.mode, picture: this.picture,
      handles: handles.map(({path, centre, outline}) => ({path, centre, outline})),
    });
  }
}
