// What the operator's hands mean: mouse, fingers and keys become one drag with its handles.
//
// A pointer goes down, moves and goes up, and so does the cross that the arrow keys move and Enter
// presses. From the first touch on the picture holds still, so that what is grabbed, boxed or
// painted is what was seen.

import {Drag} from './drag.js';
import {clampToPicture, distance, isInside} from './pixels.js';

const CENTRE_REACH_CSS = 14;
const BRUSH_CSS = 14;
const SMALLEST_BOX_PX = 2;
const KEYS = 'keys';  // the pointer that the keyboard moves
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export class Gestures {
  // views: {camera, prediction}; choices: {mode, motion, grab, several} as they are now;
  // onHold(stream), onLetGo(stream) when a picture begins and ends to be held still.
  constructor({connection, views, choices, onHold, onLetGo}) {
    this.connection = connection;
    this.views = views;
    this.choices = choices;
    this.onHold = onHold;
    this.onLetGo = onLetGo;
    this.forget();
    this.last = null;    // the drag before, to be undone
    this.cross = null;   // where the keyboard is
    this.isShift = false;
    for (const [stream, view] of Object.entries(views)) this.listen(stream, view);
    addEventListener('keyup', (event) => event.key === 'Shift' && this.shiftUp());
  }

  // Which picture can be dragged on.
  get stream() {
    return this.choices.mode === 'edit' ? 'prediction' : 'camera';
  }

  get view() {
    return this.views[this.stream];
  }

  get isSeveral() {
    return this.choices.several || this.isShift;
  }

  listen(stream, view) {
    const {canvas} = view;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || stream !== this.stream || !view.bitmap) return;
      const point = view.pixelAt(event);
      if (!isInside(point, view.picture)) return;
      canvas.setPointerCapture(event.pointerId);
      this.isShift = event.shiftKey;
      this.cross = null;
      this.down(event.pointerId, point);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!this.pointers.has(event.pointerId)) return;
      // Between two frames a hand may have gone a long way: take every point of it.
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const one of passed.length ? passed : [event]) {
        this.move(event.pointerId, view.pixelAt(one));
      }
    });
    canvas.addEventListener('pointerup', (event) => {
      if (!this.pointers.has(event.pointerId)) return;
      this.move(event.pointerId, view.pixelAt(event));
      this.isShift = event.shiftKey;
      this.up(event.pointerId);
    });
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());  // of a long press
    canvas.addEventListener('pointercancel', (event) => this.up(event.pointerId));
    canvas.addEventListener('keydown', (event) => this.key(event, stream, view));
    canvas.addEventListener('blur', () => this.changed());
  }

  // Pointers.

  down(id, point) {
    const {motion, grab} = this.choices;
    if (motion === 'turn' && this.pointers.size === 0 && this.isForCentre(point)) {
      this.centre = point;
      this.pointers.set(id, {does: 'centre'});
    } else if (grab !== 'touch' && !this.regionHandle) {
      this.hold();
      // It grabs already, so that the predictor knows which picture all this is about.
      this.regionHandle = this.drag.grab(point);
      this.pointers.set(id, {does: grab, points: [point]});
    } else {
      this.hold();
      this.pointers.set(id, {does: 'handle', handle: this.grab(point)});
    }
    this.changed();
  }

  move(id, point) {
    const pointer = this.pointers.get(id);
    if (!pointer) return;
    const inside = clampToPicture(point, this.view.picture);
    if (pointer.does === 'handle') this.drag.move(pointer.handle, inside);
    else if (pointer.does === 'centre') this.centre = inside;
    else if (pointer.does === 'box') pointer.points = [pointer.points[0], inside];
    else if (pointer.points.length < 500) pointer.points.push(inside);
    this.changed();
  }

  up(id) {
    const pointer = this.pointers.get(id);
    if (!pointer) return;
    this.pointers.delete(id);
    if (pointer.does === 'box') this.boxed(pointer.points);
    if (pointer.does === 'brush') {
      this.drag.region(pointer.points, Math.max(this.brushPx, 0.5))
        .then((outline) => this.setRegion(outline));
    }
    if (pointer.does === 'handle' && this.pointers.size === 0 && !this.isSeveral) this.release();
    this.changed();
  }

  isForCentre(point) {
    if (!this.centre) return true;
    return distance(point, this.centre) < CENTRE_REACH_CSS * this.view.pixelsPerCss;
  }

  grab(point) {
    const centre = this.choices.motion === 'turn' ? this.centre : null;
    const handle = this.regionHandle;
    if (!handle) return this.touched(this.drag.grab(point, centre));
    this.regionHandle = null;
    this.drag.startedMs = performance.now();    // marking it was none of the drag
    Object.assign(handle, {path: [point], centre});
    this.drag.change();
    return handle;
  }

  // Regions.

  // An edit is sent only when it is let go, but what is grabbed is shown at once.
  touched(handle) {
    if (this.drag.isEdit) {
      this.drag.region([handle.path[0]]).then((outline) => {
        handle.outline = handle.found = outline;
        this.changed();
      });
    }
    return handle;
  }

  boxed([from, to = from]) {
    const [left, right] = [from[0], to[0]].sort((a, b) => a - b);
    const [top, bottom] = [from[1], to[1]].sort((a, b) => a - b);
    if (right - left < SMALLEST_BOX_PX || bottom - top < SMALLEST_BOX_PX) {
      this.takeBack();
      return;
    }
    this.setRegion([[left, top], [right, top], [right, bottom], [left, bottom]]);
  }

  get brushPx() {
    return BRUSH_CSS * this.view.pixelsPerCss;
  }

  setRegion(outline) {
    if (!this.regionHandle) return;
    this.regionHandle.outline = this.regionHandle.found = outline;
    this.drag.change();
    this.changed();
  }

  // The console has found what the handles hold.
  outlined({number, outlines}) {
    if (this.drag?.number !== number) return;
    this.drag.handles.forEach((handle, n) => {
      if (handle !== this.regionHandle) handle.found = outlines[n] ?? handle.found;
    });
    this.changed();
  }

  // Keys.

  key(event, stream, view) {
    if (stream !== this.stream || !view.bitmap) return;
    const {picture} = view;
    if (event.key in ARROWS) {
      const [dx, dy] = ARROWS[event.key];
      const step = event.shiftKey ? 10 : 1;
      const [x, y] = this.cross ?? [(picture.width - 1) / 2, (picture.height - 1) / 2];
      this.cross = clampToPicture([x + dx * step, y + dy * step], picture);
      this.move(KEYS, this.cross);
    } else if (event.key === 'Enter' || event.key === ' ') {
      this.cross ??= [(picture.width - 1) / 2, (picture.height - 1) / 2];
      if (this.pointers.has(KEYS)) this.up(KEYS);
      else this.down(KEYS, this.cross);
    } else if (event.key === 'Escape') {
      this.undo();
    } else {
      return;
    }
    event.preventDefault();
    this.changed();
  }

  shiftUp() {
    this.isShift = false;
    const isFree = this.pointers.size === 0 && !this.regionHandle;
    if (this.drag && isFree && !this.choices.several) this.release();
  }

  // The drag as a whole.

  hold() {
    if (this.drag) return;
    const {picture, stamp} = this.onHold(this.stream);
    this.drag = new Drag(this.connection,
      {stream: this.stream, stamp_ns: stamp, ...picture}, this.choices.mode);
  }

  // Let go: the prediction goes on to its horizon.
  release() {
    if (!this.drag) return;
    const isMade = !this.regionHandle;
    if (isMade) this.drag.end();
    else this.drag.cancel();
    this.last = isMade ? this.drag : null;
    this.letGo();
  }

  // The newest handle goes; without any, the drag; without one in hand, the one before.
  undo() {
    if (!this.drag && this.last) {
      this.last.cancel();
      this.onLetGo(this.last.picture.stream);
      this.last = null;
    } else if (!this.drag) {
      this.centre = null;
    } else {
      this.undoHandle();
    }
    this.changed();
  }

  undoHandle() {
    if (this.drag.handles.length === 1) {
      this.takeBack();
      return;
    }
    const gone = this.drag.handles.pop();
    if (gone === this.regionHandle) this.regionHandle = null;
    this.pointers.clear();
    this.drag.change();
  }

  // What was marked is not wanted after all.
  dropRegion() {
    if (this.regionHandle) this.undoHandle();
  }

  takeBack() {
    this.drag?.cancel();
    this.letGo();
  }

  // The console has ended it, or cannot be reached.
  abandon() {
    this.drag?.drop();
    if (this.drag) this.letGo();
  }

  letGo() {
    const {centre, drag} = this;
    this.forget();
    this.centre = centre;
    if (drag) this.onLetGo(drag.picture.stream);
    this.changed();
  }

  forget() {
    this.drag = null;
    this.regionHandle = null;  // the handle whose region is drawn, but that is not yet dragged
    this.centre = null;
    this.pointers = new Map();
  }

  changed() {
    for (const view of Object.values(this.views)) view.isStale = true;
  }
}
